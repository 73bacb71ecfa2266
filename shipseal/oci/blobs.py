"""Write the blobs of an OCI layout, layers as a stream, and take unchanged layers over from an earlier layout."""

import gzip
import hashlib
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread
from anyio import from_thread

from shipseal.digest import Digest
from shipseal.oci import documents
from shipseal.oci.documents import Descriptor, Layer
from shipseal.oci.layer import Entry, tar
from shipseal.oci.layout import Layout
from shipseal.oci.layout_copy import one_file

_THREADS = 2


@dataclass(frozen=True)
class Blobs:
    """The blobs of a layout that is being written below `root`."""

    root: Path

    def begin(self) -> None:
        """Make an empty layout."""
        Layout.create(self.root)

    def finish(self, index: Descriptor) -> None:
        """Write `index.json` with the one image that the layout holds."""
        (self.root / "index.json").write_bytes(documents.index([index]))

    def put(self, media_type: str, data: bytes, **more: str) -> Descriptor:
        """Write a document and return its descriptor."""
        descriptor = Descriptor.of(media_type, data, **more)
        _path(self.root, descriptor.digest).write_bytes(data)
        return descriptor

    async def write(self, layers: Mapping[Digest, Collection[Entry]]) -> dict[Digest, Layer]:
        """Write layers; return each by the digest that it is asked for with."""
        return await anyio.to_thread.run_sync(_write, self.root, layers)

    def take_over(self, layer: Layer, layout: Path) -> None:
        """Take a layer from another layout, without a copy of its bytes where the file system can."""
        source, target = (_path(root, layer.descriptor.digest) for root in (layout, self.root))
        target.unlink(missing_ok=True)
        one_file(source, target)


def is_sound(layer: Layer, layout: Path) -> bool:
    """Say whether the bytes of a layer are what it says of them, compressed and not."""
    path = _path(layout, layer.descriptor.digest)
    try:
        return Digest.of_file(path) == layer.descriptor.digest and _decompressed(path) == layer.diff_id
    except (OSError, EOFError):
        return False


def _decompressed(path: Path) -> Digest:
    with gzip.open(path) as stream:
        return Digest("sha256", hashlib.file_digest(stream, "sha256").hexdigest())


@dataclass
class _Writing:
    """A layer that is being written."""

    file: BinaryIO
    raw: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    compressed: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    size: int = 0

    def pieces(self, entries: Collection[Entry]) -> Iterator[bytes]:
        """Yield what its members are compressed from."""
        for chunk in documents.cut(tar(entries)):
            self.raw.update(chunk)
            yield chunk

    def write(self, member: bytes | bytearray) -> None:
        """Write the next member."""
        self.compressed.update(member)
        self.size += self.file.write(member)

    def layer(self) -> Layer:
        """Return what was written."""
        digest, diff_id = (Digest("sha256", each.hexdigest()) for each in (self.compressed, self.raw))
        return Layer("", Descriptor(documents.LAYER, digest, self.size), diff_id)


def _write(root: Path, layers: Mapping[Digest, Collection[Entry]]) -> dict[Digest, Layer]:
    """Write layers one after the other, with two members in the making: compressing lets other threads run."""
    waiting: deque[tuple[_Writing, Future[bytes | bytearray]]] = deque()

    def finish(allowed: int) -> None:
        while len(waiting) > allowed:
            writing, member = waiting.popleft()
            writing.write(member.result())

    with ExitStack() as stack:
        compressing = stack.enter_context(ThreadPoolExecutor(_THREADS))
        parts = {name: root / "blobs" / f"{name.hex}.part" for name in layers}
        begun = {name: _Writing(stack.enter_context(parts[name].open("wb"))) for name in layers}
        for name, entries in layers.items():
            for piece in begun[name].pieces(entries):
                from_thread.check_cancelled()
                finish(_THREADS - 1)
                waiting.append((begun[name], compressing.submit(documents.compress, piece)))
        finish(0)
    found = {name: writing.layer() for name, writing in begun.items()}
    for name, layer in found.items():
        parts[name].rename(_path(root, layer.descriptor.digest))
    return found


def _path(layout: Path, digest: Digest) -> Path:
    return layout / "blobs" / digest.algorithm / digest.hex
