"""Two package URLs name the same package by their parts, however they are spelt."""

import pytest

from pipeline.errors import VerificationFailed
from pipeline.scanning.purl import Purl

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


@pytest.mark.parametrize("text", ["", "zlib1g", "pkg:zlib1g", "pkg:deb/", "https://example.com/zlib1g@1"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(VerificationFailed, match="not a package URL"):
        Purl.parse(text)
