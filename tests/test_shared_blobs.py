"""What stages hand on is there once: a copy of a layout shares its blobs, and nothing else."""

import os
from pathlib import Path

import pytest

from shipseal.oci.layout import Layout
from shipseal.oci.layout_copy import copy_layouts
from tests.commands import Ended, read


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout.create(tmp_path / "layout")
    made.put(b"a blob")
    return made


def test_a_copy_shares_the_blobs_and_has_lists_of_its_own(layout: Layout, tmp_path: Path) -> None:
    before = (layout.path / "index.json").read_bytes()
    copy = layout.copy_to(tmp_path / "copy")
    [blob] = (layout.path / "blobs" / "sha256").iterdir()
    assert blob.samefile(copy.path / "blobs" / "sha256" / blob.name)
    copy.list_more([{"mediaType": "application/json", "digest": "sha256:" + "0" * 64, "size": 1}])
    copy.put(b"another")
    assert (layout.path / "index.json").read_bytes() == before
    assert [blob] == list((layout.path / "blobs" / "sha256").iterdir())


def test_where_files_cannot_share_the_copy_has_its_own(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    copy_layouts(layout.path, tmp_path / "copy")
    [blob] = (layout.path / "blobs" / "sha256").iterdir()
    there = tmp_path / "copy" / "blobs" / "sha256" / blob.name
    assert there.read_bytes() == b"a blob"
    assert not blob.samefile(there)


def test_a_run_keeps_an_image_once_to_publish_and_once_as_published(finished: tuple[Path, Ended]) -> None:
    run = finished[0] / ".run"
    digests = [layer["digest"] for layer in read(run, "image/image.json")["platforms"]["linux/amd64"]["layers"]]
    for digest in digests:
        there = [path.stat() for path in run.rglob(digest.removeprefix("sha256:"))]
        assert len(there) == 4, "image, attest, publish and promote have it"
        assert len({status.st_ino for status in there}) == 2
