"""What README and the pages beside it show is what happens: output, diagram, messages with their codes, sources."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from shipseal import errors
from shipseal.engine.table import TABLE
from shipseal.project.config import HOME
from tests.commands import Ended

README = (HOME / "README.md").read_text(encoding="utf-8")
TROUBLE = (HOME / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
COMPARISON = (HOME / "docs" / "comparison.md").read_text(encoding="utf-8")
CODES = {name: each.exit_code for name, each in vars(errors).items() if hasattr(each, "exit_code")}
DIFFERENT = "…"  # what stands in pages for what differs


def block(page: str, kind: str) -> list[str]:
    """Return the lines of a page's only block of a kind."""
    (found,) = re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)
    return [line for line in str(found).splitlines() if line]


def alike(line: str) -> str:
    """Return a pattern for what says the same: numbers, digests and padding differ from run to run."""
    for what in (r"\b[0-9a-f]{12,64}\b", r"\d[\d.]*", r" +", DIFFERENT):
        line = re.sub(what, "\0", line)
    return r"\s*\S*?\s*".join(map(re.escape, re.split("\0+", line)))


SHOWN = block(README, "text")


@pytest.mark.parametrize("line", SHOWN)
def test_each_line_of_output_in_readme_is_one_that_a_dry_run_prints(finished: tuple[Path, Ended], line: str) -> None:
    said = finished[1].output.splitlines()
    assert any(re.fullmatch(alike(line), each.strip()) for each in said), "\n".join(said)


def test_readme_shows_every_stage_that_judges_or_publishes() -> None:
    assert {line.split()[0] for line in SHOWN if "ok" in line.split()} == {
        *("facts", "build", "test", "image", "smoke", "sbom", "scan", "vex", "assess", "admit"),
        *("attest", "publish", "verify", "promote"),
    }


def test_the_diagram_has_the_edges_of_the_table_and_none_that_follow_from_others() -> None:
    drawn = set()
    for line in block(README, "mermaid")[1:]:
        names = line.strip().split(" --> ")
        drawn |= set(pairwise(names))
    needs = {stage.name: set(stage.needs) for stage in TABLE}
    behind = {name: set[str]().union(*(needs[each] for each in needs[name])) for name in needs}
    assert drawn == {(need, name) for name in needs for need in needs[name] - behind[name]}


def said(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield what each failure in a module says first, with `…` for what differs, and its exit code."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CODES and node.args):
            continue
        parts = node.args[0].values if isinstance(node.args[0], ast.JoinedStr) else [node.args[0]]
        text = [str(part.value) if isinstance(part, ast.Constant) else DIFFERENT for part in parts]
        yield "".join(text), CODES[node.func.id]


ROWS = re.findall(r"^\| `([^`]+)` \| ([\d, ]+) \|", TROUBLE, re.MULTILINE)
MESSAGES = {
    pair for path in (HOME / "shipseal").rglob("*.py") for pair in said(ast.parse(path.read_text(encoding="utf-8")))
}


@pytest.mark.parametrize(("message", "codes"), ROWS)
def test_each_message_in_troubleshooting_is_one_that_the_code_says_with_that_exit_code(
    message: str, codes: str
) -> None:
    assert {(message, int(code)) for code in codes.split(",")} <= MESSAGES


def test_troubleshooting_tells_of_ten_messages_and_of_every_exit_code() -> None:
    assert len(ROWS) == 10
    table = re.findall(r"^\| ([\d, ]+) \| [^`]", TROUBLE, re.MULTILINE)
    told = {int(code) for row in table for code in row.split(",")}
    assert {0, 1, 130, 143, 141, *CODES.values()} == told


def test_each_statement_about_another_project_has_a_source_that_is_listed_and_the_list_a_date() -> None:
    facts, _, sources = COMPARISON.partition("## Sources")
    assert re.search(r"All read on \d{4}-\d{2}-\d{2}\.", sources)
    listed = set(re.findall(r"^\| ([A-Z]\d) \|", sources, re.MULTILINE))
    assert listed == set(re.findall(r"\[([A-Z]\d)\]", facts))
    rows = [line.strip("|").split("|") for line in facts.splitlines() if line.startswith("| ")][2:]
    cells = [cell.strip() for row in rows for cell in row[1:5]]
    assert len(cells) >= 40
    assert [
        cell
        for cell in cells
        if not re.search(r"\[[A-Z]\d\]", cell) and cell not in {"not said", "not bound to a place"}
    ] == []
