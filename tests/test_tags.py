"""Which tags a version moves."""

import pytest

from pipeline.distribution.tags import newer, tags_of


@pytest.mark.parametrize(
    ("version", "tags"),
    [
        ("1.4.2", ["1.4.2", "1.4", "1"]),
        ("0.4.2", ["0.4.2", "0.4"]),
        ("2.0.0rc1", ["2.0.0rc1"]),
        ("1.0", ["1.0"]),
        ("1.0.0+local.1", ["1.0.0-local.1"]),
    ],
)
def test_a_release_moves_the_tags_of_its_line_and_anything_else_none_but_its_own(version: str, tags: list[str]) -> None:
    assert tags_of(version) == tags


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
    ],
)
def test_no_tag_moves_back_from_a_newer_release(version: str, there: list[str], stay: dict[str, str]) -> None:
    assert newer(version, there) == stay
