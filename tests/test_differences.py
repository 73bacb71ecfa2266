"""Two images are compared byte by byte, and the first difference is told with its place."""

import gzip
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.oci import documents
from shipseal.oci.blobs import Blobs
from shipseal.oci.differences import ComparedImage, first_difference
from shipseal.oci.documents import ContainerConfig
from shipseal.oci.layer import Entry
from shipseal.oci.layout import Layout

FILES = (Entry("etc/one", b"one"), Entry("usr/two", b"x" * 100_000, executable=True), Entry("usr/link", link="two"))
RUNTIME = ContainerConfig(("/usr/two",), {"A": "1"}, 8080, "65532:65532", {})
Layers = Sequence[Sequence[Entry]]


def image(
    root: Path, layers: Layers, runtime: ContainerConfig = RUNTIME, platforms: Sequence[str] = ("linux/amd64",)
) -> ComparedImage:
    """Write an image, the same for each platform, and return it as one of two sides."""
    blobs = Blobs(root)
    blobs.begin()
    written = list(anyio.run(blobs.write, {Digest.of(bytes([n])): each for n, each in enumerate(layers)}).values())
    manifests = []
    for platform in platforms:
        configuration = blobs.put(documents.CONFIG, documents.config(platform, runtime, written))
        manifest = blobs.put(documents.MANIFEST, documents.manifest(configuration, written, runtime.labels))
        manifests.append(replace(manifest, platform=platform))
    index = blobs.put(documents.INDEX, documents.index(manifests, runtime.labels))
    blobs.finish(index)
    return ComparedImage(root.name, Layout(root), index.digest)


def changed(change: Callable[[Entry], Entry | None]) -> Layers:
    return [[found for entry in FILES if (found := change(entry)) is not None]]


def at(path: str, **values: object) -> Layers:
    return changed(lambda entry: replace(entry, **values) if entry.path == path else entry)  # type: ignore[arg-type]


def test_two_builds_of_the_same_have_no_difference(tmp_path: Path) -> None:
    assert first_difference(image(tmp_path / "one", [FILES]), image(tmp_path / "two", [FILES])) == []


LARGE = (Entry("a", os.urandom(documents.MEMBER)), Entry("b", os.urandom(documents.MEMBER)), Entry("c", b"see"))


def test_a_difference_behind_the_first_member_of_a_large_layer_is_told_too(tmp_path: Path) -> None:
    one, two = image(tmp_path / "one", [LARGE]), image(tmp_path / "two", [[*LARGE[:2], Entry("c", b"sea")]])
    assert first_difference(one, two) == [
        "platform linux/amd64", "layer 0", "path c", "content at offset 2: 3 and 3 bytes",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (at("etc/one", content=b"onE"), ["layer 0", "path etc/one", "content at offset 2: 3 and 3 bytes"]),
        (at("etc/one", content=b"one and more"), ["layer 0", "path etc/one", "content at offset 3: 3 and 12 bytes"]),
        (
            at("usr/two", content=b"x" * 70_000 + b"y" + b"x" * 29_999),
            ["layer 0", "path usr/two", "content at offset 70000: 100000 and 100000 bytes"],
        ),
        (at("usr/two", executable=False), ["layer 0", "path usr/two", "field mode: one 0o755, two 0o644"]),
        (at("usr/link", link="one"), ["layer 0", "path usr/link", "field linkname: one 'two', two 'one'"]),
        (
            changed(lambda entry: None if entry.path == "usr/two" else entry),
            ["layer 0", "one has next: usr/two", "two has next: nothing"],
        ),
        ([FILES, [Entry("more")]], ["layer 1: only two has it"]),
    ],
)
def test_a_difference_in_a_layer_is_told_with_path_field_and_offset(
    tmp_path: Path, layers: Layers, told: list[str]
) -> None:
    one, two = image(tmp_path / "one", [FILES]), image(tmp_path / "two", layers)
    assert first_difference(one, two) == ["platform linux/amd64", *told]


def test_a_difference_in_the_configuration_is_told_with_its_field(tmp_path: Path) -> None:
    one, two = image(tmp_path / "one", [FILES]), image(tmp_path / "two", [FILES], replace(RUNTIME, environment={}))
    assert first_difference(one, two)[1:] == [
        "the image configuration",
        "field config.Env.0",
        'one "A=1"',
        "two nothing",
    ]


def test_another_set_of_platforms_is_told(tmp_path: Path) -> None:
    both = image(tmp_path / "both", [FILES], platforms=("linux/amd64", "linux/arm64"))
    assert first_difference(both, image(tmp_path / "one", [FILES])) == ["platform linux/arm64: only both has it"]


def test_the_same_files_in_another_compression_are_told_apart_from_other_files(tmp_path: Path) -> None:
    one, two = image(tmp_path / "one", [FILES]), image(tmp_path / "two", [FILES])
    recompress(two.layout)
    other = ComparedImage("two", two.layout, recompressed_index(two))
    assert first_difference(one, other)[1] == "layer 0"
    assert first_difference(one, other)[2].startswith("the same archive, compressed differently at offset ")


def recompress(layout: Layout) -> None:
    """Add every layer to a layout a second time, stored without compression."""
    for blob in list((layout.path / "blobs" / "sha256").iterdir()):
        if blob.read_bytes()[:2] == b"\x1f\x8b":
            layout.put(gzip.compress(gzip.decompress(blob.read_bytes()), 0, mtime=0))


def recompressed_index(side: ComparedImage) -> Digest:
    """Write manifest and index anew, with the largest blob as the layer."""
    layout = side.layout
    blobs = sorted((layout.path / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    index = side.document(side.digest)
    manifest = side.document(Digest.parse(index["manifests"][0]["digest"]))
    manifest["layers"][0] |= {"digest": f"sha256:{blobs[-1].name}", "size": blobs[-1].stat().st_size}
    data = canonical(manifest)
    index["manifests"][0] |= {"digest": str(layout.put(data)), "size": len(data)}
    return layout.put(canonical(index))


def test_an_image_that_is_not_whole_is_refused_before_it_is_compared(tmp_path: Path) -> None:
    one, two = image(tmp_path / "one", [FILES]), image(tmp_path / "two", [FILES])
    largest = max((two.layout.path / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes() + b"!")
    with pytest.raises(VerificationFailed):
        first_difference(one, two)
