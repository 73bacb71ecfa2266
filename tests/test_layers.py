"""Layers are written once: what was made from the same is taken over, if it is still what it was."""

import gzip
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.documents.image import LayersDocument
from shipseal.engine.record import Record, products
from shipseal.image import layer_cache
from shipseal.image.layer_cache import Written
from shipseal.image.rootfs import LayerSource
from shipseal.image.tree import Component, File, Tree
from shipseal.oci.blobs import Blobs
from shipseal.oci.documents import Layer
from shipseal.oci.layer import Entry

OWNER = Component("pypi", "sample", "1.0")
SMALL = (Entry("etc/name", b"value\n"), Entry("etc/link", link="name"))
INPUTS, OTHER = Digest.of(b"what it was made from"), Digest.of(b"what another was made from")


def blobs(root: Path) -> Blobs:
    begun = Blobs(root)
    begun.begin()
    return begun


def finished(stage: Path, entries: Sequence[Entry] = SMALL) -> Layer:
    """Write a layer as a finished stage has it, and return it."""
    layer = anyio.run(blobs(stage / "layout").write, {INPUTS: entries})[INPUTS]
    document = layer_cache.document({INPUTS: Written.of(layer, {OWNER: entries})})
    (stage / LayersDocument.NAME).write_text(json.dumps(document.as_json()))
    record(stage)
    return layer


def record(stage: Path) -> None:
    Record("image", "1", "dry-run", INPUTS, "", (), {}, {}, products(stage), "", "").write(stage)


def blob(stage: Path, layer: Layer) -> Path:
    return stage / "layout/blobs/sha256" / layer.descriptor.digest.hex


def test_a_layer_is_taken_over_as_it_is_and_with_what_is_in_it(tmp_path: Path) -> None:
    layer = finished(tmp_path)
    assert layer_cache.previous_layers(tmp_path) == {INPUTS: Written(layer, {OWNER.purl: ("etc/link", "etc/name")})}
    again = blobs(tmp_path / "again")
    again.take_over(layer, tmp_path / "layout")
    taken = again.root / "blobs/sha256" / layer.descriptor.digest.hex
    assert taken.stat().st_ino == blob(tmp_path, layer).stat().st_ino
    again.take_over(layer, tmp_path / "layout")
    assert Digest.of_file(taken) == layer.descriptor.digest


def test_several_layers_written_at_once_are_those_that_each_is_alone(tmp_path: Path) -> None:
    large = (Entry("large", os.urandom(9 << 20)), *SMALL)
    together = anyio.run(blobs(tmp_path / "together").write, {INPUTS: large, OTHER: SMALL})
    assert together[INPUTS] == anyio.run(blobs(tmp_path / "one").write, {INPUTS: large})[INPUTS]
    assert together[OTHER] == anyio.run(blobs(tmp_path / "other").write, {OTHER: SMALL})[OTHER]
    for layer in together.values():
        data = (tmp_path / "together/blobs/sha256" / layer.descriptor.digest.hex).read_bytes()
        assert (Digest.of(data), len(data)) == (layer.descriptor.digest, layer.descriptor.size)
        assert Digest.of(gzip.decompress(data)) == layer.diff_id
    assert not list((tmp_path / "together").rglob("*.part"))


async def test_writing_ends_when_it_is_stopped(tmp_path: Path) -> None:
    large = Entry("large", os.urandom(16 << 20) * 16)  # a busy machine may look late, and half is soon written
    begun, unfinished = blobs(tmp_path), tmp_path / "blobs" / f"{INPUTS.hex}.part"
    async with anyio.create_task_group() as group:
        group.start_soon(begun.write, {INPUTS: [large]})
        while not await anyio.Path(unfinished).exists():
            await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert (await anyio.Path(unfinished).stat()).st_size < large.size / 2
    assert [path async for path in anyio.Path(unfinished.parent / "sha256").iterdir()] == []


def altered(stage: Path, layer: Layer) -> None:
    path = blob(stage, layer)
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def gone(stage: Path, layer: Layer) -> None:
    blob(stage, layer).unlink()


def compressed_otherwise(stage: Path, layer: Layer) -> None:
    path = blob(stage, layer)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())))


def of_another_content(stage: Path, layer: Layer) -> None:
    """Put other bytes in its place, and say so wherever it is named, but for what they are uncompressed."""
    other = finished(stage / "other", SMALL[:1])
    path = stage / LayersDocument.NAME
    named = str(layer.descriptor.digest), str(other.descriptor.digest)
    path.write_text(path.read_text().replace(*named).replace(str(layer.descriptor.size), str(other.descriptor.size)))
    blob(stage, other).write_bytes(blob(stage / "other", other).read_bytes())
    record(stage)


@pytest.mark.parametrize("change", [altered, gone, compressed_otherwise, of_another_content])
def test_a_layer_that_is_not_what_it_was_is_not_taken_over(tmp_path: Path, change: Callable[..., None]) -> None:
    layer = finished(tmp_path)
    change(tmp_path, layer)
    assert layer_cache.previous_layers(tmp_path) == {}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"sha256:00": {}}', '{"a": 1}', "null", '{"' + str(INPUTS) + '": 1}']
)
def test_what_is_no_list_of_layers_is_none(tmp_path: Path, text: str) -> None:
    finished(tmp_path)
    (tmp_path / LayersDocument.NAME).write_text(text)
    record(tmp_path)
    assert layer_cache.previous_layers(tmp_path) == {}


def test_a_list_that_its_record_does_not_know_is_none_and_neither_is_one_without_a_record(tmp_path: Path) -> None:
    finished(tmp_path)
    path = tmp_path / LayersDocument.NAME
    path.write_text(path.read_text().replace("etc/name", "etc/game"))
    assert layer_cache.previous_layers(tmp_path) == {}
    record(tmp_path)
    assert layer_cache.previous_layers(tmp_path)
    (tmp_path / "record.json").unlink()
    assert layer_cache.previous_layers(tmp_path) == {}


def part(tmp_path: Path, *paths: str, owner: Component = OWNER, name: str = "wheels") -> LayerSource:
    tree = Tree(tmp_path, {path: File(path, owner) for path in paths})
    return LayerSource(name, tree, {owner: paths})


def test_whatever_decides_the_bytes_of_a_layer_decides_its_inputs(tmp_path: Path) -> None:
    digests = {OWNER.purl: INPUTS, "pkg:pypi/other@1": OTHER}
    first = part(tmp_path, "a", "b").inputs(digests, code="1")
    assert first == part(tmp_path / "elsewhere", "a", "b").inputs({OWNER.purl: INPUTS}, code="1")
    newer = Component("pypi", "sample", "1.1")
    others = [
        part(tmp_path, "a").inputs(digests, code="1"),
        part(tmp_path, "a", "b").inputs({OWNER.purl: OTHER}, code="1"),
        part(tmp_path, "a", "b").inputs(digests, code="2"),
        part(tmp_path, "a", "b").inputs(digests, code="1", whole=True),
        part(tmp_path, "a", "b", name="service").inputs(digests, code="1"),
        part(tmp_path, "a", "b", owner=newer).inputs({newer.purl: INPUTS}, code="1"),
    ]
    assert len({first, *others}) == 1 + len(others)
