"""Two package URLs name the same package by their parts, however they are spelt."""

import itertools
import shutil
import subprocess

import pytest

from shipseal import versions
from shipseal.errors import VerificationFailed
from shipseal.purl import Purl

ZLIB = "pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1?arch=amd64&distro=debian-12"


def test_an_escaped_version_is_the_same_version() -> None:
    assert Purl.parse(ZLIB).same_package(Purl.parse("pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1"))


def test_python_names_have_one_spelling() -> None:
    assert Purl.parse("pkg:pypi/Foo_Bar@1").name == "foo-bar"


@pytest.mark.parametrize("wider", ["pkg:deb/debian/zlib1g", "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1", ZLIB])
def test_what_is_not_given_covers_everything(wider: str) -> None:
    assert Purl.parse(wider).covers(Purl.parse(ZLIB))


@pytest.mark.parametrize(
    "other",
    ["pkg:deb/debian/zlib1g@2", "pkg:deb/ubuntu/zlib1g", "pkg:deb/debian/zlib", "pkg:deb/debian/zlib1g?arch=arm64"],
)
def test_another_package_is_not_covered(other: str) -> None:
    assert not Purl.parse(other).covers(Purl.parse(ZLIB))


def test_the_text_form_can_be_read_back_and_has_no_qualifiers() -> None:
    purl = Purl.parse(ZLIB)
    assert str(purl) == "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1"
    assert Purl.parse(str(purl)).same_package(purl)


SAME = {
    "pypi": [("1.0.0-beta.1", "1.0.0b1"), ("1.0", "1.0.0"), ("v1.0", "1"), ("1!2.0", "1!2"), ("1.0+a.B", "1.0+A-b")],
    "deb": [("0:1.2-3", "1.2-3"), ("1.02-3", "1.2-3"), ("1.2", "1.2-0"), ("1.2-3a", "1.2-3a0"), ("1.", "1.0")],
    "generic": [("1.0", "1.0")],
}
OTHER = {
    "pypi": [("1.0", "1.0.1"), ("1.0", "1!1.0"), ("1.0", "1.0+a"), ("1.0b1", "1.0"), ("1", "no version"), ("1.0", "")],
    "deb": [
        ("1:1.2", "1.2"),
        ("1.2~rc1", "1.2"),
        ("1.2-3", "1.2"),
        ("1.10", "1.1"),
        ("1.2+a", "1.2"),
        ("1.2a", "1.2A"),
    ],
    "generic": [("1.0", "1.0.0"), ("1", "01")],
}


def pairs(table: dict[str, list[tuple[str, str]]]) -> list[tuple[str, str, str]]:
    return [(kind, *pair) for kind, every in table.items() for pair in every]


@pytest.mark.parametrize(("kind", "one", "other"), pairs(SAME))
def test_a_version_is_the_same_however_its_makers_may_spell_it(kind: str, one: str, other: str) -> None:
    ours, theirs = (Purl(kind, "", "sample", version) for version in (one, other))
    assert ours.same_package(theirs)
    assert theirs.same_package(ours)
    assert ours.covers(theirs)


@pytest.mark.parametrize(("kind", "one", "other"), pairs(OTHER))
def test_another_version_is_another_however_alike(kind: str, one: str, other: str) -> None:
    ours, theirs = (Purl(kind, "", "sample", version) for version in (one, other))
    assert not ours.same_package(theirs)
    assert not theirs.same_package(ours)
    assert not ours.covers(theirs)


@pytest.mark.skipif(not shutil.which("dpkg"), reason="dpkg is the judge, and Debian has it")
def test_debian_versions_are_the_same_where_dpkg_says_so() -> None:
    every = [version for pair in (*SAME["deb"], *OTHER["deb"]) for version in pair]
    for one, other in itertools.product(every, every):
        judged = subprocess.run(["dpkg", "--compare-versions", one, "eq", other], check=False).returncode == 0
        assert judged == versions.same("deb", one, other), (one, other)


@pytest.mark.parametrize("text", ["", "zlib1g", "pkg:zlib1g", "pkg:deb/", "https://example.com/zlib1g@1"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(VerificationFailed, match="not a package URL"):
        Purl.parse(text)
