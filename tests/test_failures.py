"""The page of failures names for each one a drill that is there, and tests that are there and follow it."""

import re

import pytest

from shipseal.project.config import HOME

PAGE = HOME / "docs" / "runbooks" / "failures.md"
ROW = re.compile(
    r"^\| (?:a|an|the|Terraform's) (?P<what>[^|]+) \|.*\| (?P<drill>[^|]+) \| (?P<tests>[^|]+) \|$", re.MULTILINE
)
LINK = re.compile(r"\[([^]]+)\]\(([^)#]+)(?:#([^)]+))?\)")
ROWS = {row["what"]: row for row in ROW.finditer(PAGE.read_text())}


def test_each_failure_of_the_architecture_has_its_row() -> None:
    assert {"pod", "node", "zone", "region"} <= set(ROWS)


@pytest.mark.parametrize("what", ROWS)
def test_the_drill_is_a_heading_and_the_tests_are_files(what: str) -> None:
    row = ROWS[what]
    name, page, anchor = LINK.findall(row["drill"])[0]
    headings = re.findall(r"^#+ (.+)$", (PAGE.parent / page).read_text(), re.MULTILINE)
    assert name in headings
    assert anchor in {"", name.lower().replace(" ", "-")}
    files = re.findall(r"`([^`]+)`", row["tests"])
    texts = [(HOME / file).read_text() for file in files]
    assert texts
    assert all("def test_" in text for text in texts)
    if page not in {"drills.md", "../service.md"}:
        assert any(f'"{page}"' in text for text in texts)


@pytest.mark.parametrize("what", [what for what, row in ROWS.items() if "drills.md" in row["drill"]])
def test_a_drill_of_the_cluster_is_followed_by_its_test(what: str) -> None:
    name, _, _ = LINK.findall(ROWS[what]["drill"])[0]
    assert f'"{name}"' in (HOME / "tests" / "cluster" / "test_drills.py").read_text()
