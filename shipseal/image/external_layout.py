"""Check a layout that somebody hands over, and take out of it what is ours: an image, and the bundles attached to it.

Each blob is held against its digest and against the size that whatever names it gives, before anything reads it as what
it is said to be. What else a layout holds is nobody's evidence: it is neither read nor passed on.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shipseal.digest import Digest
from shipseal.distribution.referrers import BUNDLE_TYPE, MANIFEST_TYPE, only_layer
from shipseal.errors import VerificationFailed
from shipseal.oci.bytes import altered, checked_json
from shipseal.oci.layout import INDEX_TYPE, Layout

_VERSION = "1.0.0"  # image-layout.md, "oci-layout file": the only one there is
_LARGEST_DOCUMENT = 4 << 20  # bytes; what a registry has to take (distribution-spec, "Pushing Manifests")
_DOCUMENTS = frozenset({INDEX_TYPE, MANIFEST_TYPE})

Descriptor = Mapping[str, Any]


def ours(layout: Layout, digest: Digest, target: Path) -> Layout:
    """Return a layout of an image and its bundles alone, which were checked to the byte; its blobs are links.

    Args:
        layout: what was handed over.
        digest: the image's index.
        target: where the new one goes.

    Raises:
        VerificationFailed: a blob of it is missing or was altered, or what names it says something else of it.
    """
    _require_known(layout.path / "oci-layout")
    layout.check_image(digest)
    listed = layout.listed()
    mine = [item for item in listed if item["digest"] == str(digest) or _holds_a_bundle(layout, item)]
    blobs = {blob for item in mine for blob in _whole(layout, item)}
    found = Layout.create(target)
    for blob in blobs:
        found.blob(blob).symlink_to(layout.blob(blob).resolve())
    found.list_more(mine)
    return found


def _require_known(file: Path) -> None:
    """Refuse a layout of another version than the one that is known."""
    try:
        version = json.loads(file.read_bytes())["imageLayoutVersion"] if file.is_file() else "nothing"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise VerificationFailed(f"{file} cannot be read", why=f"{type(error).__name__}: {error}") from error
    if version != _VERSION:
        raise VerificationFailed(
            f"{file.parent} is a layout of an unknown version",
            why=f"oci-layout says {str(version)[:100]}, and only {_VERSION} is known",
            remedy="do not use it; have it written again from the image's registry",
        )


def _holds_a_bundle(layout: Layout, item: Descriptor) -> bool:
    """Say whether index.json lists one of our attestations; whoever adds other things to a registry stops nobody."""
    if item.get("artifactType", BUNDLE_TYPE) != BUNDLE_TYPE or item.get("mediaType") != MANIFEST_TYPE:
        return False
    if not item["digest"].startswith("sha256:"):
        return False  # nothing that we write goes by another algorithm
    digest = Digest.parse(item["digest"])
    manifest = _document(layout, digest, "the manifest of an attestation")
    try:
        only_layer(manifest, digest)
    except VerificationFailed:
        return False
    return bool(manifest.get("artifactType") == BUNDLE_TYPE)


def _whole(layout: Layout, item: Descriptor) -> Iterator[Digest]:
    """Yield all blobs that a descriptor leads to, each checked."""
    waiting: list[tuple[object, str]] = [(item, "index.json")]
    seen: set[tuple[str, Digest, int]] = set()
    while waiting:
        described, by = waiting.pop()
        kind, digest, size = found = _read(described, by)
        if found in seen:
            continue
        seen.add(found)
        _check(layout, digest, size, by)
        yield digest
        if kind in _DOCUMENTS:
            document = _document(layout, digest, f"what {by} lists")
            if document.get("mediaType", kind) != kind:
                raise altered(f"what {by} lists", digest, f"{by} says {kind}", "it says something else of itself")
            waiting += [(each, str(digest)) for each in _below(document)]


def _below(document: Mapping[str, Any]) -> Iterator[object]:
    if "config" in document:
        yield document["config"]
    for key in ("layers", "manifests"):
        many = document.get(key)
        yield from many if isinstance(many, list) else ()


def _read(described: object, by: str) -> tuple[str, Digest, int]:
    match described:
        case {"mediaType": str(kind), "digest": str(digest), "size": int(size)}:
            return kind, Digest.parse(digest), size
    raise VerificationFailed(f"{by} lists what is not a valid descriptor", why=repr(described)[:200])


def _check(layout: Layout, digest: Digest, size: int, by: str) -> None:
    """Check a blob of any size without holding it in memory."""
    file = layout.blob(digest)
    if not file.is_file():
        raise VerificationFailed(
            f"{digest} is missing from {layout.path}",
            why=f"{by} lists it",
            remedy="have the layout written again, whole",
        )
    if file.stat().st_size != size:
        raise altered("a blob, or its size,", digest, f"{by} says {size} bytes, and it has {file.stat().st_size}")
    if Digest.of_file(file) != digest:
        raise altered("a blob", digest, f"{by} lists it, and what is there has another digest")


def _document(layout: Layout, digest: Digest, what: str) -> dict[str, Any]:
    file = layout.blob(digest)
    if file.is_file() and file.stat().st_size > _LARGEST_DOCUMENT:
        raise VerificationFailed(f"{what} is too large: {digest}", why=f"it has {file.stat().st_size} bytes")
    return checked_json(layout.read(digest), digest, what)
