"""Which tags a version moves."""

import pytest

from pipeline.distribution.tags import tags_of


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
