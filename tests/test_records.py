"""The image's record of a wheel is the wheel's own, true, and CSV whatever its files are called."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import pytest

from shipseal.image import rootfs
from shipseal.image.rootfs import LayerSource
from shipseal.image.tree import Component, Tree
from shipseal.image.wheel import add_wheel
from shipseal.runtime import BOOKWORM
from tests import archives

SITE = BOOKWORM.site

SAMPLE = Component("pypi", "sample-thing", "1.0")


def written(tmp_path: Path, files: Iterable[str], *, name: str = "sample_thing") -> dict[str, list[list[str]]]:
    """Return every RECORD that is written for a wheel with these files, as rows, by its path in the image."""
    tree = Tree(tmp_path / "root")
    add_wheel(tree, archives.wheel(tmp_path, name, dict.fromkeys(files, "x")), SAMPLE)
    owned = rootfs.entries(LayerSource("wheels", tree, {SAMPLE: sorted(tree.files)}), {}, sources=True)
    return {
        each.path.removeprefix(f"{SITE}/"): list(csv.reader(io.StringIO(each.content.decode()), strict=True))
        for each in owned[SAMPLE]
        if isinstance(each.content, bytes)  # written here, and not of the wheel
    }


@pytest.mark.parametrize("name", ['say "hi", x.json', '"', ",", "a,b", "it's.json", " x ", "é.json"])
def test_a_file_may_be_called_anything(tmp_path: Path, name: str) -> None:
    (rows,) = written(tmp_path, [f"sample/{name}"]).values()
    assert {3} == {len(row) for row in rows}
    assert f"sample/{name}" in {row[0] for row in rows}


@pytest.mark.parametrize("vendored", ["acme/_vendor/tiny-1.0.dist-info", "a/sample_thing-1.0.dist-info"])
@pytest.mark.parametrize("names", [("METADATA",), ("METADATA", "RECORD")])
def test_what_a_wheel_has_vendored_gets_no_record_and_keeps_its_own(
    tmp_path: Path, vendored: str, names: tuple[str, ...]
) -> None:
    records = written(tmp_path, [f"{vendored}/{name}" for name in names])
    (rows,) = records.values()
    assert list(records) == ["sample_thing-1.0.dist-info/RECORD"]
    assert {f"{vendored}/{name}" for name in names} < {row[0] for row in rows}


def test_the_record_is_found_however_the_wheel_spells_its_name(tmp_path: Path) -> None:
    assert list(written(tmp_path, ["a.py"], name="Sample.Thing")) == ["Sample.Thing-1.0.dist-info/RECORD"]
