"""Fetch an image from a registry, and say what it is when something in it was altered.

What is attached to it is another matter, of which others may write what they like: `collecting`.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

from shipseal.digest import Digest
from shipseal.distribution.registry import Registry, altered_there
from shipseal.errors import RemoteFailed, VerificationFailed
from shipseal.oci.bytes import altered
from shipseal.oci.layout import Layout
from shipseal.platforms import platform_name


async def fetch(registry: Registry, digest: Digest, path: Path) -> Layout:
    """Copy an image into a new layout.

    Raises:
        VerificationFailed: something is not what its digest says; the message says what.
        RemoteFailed: the registry did not answer as it should.
    """
    try:
        await registry.pull(digest, path)
    except RemoteFailed as error:
        if not altered_there(error):
            raise
        raise await _name_the_altered(registry, digest, error) from error
    return Layout(path)


async def _name_the_altered(registry: Registry, image: Digest, error: RemoteFailed) -> VerificationFailed:
    """Look for what is not what its digest says: the client that found it does not tell which it was."""
    try:
        async for what, digest in _pieces(registry, image):
            await _try(registry, what, digest)
    except VerificationFailed as found:
        return found
    except (RemoteFailed, ValueError, KeyError, TypeError) as failure:
        error.add_note(f"looking for what was altered ended with {type(failure).__name__}")
    return altered("a manifest of the image", image, *error.why)


async def _try(registry: Registry, what: str, digest: Digest) -> None:
    try:
        await registry.try_blob(digest)
    except RemoteFailed as failure:
        if not altered_there(failure):
            raise
        raise altered(what, digest, f"{registry.host} holds other bytes") from failure


async def _pieces(registry: Registry, image: Digest) -> AsyncIterator[tuple[str, Digest]]:
    """Yield what an image consists of, with words for each."""
    platforms = json.loads(await registry.manifest(image))["manifests"]
    subjects = [("the image", image), *((platform_name(item), Digest.parse(item["digest"])) for item in platforms)]
    for name, subject in subjects:
        manifest = json.loads(await registry.manifest(subject))
        for layer in manifest.get("layers", ()):
            yield f"a layer for {name}", Digest.parse(layer["digest"])
        if "config" in manifest:
            yield f"a configuration for {name}", Digest.parse(manifest["config"]["digest"])
