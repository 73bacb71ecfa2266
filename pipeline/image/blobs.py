"""Write the blobs of an OCI layout, layers as a stream, and take unchanged layers over from an earlier layout."""

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread

from pipeline.digest import Digest
from pipeline.image import oci
from pipeline.image.layer import Entry, tar
from pipeline.image.oci import Descriptor, Layer
from pipeline.processes import apart

_CHUNK = 1 << 20


@dataclass
class Blobs:
    """The blobs of a layout that is being written.

    Args:
        root: directory of the layout.
        known: layers that are written already, by `diff_id`.
        earlier: layouts to take layers from, each with the layers that are said to be in it.
    """

    root: Path
    known: dict[Digest, Layer] = field(default_factory=dict)
    earlier: dict[Digest, tuple[Layer, Path]] = field(default_factory=dict)

    def put(self, media_type: str, data: bytes, **more: str) -> Descriptor:
        """Write a document and return its descriptor."""
        descriptor = Descriptor.of(media_type, data, **more)
        self._path(descriptor.digest).write_bytes(data)
        return descriptor

    async def layers(self, wanted: Iterable[Mapping[str, Collection[Entry]]]) -> list[list[Layer]]:
        """Write the layers of each platform, by name, and return them in their order.

        The same content is written once, and not at all when an earlier layout has it. The tar stream is made twice,
        first for its digest: that is cheap, and compressing is not. Each layer is compressed in a process of its own,
        because threads would do it one after the other.
        """
        named, missing = await anyio.to_thread.run_sync(self._look, list(wanted))

        async def write(diff_id: Digest, entries: Collection[Entry]) -> None:
            self.known[diff_id] = await apart(_write, self.root, diff_id, entries)

        async with anyio.create_task_group() as group:
            for diff_id, entries in missing.items():
                group.start_soon(write, diff_id, entries)
        return [[Layer(name, self.known[id_].descriptor, id_) for name, id_ in each.items()] for each in named]

    def _look(
        self, wanted: Iterable[Mapping[str, Collection[Entry]]]
    ) -> tuple[list[dict[str, Digest]], dict[Digest, Collection[Entry]]]:
        """Return the `diff_id` of each layer, and those layers that have to be written."""
        named: list[dict[str, Digest]] = []
        missing: dict[Digest, Collection[Entry]] = {}
        for layers in wanted:
            named.append({name: _digest(tar(entries)) for name, entries in layers.items()})
            for name, diff_id in named[-1].items():
                if diff_id not in missing and diff_id not in self.known and not self._take_over(diff_id):
                    missing[diff_id] = layers[name]
        return named, missing

    def begin(self) -> None:
        """Make the directories and the file that says which layout this is."""
        (self.root / "blobs" / "sha256").mkdir(parents=True)
        (self.root / oci.LAYOUT_FILE).write_bytes(oci.layout_file())

    def finish(self, index: Descriptor) -> None:
        """Write `index.json` with the one image that the layout holds."""
        (self.root / "index.json").write_bytes(oci.index([index]))

    def remember(self, layout: Path, layers: Iterable[Layer]) -> None:
        """Name an earlier layout and its layers; nothing of it is believed before it is looked at."""
        self.earlier.update({layer.diff_id: (layer, layout) for layer in layers})

    def _path(self, digest: Digest) -> Path:
        return _path(self.root, digest)

    def _take_over(self, diff_id: Digest) -> bool:
        """Take a layer from an earlier layout when its bytes are what they are said to be."""
        layer, layout = self.earlier.get(diff_id, (None, Path()))
        if layer is None:
            return False
        source = _path(layout, layer.descriptor.digest)
        try:
            if Digest.of_file(source) != layer.descriptor.digest or _digest(_decompressed(source)) != diff_id:
                return False
        except (OSError, EOFError):
            return False
        target = self._path(layer.descriptor.digest)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
        self.known[diff_id] = layer
        return True


def layers_of(image_json: Path) -> list[Layer]:
    """Return the layers that an earlier `image.json` of this writer's format lists; none when there is no such file."""
    try:
        image = json.loads(image_json.read_bytes())
        if image["format"] != oci.FORMAT:
            return []
        return [
            Layer(
                layer["name"],
                Descriptor(oci.LAYER, Digest.parse(layer["digest"]), int(layer["size"])),
                Digest.parse(layer["diff_id"]),
            )
            for platform in image["platforms"].values()
            for layer in platform["layers"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _write(root: Path, diff_id: Digest, entries: Iterable[Entry]) -> Layer:
    hashing, size = hashlib.sha256(), 0
    unnamed = root / "blobs" / f"{diff_id.hex}.part"
    with unnamed.open("wb") as file:
        for piece in oci.gzip(tar(entries)):
            hashing.update(piece)
            size += file.write(piece)
    digest = Digest("sha256", hashing.hexdigest())
    unnamed.rename(_path(root, digest))
    return Layer("", Descriptor(oci.LAYER, digest, size), diff_id)


def _path(layout: Path, digest: Digest) -> Path:
    return layout / "blobs" / digest.algorithm / digest.hex


def _digest(chunks: Iterable[bytes]) -> Digest:
    hashing = hashlib.sha256()
    for chunk in chunks:
        hashing.update(chunk)
    return Digest("sha256", hashing.hexdigest())


def _decompressed(path: Path) -> Iterator[bytes]:
    with gzip.open(path) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
