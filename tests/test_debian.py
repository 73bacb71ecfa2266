"""The package lock says what an image may hold; packages are read as dpkg reads them; records are true."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.errors import ConfigError, SubjectFailed
from shipseal.formats import deb
from shipseal.locked import debian
from shipseal.locked.debian import Lock
from shipseal.project.config import HOME
from tests import archives
from tests.archives import file, special

LOCK = Lock.parse((HOME / "image" / "debian.lock.toml").read_text())


def test_every_platform_gets_the_same_base_packages_in_the_same_version() -> None:
    amd64, arm64 = ([(p.name, p.version) for p in LOCK.select(f"linux/{a}")] for a in ("amd64", "arm64"))
    assert amd64 == arm64
    assert [name for name, _ in amd64] == sorted(LOCK.base)


def test_an_extra_package_is_one_more() -> None:
    more = {p.name for p in LOCK.select("linux/arm64", ["libssl3"])} - {p.name for p in LOCK.select("linux/arm64")}
    assert more == {"libssl3"}


def test_a_package_for_all_architectures_fits_each() -> None:
    assert {"all"} == {
        p.architecture for a in ("amd64", "arm64") for p in LOCK.select(f"linux/{a}", ["tzdata"]) if p.name == "tzdata"
    }


def test_a_name_that_is_not_locked_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="no libssl4 for linux/amd64") as caught:
        LOCK.select("linux/amd64", ["libssl4"])
    assert "libssl3" in caught.value.why[0]


@pytest.mark.parametrize(
    ("library", "package"), [("libssl.so.3", "libssl3"), ("libc.so.6", "libc6"), ("libnothing.so.1", "")]
)
def test_the_lock_knows_which_package_has_a_library(library: str, package: str) -> None:
    assert LOCK.provider(library, "linux/amd64") == package


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks 'package'"),
        ("suite = ", "cannot be read"),
        ('suite="s"\npython="3"\nbase=[]\n[[package]]\nname="aa"\narchitecture="all"', "lacks 'version'"),
        ('suite="s"\npython="3"\nbase=[]\npackage=3', "cannot be read"),
    ],
)
def test_a_lock_that_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Lock.parse(text)


def test_what_an_image_takes_from_the_lock_has_one_digest_in_any_order() -> None:
    chosen = LOCK.select("linux/amd64")
    assert debian.digest(chosen) == debian.digest(chosen[::-1])
    assert debian.digest(chosen) != debian.digest(chosen[1:])


def read(data: bytes) -> dict[str, tuple[bytes, bool, str, str]]:
    return {
        member.path: (member.stream.read() if member.stream else b"", member.executable, member.link, member.same_as)
        for member in deb.members(io.BytesIO(data), "sample.deb")
    }


@pytest.mark.parametrize("compression", ["xz", "gz"])
def test_files_come_with_their_content_and_whether_they_can_be_run(compression: str) -> None:
    package = archives.deb(
        [special("./usr", tarfile.DIRTYPE), file("./usr/bin/a", b"#!", 0o4755), file("./b", b"text")], compression
    )
    assert read(package) == {"usr/bin/a": (b"#!", True, "", ""), "b": (b"text", False, "", "")}


def test_an_absolute_link_becomes_the_same_one_relative() -> None:
    package = archives.deb([special("./lib64/ld.so", tarfile.SYMTYPE, "/lib/x/ld.so")])
    assert read(package)["lib64/ld.so"][2] == "../lib/x/ld.so"


def test_a_hard_link_names_the_file_that_it_is() -> None:
    package = archives.deb([file("./a", b"1"), special("./b", tarfile.LNKTYPE, "./a")])
    assert read(package)["b"] == (b"", False, "", "a")


@pytest.mark.parametrize(
    ("kind", "word"), [(tarfile.CHRTYPE, "a device"), (tarfile.BLKTYPE, "a device"), (tarfile.FIFOTYPE, "a pipe")]
)
def test_what_is_neither_file_nor_link_is_refused_by_name(kind: bytes, word: str) -> None:
    with pytest.raises(SubjectFailed, match=rf"sample.deb brings {word}, ./dev/x"):
        read(archives.deb([special("./dev/x", kind)]))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"PK" + data, "is not a Debian package"),
        (lambda data: data[:200], "is damaged"),
        (lambda data: data.replace(b"data.tar.xz", b"data.tar.lz"), "compressed in a way that is not known"),
        (lambda data: data[:-40], "is damaged"),
        (lambda data: data[:400] + bytes(40) + data[440:], "is damaged"),
    ],
)
def test_a_damaged_package_is_refused(damage: object, message: str) -> None:
    good = archives.deb([file(f"./{number}", bytes([number]) * 1000) for number in range(20)])
    with pytest.raises(SubjectFailed, match=message):
        read(damage(good))  # type: ignore[operator]


def test_a_package_is_read_as_dpkg_reads_it(tmp_path: Path) -> None:
    package = tmp_path / "sample.deb"
    package.write_bytes(archives.deb([file("./usr/bin/a", b"#!", 0o755), file("./etc/b", b"text")]))
    subprocess.run(["dpkg-deb", "-x", package, tmp_path / "by-dpkg"], check=True)
    by_dpkg = {
        path.relative_to(tmp_path / "by-dpkg").as_posix(): path.read_bytes()
        for path in (tmp_path / "by-dpkg").rglob("*")
        if path.is_file()
    }
    assert {path: content for path, (content, *_) in read(package.read_bytes()).items()} == by_dpkg


def test_the_control_paragraph_is_found() -> None:
    assert deb.control(io.BytesIO(archives.deb([])), "sample.deb") == {"control": archives.CONTROL}


def test_a_package_of_which_files_were_left_out_says_so() -> None:
    assert debian.status(archives.CONTROL, 3, 3) == archives.CONTROL
    assert debian.status(archives.CONTROL, 2, 3).endswith(b"Trimmed: 2 of 3 files are in this image\n")


def test_sums_are_written_as_md5sum_writes_them(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    by_tool = subprocess.run(["md5sum", "a"], cwd=tmp_path, check=True, capture_output=True).stdout
    assert debian.md5sums({"a": "c4ca4238a0b923820dcc509a6f75849b"}) == by_tool


def test_the_lock_names_no_host() -> None:
    assert not [package for package in LOCK.packages if "://" in package.path or not package.path.startswith("debian")]
    assert all(isinstance(package.digest, Digest) for package in LOCK.packages)
