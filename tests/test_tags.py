"""Which tags a version moves."""

import re

import pytest
from packaging.version import Version

from shipseal.distribution.tags import is_tag, newer, newest_first, previous_version, tags_of
from shipseal.errors import SubjectFailed


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


@pytest.mark.parametrize(("version", "moved"), [("1.4.2", True), ("0.4.2", True), ("1.4rc1", False), ("1.4+x", False)])
def test_a_release_moves_latest_where_that_is_asked_for_and_what_is_none_never(version: str, moved: bool) -> None:
    assert moved is ("latest" in tags_of(version, latest=True))
    assert "latest" not in tags_of(version)


def test_latest_stays_at_the_highest_release_of_all() -> None:
    assert newer("1.4.2", ["2.0.0", "2.0", "3.0.0rc1"], latest=True) == {"latest": "2.0.0"}
    assert newer("2.0.1", ["2.0.0", "1.9.9"], latest=True) == {}


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


def test_lists_of_evidence_are_no_tags_of_images_and_versions_come_first_by_what_they_mean() -> None:
    lists = [f"sha256-{'0' * 64}", f"sha256-{'0' * 64}.att", "-x", "a b", ""]
    assert [each for each in lists if is_tag(each)] == []
    tags = ["latest", "1.2", "1.10.0", "1.9.0", "2.0.0rc1", "1", "stable"]
    assert newest_first(tags) == ["2.0.0rc1", "1.10.0", "1.9.0", "1", "1.2", "latest", "stable"]


@pytest.mark.parametrize(
    ("version", "there", "expected"),
    [
        ("1.10.0", ["1.9.0", "1.2.0", "1", "latest", "1.11.0", "1.10.0", "1.10.0rc1", "nightly"], "1.9.0"),
        ("1.10", ["1.9.0"], "1.9.0"),
        ("1.0.0rc1", ["0.9.0", "1.0.0"], "0.9.0"),
        ("0.1.0", ["0.1.0", "0.2.0"], ""),
        ("0.1.0", [], ""),
    ],
)
def test_the_release_before_a_version_is_the_highest_of_three_numbers_below_it(
    version: str, there: list[str], expected: str
) -> None:
    assert expected == previous_version(version, there)
