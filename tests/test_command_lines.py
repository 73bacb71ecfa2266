"""On a command line an option is a word of ours: nothing that a project, a lock or a registry names becomes one."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from shipseal.project.config import HOME
from tests.commands import Ended


def words_of_ours() -> set[str]:
    """Return every text that stands in the pipeline's own code, the beginnings of composed ones among them."""
    trees = (ast.parse(path.read_text("utf-8")) for path in (HOME / "shipseal").rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def commands(run_dir: Path) -> Iterator[tuple[str, list[str]]]:
    for path in sorted(run_dir.glob("*/record.json")):
        for command in json.loads(path.read_bytes())["commands"]:
            yield command["tool"], command["arguments"]


def composed_of(word: str, ours: set[str]) -> bool:
    """Say whether a word is one of ours, up to the value that may follow `=`."""
    name, equals, _ = word.partition("=")
    return word in ours or f"{name}{equals}" in ours


def test_every_option_that_the_records_of_a_run_know_is_a_word_of_ours(finished: tuple[Path, Ended]) -> None:
    project, ended = finished
    assert ended.code == 0, ended.output
    ours = words_of_ours() | {f"--unshare-{each}" for each in ("pid", "net", "ipc", "uts")}
    options = {(tool, word) for tool, words in commands(project / ".run") for word in words if word.startswith("-")}
    tools = {tool for tool, _ in commands(project / ".run")}
    assert {"oras", "cosign", "syft", "grype", "kustomize", "python"} <= tools
    assert len(options) > 30
    assert sorted(each for each in options if not composed_of(each[1], ours)) == []
