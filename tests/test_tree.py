"""Packages and wheels are unpacked below one root, or refused by name; libraries are found where the loader looks."""

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from shipseal.errors import SubjectFailed
from shipseal.formats import elf
from shipseal.image import wheel
from shipseal.image.libraries import needed
from shipseal.image.tree import Component, File, Tree, unpack_deb
from shipseal.runtime import BOOKWORM
from tests import archives
from tests.archives import file, special
from tests.elfs import library

SITE = BOOKWORM.site

DEB = Component("deb", "sample", "1:2-3", "amd64")
WHEEL = Component("pypi", "sample", "1.0")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Give an empty tree."""
    return Tree(tmp_path / "root")


def add_wheel(tree: Tree, path: Path) -> None:
    wheel.add_wheel(tree, path, WHEEL)


def add_deb(tree: Tree, tmp_path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    path = tmp_path / "sample.deb"
    path.write_bytes(archives.deb(members))
    unpack_deb(tree, path, DEB)


def test_a_purl_says_where_a_package_is_from() -> None:
    assert DEB.purl == "pkg:deb/debian/sample@1:2-3?arch=amd64&distro=debian-12"
    assert WHEEL.purl == "pkg:pypi/sample@1.0"


def test_a_wheel_goes_where_the_interpreter_looks_and_its_data_beside(tree: Tree, tmp_path: Path) -> None:
    files = {"sample/__init__.py": "x = 1", "sample-1.0.data/data/share/sample/a": "data"}
    add_wheel(tree, archives.wheel(tmp_path, "sample", files))
    assert {f"{SITE}/sample/__init__.py", "usr/local/share/sample/a", f"{SITE}/sample-1.0.dist-info/METADATA"} <= set(
        tree.files
    )
    assert tree.content("usr/local/share/sample/a").read_text() == "data"


def test_start_scripts_of_a_wheel_are_left_out(tree: Tree, tmp_path: Path) -> None:
    files = {
        "sample.py": "",
        "sample-1.0.data/scripts/run": "#!python",
        "sample-1.0.dist-info/entry_points.txt": "[console_scripts]\nrun = sample:run\n",
    }
    add_wheel(tree, archives.wheel(tmp_path, "sample", files))
    assert not [path for path in tree.files if path.endswith("/run")]


@pytest.mark.parametrize("name", ["../outside.py", "/outside.py", "a/../../outside.py", "a\\b.py"])
def test_a_wheel_with_a_path_that_leaves_its_place_is_refused(tree: Tree, tmp_path: Path, name: str) -> None:
    with pytest.raises(SubjectFailed, match=r"sample-1.0-py3-none-any.whl holds a file that leaves its place"):
        add_wheel(tree, archives.wheel(tmp_path, "sample", {name: ""}))
    assert not (tmp_path / "outside.py").exists()


def test_a_wheel_with_a_link_is_refused(tree: Tree, tmp_path: Path) -> None:
    path = archives.wheel(tmp_path, "sample", {}, links={"sample/link": "/etc/passwd"})
    with pytest.raises(SubjectFailed, match="holds a symbolic link, sample/link"):
        add_wheel(tree, path)


def test_a_wheel_that_does_not_match_its_own_record_is_refused(tree: Tree, tmp_path: Path) -> None:
    path = archives.wheel(tmp_path, "sample", {"sample.py": "aaaaaaaaaa"})
    path.write_bytes(path.read_bytes().replace(b"aaaaaaaaaa", b"bbbbbbbbbb"))
    add_wheel(tree, path)
    with pytest.raises(SubjectFailed, match="is not a valid wheel"):
        tree.content(f"{SITE}/sample.py")
    with tree.open(f"{SITE}/sample.py") as stream, pytest.raises(SubjectFailed) as caught:
        stream.read()
    assert caught.value.why == ("Bad CRC-32 for file 'sample.py'",)


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [(0, 0x51, "Bad magic number"), (30, 0x7A, "differ"), (6, 1, "is encrypted"), (8, 99, "compression method")],
)
def test_a_wheel_with_a_file_that_cannot_be_opened_is_refused_when_it_is_wanted(
    tree: Tree, tmp_path: Path, at: int, value: int, reason: str
) -> None:
    path = archives.wheel(tmp_path, "sample", {"sample.py": "x"})
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[at] = value
    if at in {6, 8}:  # the central directory says it too
        data[central + at + 2] = value
    path.write_bytes(data)
    add_wheel(tree, path)
    with pytest.raises(SubjectFailed, match="is not a valid wheel") as caught:
        tree.read(f"{SITE}/sample.py")
    assert reason in str(caught.value.why)


def test_a_wheel_that_records_other_bytes_than_it_has_is_refused_when_they_are_read(tree: Tree, tmp_path: Path) -> None:
    path = archives.wheel(tmp_path, "sample", {"sample.py": "aaaaaaaaaa"}, recorded={"sample.py": b"bbbbbbbbbb"})
    add_wheel(tree, path)
    with pytest.raises(SubjectFailed, match="is not a valid wheel") as caught:
        tree.read(f"{SITE}/sample.py")
    assert caught.value.why == ("hash of sample.py didn't match RECORD",)


def test_a_wheel_with_a_file_that_its_record_does_not_name_is_refused(tree: Tree, tmp_path: Path) -> None:
    path = archives.wheel(tmp_path, "sample", {"sample.py": "", "more.py": ""}, recorded={"more.py": None})
    with pytest.raises(SubjectFailed, match="is not a valid wheel") as caught:
        add_wheel(tree, path)
    assert "more.py is not mentioned in RECORD" in str(caught.value.why)


def test_a_wheel_whose_record_has_weak_hashes_is_refused(tree: Tree, tmp_path: Path) -> None:
    path = archives.wheel(tmp_path, "sample", {"sample.py": ""})
    with zipfile.ZipFile(path) as archive:
        files = {item.filename: archive.read(item) for item in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content.replace(b"sha256=", b"md5="))
    with pytest.raises(SubjectFailed, match="is not a valid wheel") as caught:
        add_wheel(tree, path)
    assert "one by md5" in str(caught.value.why)


def test_a_file_of_a_wheel_is_unpacked_when_it_is_wanted_as_one(tree: Tree, tmp_path: Path) -> None:
    add_wheel(tree, archives.wheel(tmp_path, "sample", {"sample/one.py": "1", "sample/two.py": "2"}))
    assert tree.content(f"{SITE}/sample/one.py").read_text() == "1"
    assert tree.read(f"{SITE}/sample/two.py") == b"2"
    assert [path.name for path in tree.root.rglob("*.py")] == ["one.py"]


def test_a_file_where_another_package_has_a_directory_is_refused(tree: Tree, tmp_path: Path) -> None:
    add_wheel(tree, archives.wheel(tmp_path, "sample", {"shared/a.py": ""}))
    other = archives.wheel(tmp_path, "other", {"shared": ""})
    with pytest.raises(SubjectFailed, match=r"other brings .*/shared") as caught:
        wheel.add_wheel(tree, other, Component("pypi", "other", "1.0"))
    assert caught.value.why == (f"sample brings {SITE}/shared/a.py too",)


def test_a_hard_link_to_nothing_is_refused(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(SubjectFailed, match="sample brings b"):
        add_deb(tree, tmp_path, special("./b", tarfile.LNKTYPE, "./a"))


def test_a_file_that_is_no_wheel_is_refused(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "sample-1.0-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(SubjectFailed, match="is not a valid wheel"):
        add_wheel(tree, tmp_path / "sample-1.0-py3-none-any.whl")


def test_two_packages_that_bring_one_path_are_both_named(tree: Tree, tmp_path: Path) -> None:
    add_wheel(tree, archives.wheel(tmp_path, "sample", {"shared.py": ""}))
    with pytest.raises(SubjectFailed, match=r"other brings .*/shared.py") as caught:
        wheel.add_wheel(tree, archives.wheel(tmp_path, "other", {"shared.py": ""}), Component("pypi", "other", "1.0"))
    assert "sample brings it too" in caught.value.why


def test_a_file_is_never_written_through_a_link(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    with pytest.raises(SubjectFailed, match="sample brings a/file"):
        add_deb(tree, tmp_path, special("./a", tarfile.SYMTYPE, "../outside"), file("./a/file", b"x"))
    assert not list((tmp_path / "outside").iterdir())


def test_manuals_are_counted_and_left_out_and_copyright_is_kept(tree: Tree, tmp_path: Path) -> None:
    names = ("usr/share/man/man1/a.1", "usr/share/doc/sample/README", "usr/share/doc/sample/copyright", "usr/bin/a")
    add_deb(tree, tmp_path, *(file(f"./{name}", b"text") for name in names))
    assert set(tree.files) == {"usr/share/doc/sample/copyright", "usr/bin/a"}
    assert tree.shipped == {DEB: 4}


def test_a_hard_link_has_the_content_of_the_file_that_it_is(tree: Tree, tmp_path: Path) -> None:
    add_deb(tree, tmp_path, file("./a", b"content"), special("./b", tarfile.LNKTYPE, "./a"))
    assert tree.content("b").read_bytes() == b"content"


def put(tree: Tree, path: str, content: bytes = b"", link: str = "") -> None:
    target = tree.add(File(path, WHEEL, link=link))
    if not link:
        target.write_bytes(content)


def no_provider(_: str) -> str:
    return ""


def test_a_chain_of_links_is_followed_to_its_end_and_a_broken_or_circular_one_gives_nothing(tree: Tree) -> None:
    put(tree, "lib/a.so.1.2")
    put(tree, "lib/a.so.1", link="a.so.1.2")
    put(tree, "usr/lib/a.so", link="../../lib/a.so.1")
    put(tree, "lib/broken", link="nothing")
    put(tree, "lib/round", link="round")
    assert tree.follow("usr/lib/a.so") == ["usr/lib/a.so", "lib/a.so.1", "lib/a.so.1.2"]
    assert tree.follow("lib/broken") == tree.follow("lib/round") == tree.follow("lib/none") == []


def test_libraries_are_found_in_the_systems_directories_with_the_links_to_them(tree: Tree) -> None:
    put(tree, "usr/bin/app", library(needed=("liba.so.1",), interpreter="/lib64/ld.so"))
    put(tree, "lib64/ld.so", link="../lib/x86_64-linux-gnu/ld.so")
    put(tree, "lib/x86_64-linux-gnu/ld.so", library())
    put(tree, "usr/lib/x86_64-linux-gnu/liba.so.1", link="liba.so.1.0")
    put(tree, "usr/lib/x86_64-linux-gnu/liba.so.1.0", library(needed=("libb.so",)))
    put(tree, "lib/x86_64-linux-gnu/libb.so", library())
    put(tree, "lib/x86_64-linux-gnu/libc.so", library())
    assert needed(tree, ["usr/bin/app"], "amd64", no_provider) == set(tree.files) - {"lib/x86_64-linux-gnu/libc.so"}


def test_a_library_that_a_wheel_brings_is_found_by_its_run_path_first(tree: Tree) -> None:
    put(tree, f"{SITE}/pkg/_ext.so", library(needed=("liba.so",), runpath="/nowhere:$ORIGIN/../pkg.libs"))
    put(tree, f"{SITE}/pkg.libs/liba.so", library())
    put(tree, "lib/x86_64-linux-gnu/liba.so", library())
    found = needed(tree, [f"{SITE}/pkg/_ext.so"], "amd64", no_provider)
    assert found == {f"{SITE}/pkg/_ext.so", f"{SITE}/pkg.libs/liba.so"}


def test_a_missing_library_is_named_with_who_needs_it_and_the_package_that_has_it(tree: Tree) -> None:
    put(tree, "a.so", library(needed=("libx.so.3",)))
    with pytest.raises(SubjectFailed, match=r"libx.so.3 is missing from the image") as caught:
        needed(tree, ["a.so"], "amd64", lambda name: "libx3" if name == "libx.so.3" else "")
    assert caught.value.why == ("a.so needs it", "the Debian package libx3 has it")
    assert '"libx3"' in caught.value.remedy


def test_a_missing_library_that_no_package_has_is_named_too(tree: Tree) -> None:
    put(tree, "a.so", library(needed=("libx.so.3",)))
    with pytest.raises(SubjectFailed) as caught:
        needed(tree, ["a.so"], "amd64", no_provider)
    assert caught.value.why == ("a.so needs it", "no package of the package lock has it")


def test_all_libraries_that_are_missing_are_named_at_once(tree: Tree) -> None:
    put(tree, "a.so", library(needed=("libx.so.3", "liby.so.1", "libz.so.1")))
    put(tree, "b.so", library(needed=("libx.so.3",)))
    packages = {"libx.so.3": "libx3", "liby.so.1": "liby1"}
    with pytest.raises(SubjectFailed, match="3 shared libraries are missing") as caught:
        needed(tree, ["a.so", "b.so"], "amd64", lambda name: packages.get(name, ""))
    assert caught.value.why == (
        "b.so needs libx.so.3",
        "the Debian package libx3 has libx.so.3",
        "a.so needs liby.so.1",
        "the Debian package liby1 has liby.so.1",
        "a.so needs libz.so.1",
        "no package of the package lock has libz.so.1",
    )
    assert 'add "libx3", "liby1" to image.extra-packages' in caught.value.remedy
    assert "lock the Debian package" in caught.value.remedy


def test_a_library_for_another_platform_is_refused(tree: Tree) -> None:
    put(tree, "a.so", library(machine=183))
    with pytest.raises(SubjectFailed, match=r"a.so is for arm64 and the image is for amd64"):
        needed(tree, ["a.so"], "amd64", no_provider)


def test_what_a_file_of_this_machine_needs_is_what_ldd_says() -> None:
    program = Path(sys.executable).resolve()
    with program.open("rb") as stream:
        found = elf.read(stream, program.name)
    said = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    assert found.needed
    assert all(name in said for name in found.needed)
    assert Path(found.interpreter).exists()


@pytest.mark.parametrize(
    "data", [b"", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(100), library(needed=("a",))[:-30], b"#!/bin/sh\n" * 20]
)
def test_what_is_no_elf_file_for_these_platforms_is_refused(data: bytes) -> None:
    with pytest.raises(SubjectFailed, match="broken is"):
        elf.read(io.BytesIO(data), "broken")
