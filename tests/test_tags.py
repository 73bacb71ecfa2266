"""Which tags a version moves."""

import re

import pytest
from packaging.version import Version

from pipeline.distribution.tags import newer, tags_of
from pipeline.errors import SubjectFailed


@pytest.mark.parametrize(
    ("version", "tags"),
    [
        ("1.4.2", ["1.4.2", "1.4", "1"]),
        ("0.4.2", ["0.4.2", "0.4"]),
        ("2.0.0rc1", ["2.0.0rc1"]),
        ("1.0", ["1.0.0", "1.0", "1"]),
        ("0.4", ["0.4.0", "0.4"]),
        ("7", ["7.0.0", "7.0", "7"]),
        ("2026.11.5", ["2026.11.5", "2026.11", "2026"]),
        ("1.4.2.1", ["1.4.2.1"]),
        ("1.4rc1", ["1.4.0rc1"]),
        ("1.4.post1", ["1.4.0.post1"]),
        ("1.4.0.dev3", ["1.4.0.dev3"]),
        ("1.0.0+local.1", ["1.0.0-local.1"]),
        ("1.4+local", ["1.4.0-local"]),
    ],
)
def test_a_release_moves_the_tags_of_its_line_and_anything_else_none_but_its_own(version: str, tags: list[str]) -> None:
    assert tags == tags_of(version)


@pytest.mark.parametrize("version", ["1", "1.4", "0.1", "1.4.2", "1.4rc1", "1.4+5", "1.4.2.1", "2.dev1"])
def test_the_own_tag_of_no_version_is_that_of_a_line(version: str) -> None:
    assert not re.fullmatch(r"\d+(\.\d+)?", tags_of(version)[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.4", "1.4.0"),
        ("1.4", "1.4.0.0"),
        ("1.4rc1", "1.4.0rc1"),
        ("1.4.2.1", "1.4.2.1.0"),
        ("v1.4.2", "1.4.2"),
        ("1.0.0-beta.1", "1.0.0b1"),
        ("01.4.2", "1.4.2"),
        ("1.0-1", "1.0.post1"),
        ("1.0+Local_1", "1.0+local.1"),
        ("1.4.2", "1.4.2\n"),
    ],
)
def test_versions_that_are_equal_have_one_tag(one: str, other: str) -> None:
    assert Version(one) == Version(other)
    assert tags_of(one) == tags_of(other)


def test_versions_that_differ_have_tags_that_differ() -> None:
    versions = ["1.4", "1.4.1", "1.4+1", "1.4.post1", "1.4.dev1", "1.4rc1", "1.4.0.1", "1.4+local-1", "14"]
    assert len(versions) == len({tags_of(version)[0] for version in versions})


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("1!2.0.0", "1!2.0.0 is none"),
        ("1.0+", "no such version"),
        ("", "no such version"),
        ("latest", "no such version"),
        ("1." + "0." * 100 + "1", "128 of them at most"),
        ("1.0+" + "a" * 140, "128 of them at most"),
    ],
)
def test_a_version_that_makes_no_tag_is_refused(version: str, why: str) -> None:
    with pytest.raises(SubjectFailed, match="makes no tag for an image") as caught:
        tags_of(version)
    assert why in "\n".join(caught.value.why)
    assert len(caught.value.what) < 200


@pytest.mark.parametrize(
    ("version", "there", "stay"),
    [
        ("1.4.3", ["1", "1.4", "1.4.2", "1.5.0"], {"1": "1.5.0"}),
        ("1.4.3", ["1.4.10", "1.10.0", "1.9.0"], {"1": "1.10.0", "1.4": "1.4.10"}),
        ("1.5.0", ["1.5.0", "1.4.2", "2.0.0", "10.0.0"], {}),
        ("1.4.3", ["1.4", "1", "1.9.0rc1", "latest", "1.4.x"], {}),
        ("0.4.2", ["0.4.3", "0.5.0"], {"0.4": "0.4.3"}),
        ("2.0.0rc1", ["2.0.0"], {}),
        ("1.4.3", [], {}),
        ("1.4", ["1.4.1"], {"1.4": "1.4.1", "1": "1.4.1"}),
    ],
)
def test_no_tag_moves_back_from_a_newer_release(version: str, there: list[str], stay: dict[str, str]) -> None:
    assert stay == newer(version, there)
