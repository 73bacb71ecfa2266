"""Find the first difference between two images, and say where it is: platform, layer, path, field, offset.

What is looked at first is what others follow from: files before layers, layers before manifests, manifests before the
index. Nothing is unpacked; layers are read side by side, a piece at a time.
"""

import gzip
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.oci.bytes import checked_json
from shipseal.oci.layout import Layout, PlatformManifest
from shipseal.oci.models import OciManifest

_PIECE = 1 << 16
_FIELDS = ("type", "mode", "uid", "gid", "uname", "gname", "mtime", "linkname", "size")
_SHOWN = 160
# Hashes of other files: they differ because those do, and are told only when nothing else is.
_DERIVED = (".dist-info/RECORD", ".md5sums")


@dataclass(frozen=True)
class ComparedImage:
    """One of two images: what to call it, where it is, and which index."""

    name: str
    layout: Layout
    digest: Digest

    def document(self, digest: Digest) -> dict[str, Any]:
        """Return a manifest, index or configuration; raise `VerificationFailed` when it is none."""
        return checked_json(self.layout.read(digest), digest, "a document of the image")

    def platforms(self) -> dict[str, PlatformManifest]:
        """Return the manifests of its platforms by name."""
        return {each.name: each for each in self.layout.image(self.digest)[1]}

    def manifest(self, platform: PlatformManifest) -> OciManifest:
        """Return the manifest of a platform."""
        return OciManifest.of(self.layout.read(platform.digest), platform.digest, "a manifest of the image")


def first_difference(one: ComparedImage, other: ComparedImage) -> list[str]:
    """Return where two images first differ and what each has there, in lines; none when every byte is the same.

    Raises:
        VerificationFailed: one of them is not whole, or was altered.
    """
    for side in (one, other):
        side.layout.check_image(side.digest)
    if one.digest == other.digest:
        return []
    platforms, others = one.platforms(), other.platforms()
    for name in sorted({*platforms, *others}):
        ours, theirs = platforms.get(name), others.get(name)
        if ours is None or theirs is None:
            return [f"platform {name}: only {(one if ours else other).name} has it"]
        if ours.digest != theirs.digest:
            return [f"platform {name}", *_manifests(one, other, ours, theirs)]
    return ["the index", *_fields(one, other, one.document(one.digest), other.document(other.digest))]


def _manifests(one: ComparedImage, other: ComparedImage, ours: PlatformManifest, theirs: PlatformManifest) -> list[str]:
    mine, its = one.manifest(ours), other.manifest(theirs)
    for number, (layer, counterpart) in enumerate(zip_longest(mine.layers, its.layers)):
        if layer is None or counterpart is None:
            return [f"layer {number}: only {(other if layer is None else one).name} has it"]
        if layer.digest != counterpart.digest:
            blobs = one.layout.blob(layer.digest), other.layout.blob(counterpart.digest)
            return [f"layer {number}", *_layers(one, other, *blobs)]
    configurations = one.document(mine.config.digest), other.document(its.config.digest)
    if configurations[0] != configurations[1]:
        return ["the image configuration", *_fields(one, other, *configurations)]
    return ["the manifest", *_fields(one, other, mine.as_json(), its.as_json())]


def _layers(one: ComparedImage, other: ComparedImage, ours: Path, theirs: Path) -> list[str]:
    try:
        return _files(one, other, ours, theirs) or _streams(ours, theirs)
    except (
        tarfile.TarError,
        OSError,
        EOFError,
        ValueError,
        zlib.error,
    ) as error:  # a number that is none is ValueError
        raise VerificationFailed("a layer cannot be read", why=str(error)) from error


def _files(one: ComparedImage, other: ComparedImage, ours: Path, theirs: Path) -> list[str]:
    derived: list[str] = []
    with _archive(ours) as mine, _archive(theirs) as its:
        for member, counterpart in zip_longest(mine, its):
            found = _members(one, other, (mine, member), (its, counterpart))
            if found and member and counterpart and member.name.endswith(_DERIVED):
                derived = derived or found
            elif found:
                return found
    return derived


def _streams(ours: Path, theirs: Path) -> list[str]:
    with gzip.open(ours) as mine, gzip.open(theirs) as its:
        at = _offset(mine, its)
    if at is not None:
        return [f"the same files, written differently at offset {at} of the archive"]
    with ours.open("rb") as mine_raw, theirs.open("rb") as its_raw:
        return [f"the same archive, compressed differently at offset {_offset(mine_raw, its_raw)}"]


@contextmanager
def _archive(layer: Path) -> Iterator[tarfile.TarFile]:
    """Open a layer as a stream; tarfile by itself ends with the first of several gzip members."""
    with gzip.open(layer) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        yield archive


class _ReadableBlob(Protocol):
    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes, and none at the end."""


Member = tuple[tarfile.TarFile, tarfile.TarInfo | None]


def _members(one: ComparedImage, other: ComparedImage, ours: Member, theirs: Member) -> list[str]:
    mine, its = ours[1], theirs[1]
    if mine is None or its is None or mine.name != its.name:
        return [
            f"{side.name} has next: {found.name if found else 'nothing'}" for side, found in ((one, mine), (other, its))
        ]
    for field in _FIELDS:
        values = getattr(mine, field), getattr(its, field)
        if values[0] != values[1] and field != "size":
            shown = [oct(value) if field == "mode" else repr(value) for value in values]
            return [f"path {mine.name}", f"field {field}: {one.name} {shown[0]}, {other.name} {shown[1]}"]
    if mine.isfile():
        readers = ours[0].extractfile(mine), theirs[0].extractfile(its)
        assert readers[0], "it is a file"
        assert readers[1], "so is its counterpart"
        at = _offset(readers[0], readers[1])
        if at is not None:
            return [f"path {mine.name}", f"content at offset {at}: {mine.size} and {its.size} bytes"]
    return []


def _offset(mine: _ReadableBlob, its: _ReadableBlob) -> int | None:
    """Return where two streams first differ, in bytes, or None when they do not."""
    at = 0
    while True:
        pieces = mine.read(_PIECE), its.read(_PIECE)
        if pieces[0] != pieces[1]:
            same = next((n for n, (a, b) in enumerate(zip(*pieces, strict=False)) if a != b), min(map(len, pieces)))
            return at + same
        if not pieces[0]:
            return None
        at += len(pieces[0])


def _fields(one: ComparedImage, other: ComparedImage, ours: object, theirs: object) -> list[str]:
    """Return the first field in which two documents differ."""
    path, mine, its = next(_walk(ours, theirs, ""), ("", ours, theirs))
    return [f"field {path or '(order or white space)'}", f"{one.name} {_short(mine)}", f"{other.name} {_short(its)}"]


def _walk(ours: object, theirs: object, path: str) -> Iterator[tuple[str, object, object]]:
    below: Callable[[object], str] = lambda key: f"{path}.{key}" if path else str(key)  # noqa: E731 - one expression
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            yield from _walk(ours.get(key), theirs.get(key), below(key))
    elif isinstance(ours, list) and isinstance(theirs, list):
        for number, (mine, its) in enumerate(zip_longest(ours, theirs)):
            yield from _walk(mine, its, below(number))
    elif ours != theirs:
        yield path, ours, theirs


def _short(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
