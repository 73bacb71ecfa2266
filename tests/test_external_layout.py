"""Of a layout that somebody hands over nothing is used but what was checked; whatever else it is, it is refused."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipseal.digest import Digest
from shipseal.distribution.referrers import BUNDLE_TYPE, attach
from shipseal.errors import ShipsealError, VerificationFailed
from shipseal.image.external_layout import ours
from shipseal.oci.differences import ComparedImage, first_difference
from shipseal.oci.layout import INDEX_TYPE, Layout
from shipseal.oci.platform_image import Built
from tests.conftest import NOW
from tests.layouts import write_layout


def signed(path: Path) -> tuple[Layout, Digest]:
    """Write a layout of an image for two platforms, each with a bundle, and with other things of nobody's."""
    digest, platforms = write_layout(path, evidence=1)
    layout = Layout(path)
    listed = layout.listed()
    for item in listed[0], *json.loads(layout.read(digest))["manifests"]:
        bundle = f"a bundle on {item['digest']}".encode()
        layout.put(bundle)
        referrer = attach(bundle, "https://slsa.dev/provenance/v1", item, NOW)
        layout.put(referrer.manifest)
        layout.list_more([referrer.descriptor])
    assert len(platforms) == 2
    return layout, digest


@pytest.fixture
def whole(tmp_path: Path) -> tuple[Layout, Digest]:
    return signed(tmp_path / "layout")


def test_the_image_and_its_bundles_are_taken_out_and_nothing_else(whole: tuple[Layout, Digest], tmp_path: Path) -> None:
    layout, digest = whole
    found = ours(layout, digest, tmp_path / "ours")
    assert {BUNDLE_TYPE, None} == {item.get("artifactType") for item in found.listed()}
    assert len(found.listed()) == 4
    assert found.check_image(digest) == layout.check_image(digest)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def places(layout: Layout, digest: Digest) -> list[Path]:
    """Return every blob that is ours."""
    with TemporaryDirectory() as scratch:
        found = ours(layout, digest, Path(scratch) / "ours")
        return [layout.path / path.relative_to(found.path) for path in found.path.glob("blobs/sha256/*")]


def test_any_blob_of_ours_that_is_altered_missing_longer_or_no_file_is_refused_by_its_digest(
    whole: tuple[Layout, Digest], tmp_path: Path
) -> None:
    layout, digest = whole
    every = places(layout, digest)
    assert len(every) == 6 + 3 * 2  # the image, and three referrers and bundles; they have one configuration
    for number, path in enumerate(every):
        before = path.read_bytes()
        for alter in (flip, Path.unlink, longer, fifo, directory):
            alter(path)
            with pytest.raises(VerificationFailed) as caught:
                ours(layout, digest, tmp_path / f"ours{number}")
            assert path.name in caught.value.what
            restore(path, before)


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def restore(path: Path, content: bytes) -> None:
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def test_a_blob_of_nobody_s_may_be_anything(whole: tuple[Layout, Digest], tmp_path: Path) -> None:
    layout, digest = whole
    used = {path.name for path in places(layout, digest)}
    foreign = [path for path in layout.path.glob("blobs/sha256/*") if path.read_bytes().startswith(b"evidence")]
    assert foreign
    for path in foreign:
        assert path.name not in used
        flip(path)
    layout.list_more([{"mediaType": "a", "digest": "sha512:00", "size": 1, "artifactType": BUNDLE_TYPE}])
    assert len(ours(layout, digest, tmp_path / "ours").listed()) == 4


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], (*path, key))
    else:
        yield path


def set_at(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


@pytest.mark.parametrize("new", [None, 1, "x", "sha256:" + "0" * 64, [], {}, 1 << 70, True])
def test_a_list_that_is_altered_in_any_place_is_refused_or_lists_the_same_or_less(
    whole: tuple[Layout, Digest], tmp_path: Path, new: Any
) -> None:
    layout, digest = whole
    text = (layout.path / "index.json").read_text()
    same = {path.name for path in places(layout, digest)}
    for number, path in enumerate(leaves(json.loads(text))):
        document = json.loads(text)
        set_at(document, path, new)
        (layout.path / "index.json").write_text(json.dumps(document))
        try:
            found = ours(layout, digest, tmp_path / f"ours{number}")
        except VerificationFailed:
            continue
        assert {file.name for file in found.path.glob("blobs/sha256/*")} <= same


@pytest.mark.parametrize(
    "text", ['{"imageLayoutVersion":"9.9.9"}', "{}", "[]", "", "[" * 100_000, '{"imageLayoutVersion":null}', None]
)
def test_a_layout_of_a_version_that_is_not_known_is_refused(
    whole: tuple[Layout, Digest], tmp_path: Path, text: str | None
) -> None:
    layout, digest = whole
    (layout.path / "oci-layout").unlink()
    if text is not None:
        (layout.path / "oci-layout").write_text(text)
    with pytest.raises(VerificationFailed, match=r"oci-layout cannot be read|is a layout of an unknown version"):
        ours(layout, digest, tmp_path / "ours")


def test_a_list_or_a_document_larger_than_any_is_refused_and_not_read(
    whole: tuple[Layout, Digest], tmp_path: Path
) -> None:
    layout, digest = whole
    with layout.blob(digest).open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(VerificationFailed, match="cannot be read"):
        ours(layout, digest, tmp_path / "ours")
    with (layout.path / "index.json").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(VerificationFailed, match="is not an OCI layout"):
        layout.listed()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([INDEX_TYPE, BUNDLE_TYPE]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["mediaType", "digest", "size", "manifests", "layers", "config", "platform", "os", "subject"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=10_000, suppress_health_check=[HealthCheck.too_slow])
@given(JSON, JSON, JSON, st.binary(max_size=40) | st.none())
def test_documents_of_any_shape_are_an_image_or_are_refused(index: Any, manifest: Any, more: Any, raw: Any) -> None:
    """Write any document as the configuration, the manifest, the index and the list, each naming the one before."""
    with TemporaryDirectory() as scratch:
        layout = Layout.create(Path(scratch) / "layout")
        other = ComparedImage(
            "other", Layout(Path(scratch) / "other"), write_layout(Path(scratch) / "other", evidence=0)[0]
        )
        config = described(layout, "a", more)
        inner = {"config": config, "layers": [config], **(manifest if isinstance(manifest, dict) else {})}
        listed = described(layout, "b", inner)
        outer = {"mediaType": INDEX_TYPE, "manifests": [listed], **(index if isinstance(index, dict) else {})}
        top = described(layout, INDEX_TYPE, outer)
        (layout.path / "index.json").write_bytes(raw or json.dumps({"manifests": [top, more]}).encode())
        for read in (
            layout.listed,
            lambda: layout.check_image(Digest.parse(top["digest"])),
            lambda: Built.read(layout, Digest.parse(listed["digest"])),
            lambda: ours(layout, Digest.parse(top["digest"]), Path(scratch) / "ours"),
            lambda: first_difference(ComparedImage("one", layout, Digest.parse(top["digest"])), other),
        ):
            refused = 6
            try:
                read()
            except ShipsealError as error:
                refused = error.exit_code
            assert refused == 6
        assert {"layout", "other", "ours"} >= {path.name for path in Path(scratch).iterdir()}


def described(layout: Layout, kind: str, document: Any) -> dict[str, Any]:
    data = json.dumps(document).encode()
    return {"mediaType": kind, "digest": str(layout.put(data)), "size": len(data)}
