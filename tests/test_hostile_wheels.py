"""Whatever the bytes of a wheel are, its files are read in place as recorded, or it is refused, within bounds."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipseal.digest import Digest
from shipseal.errors import ConfigError, ShipsealError, SubjectFailed
from shipseal.image.tree import Component, Tree
from shipseal.image.wheel import add_wheel
from shipseal.locked import wheels
from shipseal.locked.locks import Requirement
from shipseal.runtime import BOOKWORM
from tests import archives

SITE = BOOKWORM.site

NAME = "sample-1.0-py3-none-any.whl"
WHEEL = Component("pypi", "sample", "1.0")
INFO = "sample-1.0.dist-info"
WORDS = ("sample", "a.py", "..", ".", "", "é", "x" * 256, "a\n", "a,b", "__pycache__", INFO, "RECORD", "RECORD.jws")
FIRST = ("data/data", "data/purelib", "data/scripts", "data/x", "data", "dist-info")
CONTENTS = (b"", b"\xff", b"\0", b'"', b"[x", b"[console_scripts]\na = b:c\n", b"Wheel-Version: 9.0\n", b"a,b,c,d\n")
NAMES = st.builds("/".join, st.lists(st.sampled_from(WORDS), min_size=1, max_size=3))
SCHEMES = st.builds("sample-1.0.{}/{}".format, st.sampled_from(FIRST), NAMES)
INSIDE = st.builds(
    "{}/{}".format, st.just(INFO), st.sampled_from(["entry_points.txt", "RECORD.p7s", "x", "a/METADATA"])
)
TEXTS = st.one_of(st.binary(max_size=80), st.sampled_from(CONTENTS))
quick = settings(max_examples=150, deadline=10_000, suppress_health_check=[HealthCheck.too_slow])


def check(data: bytes) -> None:
    """Take a wheel in and read everything; refuse in words, and touch nothing but the root."""
    with TemporaryDirectory() as scratch:
        here = Path(scratch)
        (here / NAME).write_bytes(data)
        tree, refused = Tree(here / "root"), None
        try:
            add_wheel(tree, here / NAME, WHEEL)
            tree.unpack()
            assert {tree.read(path) == (tree.root / path).read_bytes() for path in tree.files} <= {True}
        except ShipsealError as error:
            refused = error.exit_code
        assert refused in {None, 7}
        assert {"root", NAME} >= {path.name for path in here.iterdir()}


@quick
@given(
    st.lists(st.tuples(SCHEMES | NAMES | INSIDE, TEXTS), max_size=4),
    st.dictionaries(st.sampled_from(["WHEEL", "METADATA", "RECORD", "entry_points.txt"]), TEXTS, max_size=2),
)
def test_any_files_are_taken_or_refused(files: Sequence[tuple[str, bytes]], information: dict[str, bytes]) -> None:
    with TemporaryDirectory() as scratch:
        path = archives.wheel(Path(scratch), "sample", dict(files))
        with zipfile.ZipFile(path) as archive:
            every = {item.filename: archive.read(item) for item in archive.infolist()}
    every |= {f"{INFO}/{name}": content for name, content in information.items()}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in every.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    check(data.getvalue())


def _sound(compression: int) -> bytes:
    with TemporaryDirectory() as scratch:
        path = archives.wheel(Path(scratch), "sample", {"sample/__init__.py": "x" * 300, "sample/b.py": "import os\n"})
        data = io.BytesIO()
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(data, "w", compression) as target:
            for item in source.infolist():
                target.writestr(item.filename, source.read(item))
    return data.getvalue()


SOUND = [_sound(zipfile.ZIP_STORED), _sound(zipfile.ZIP_DEFLATED), _sound(zipfile.ZIP_LZMA), _sound(zipfile.ZIP_BZIP2)]


@quick
@given(
    st.sampled_from(SOUND),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=5),
    st.integers(0, 9000),
)
def test_a_wheel_with_any_bytes_altered_or_cut_off_is_read_or_refused(
    sound: bytes, altered: Sequence[tuple[int, int]], length: int
) -> None:
    data = bytearray(sound)
    for at, value in altered:
        data[-at % len(data)] = value
    check(bytes(data[:length]))


def test_what_start_scripts_are_made_from_may_be_anything_for_none_is_made(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "root")
    add_wheel(tree, archives.wheel(tmp_path, "sample", {f"{INFO}/entry_points.txt": "[x"}), WHEEL)
    assert tree.read(f"{SITE}/{INFO}/entry_points.txt") == b"[x"


def test_byte_code_that_a_wheel_brings_is_left_out_without_a_word(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "root")
    add_wheel(tree, archives.wheel(tmp_path, "sample", {"a.py": "", "__pycache__/a.cpython-311.pyc": "x"}), WHEEL)
    assert {f"{SITE}/a.py"} == {path for path in tree.files if ".dist-info" not in path}


def test_a_wheel_compressed_in_a_way_that_may_take_any_memory_is_refused_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(SOUND[2])
    with pytest.raises(SubjectFailed, match="is not a valid wheel") as caught:
        add_wheel(Tree(tmp_path / "root"), tmp_path / NAME, WHEEL)
    assert caught.value.why == (f"{INFO}/RECORD has a compression method that no wheel needs",)


def lying(path: Path, name: str, size: int) -> None:
    """Let the directory of an archive say that one of its files has another size."""
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    while data[at + 46 :][: len(name)] != name.encode():
        at = data.index(b"PK\x01\x02", at + 1)
    data[at + 24 : at + 28] = size.to_bytes(4, "little")
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("name", ["RECORD", "WHEEL"])
def test_what_is_read_as_a_whole_is_refused_by_what_it_says_of_its_size(tmp_path: Path, name: str) -> None:
    lying(path := archives.wheel(tmp_path, "sample", {"a.py": ""}), f"{INFO}/{name}", 100_000_000)
    with pytest.raises(SubjectFailed, match="is not a valid wheel") as caught:
        add_wheel(Tree(tmp_path / "root"), path, WHEEL)
    assert caught.value.why == (f"{INFO}/{name} has 100000000 bytes",)


def test_a_wheel_that_says_it_brings_more_than_any_is_refused(tmp_path: Path) -> None:
    path = archives.wheel(tmp_path, "sample", {"a": "", "b": ""})
    lying(path, "a", (1 << 32) - 2)
    lying(path, "b", (1 << 32) - 2)
    with pytest.raises(SubjectFailed, match=r"sample-1\.0-py3-none-any\.whl brings more than"):
        add_wheel(Tree(tmp_path / "root"), path, WHEEL)


FILENAMES = st.builds(
    "-".join, st.lists(st.sampled_from(["sample", "1.0", "1.0.0", "py3", "none", "any", "cp311", "", "x!", "1", "é"]))
)


@quick
@given(st.lists(FILENAMES.map("{}.whl".format) | st.text(max_size=30), max_size=4), st.sampled_from(["1.0", "1.0.0"]))
def test_of_files_with_any_names_one_is_chosen_that_is_the_requirement_or_the_lock_is_refused(
    names: Sequence[str], version: str
) -> None:
    at_hand = {Digest.of(name.encode()): name for name in names}
    requirement = Requirement("sample", version, None, frozenset(at_hand), "lock:1")
    refused = False
    try:
        chosen = wheels.choose(requirement, at_hand, wheels.image("linux/amd64"))
    except ConfigError:
        refused, chosen = True, None
    assert refused or chosen is None or chosen.filename.startswith(("sample-1.0-", "sample-1.0.0-"))
    assert chosen is None or (chosen.version, at_hand[chosen.digest]) == (version, chosen.filename)
