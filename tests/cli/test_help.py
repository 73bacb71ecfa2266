"""The command line says what each of its words means, and a wrong one is the user's to put right."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipseal.cli import main, parser
from shipseal.project.config import HOME
from tests.commands import arguments

POLICY = str(HOME / "policy" / "verification.toml")


def unexplained(words: argparse.ArgumentParser) -> Iterator[str]:
    """Yield every argument without a word about it, also of the verbs below."""
    for action in words._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from unexplained(below)
        elif not action.help:
            yield f"{words.prog} {action.metavar or action.dest}"


def test_every_argument_of_every_verb_is_explained() -> None:
    assert list(unexplained(parser())) == []


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (("--version",), r"shipseal\.cli\.(options|deploy|stage)|httpx"),
        (("deploy", "--help"), "kubernetes_validate|jsonschema"),
        (("stage", "--help"), "jwt|httpx|sigstore|kubernetes_validate|jsonschema|tomlkit|elftools|packageurl"),
    ],
)
def test_a_command_line_imports_nothing_that_it_does_not_need(words: tuple[str, ...], absent: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "shipseal", *words]
    said = subprocess.run(command, cwd=HOME, capture_output=True, text=True, timeout=60, check=True).stderr
    imported = [line.rpartition("|")[2].strip() for line in said.splitlines()]
    assert "shipseal.cli" in imported
    assert [name for name in imported if re.fullmatch(absent, name)] == []


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_our_letters_is_written_to_all_the_same(encoding: str) -> None:
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        arguments("verify", "--help"), cwd=HOME, env=env, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"REGISTRY/REPOSITORY@sha256:\\u2026" in done.stdout


def test_a_layout_that_is_not_there_is_the_users_mistake_and_no_forgery(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rebuild", str(tmp_path / "nothing")]) == 2
    assert main(["rebuild", str(tmp_path), "--against", str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.count("error: there is no layout") == 2


def test_a_trusted_root_that_is_not_there_is_the_users_mistake_and_no_forgery(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(tmp_path / "nothing")
    assert main(["verify", str(tmp_path), "--policy", POLICY, "--as", "dry-run", "--trusted-root", root]) == 2
    assert "error: there is no file" in capsys.readouterr().err
