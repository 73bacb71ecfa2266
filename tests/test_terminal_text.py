"""What others wrote moves no cursor, reverses nothing and commands no runner, wherever the pipeline repeats it."""

import subprocess
import sys
from pathlib import Path

import pytest

from shipseal import terminal_text
from shipseal.cli.events import line
from shipseal.engine.run import Event
from shipseal.errors import ConfigError
from tests.commands import pipeline

HOSTILE = "\x1b]0;title\x07\x9b31m\u202egnp.exe\u2066\r\n::error::no\x00"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("déjà vu 日本 🚀", "déjà vu 日本 🚀"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb", "a\\u202eb"),
        ("two\nlines", "two\\nlines"),
        ("\udcff", "\\udcff"),
        ("::error::it broke", "\\x3a:error::it broke"),
        ("  ::stop-commands::x", "  \\x3a:stop-commands::x"),
        ("a ##[error]b", "a \\x23#[error]b"),
        ("std::vector", "std::vector"),
        ("# one", "# one"),
    ],
)
def test_a_line_is_what_can_be_seen(text: str, seen: str) -> None:
    assert terminal_text.line(text) == seen


@pytest.mark.parametrize(("name", "text"), [("é.txt", "é.txt"), ("\udcff.txt", "\\xff.txt"), ("a\nb", "a\nb")])
def test_a_name_is_text_that_any_file_can_hold(name: str, text: str) -> None:
    assert terminal_text.name(name) == text
    terminal_text.name(name).encode("utf-8")


def test_a_failure_shows_no_control_character_of_what_it_repeats() -> None:
    told = ConfigError(HOSTILE, why=[HOSTILE, HOSTILE], remedy=HOSTILE).explain()
    assert [line for line in told.splitlines() if line.lstrip().startswith("::")] == []
    assert len(told.splitlines()) == 4
    assert told.replace("\n", "").isprintable()


def test_an_event_shows_none_either() -> None:
    assert line(Event("build", "progress", HOSTILE)).isprintable()


def test_a_hostile_key_of_a_configuration_reaches_no_terminal(project: Path) -> None:
    (project / "pipeline.toml").write_text('"\\u001B[2J\\u202E" = 1\n"::error::x" = 2\n')
    ended = pipeline("dry-run", cwd=project)
    assert ended.code == 2
    assert ended.output.replace("\n", "").isprintable()
    assert [line for line in ended.output.splitlines() if line.lstrip().startswith("::")] == []


def test_whatever_is_printed_is_made_fit_to_be_seen() -> None:
    """Also by a verb that forgets to: the stream itself is the gate."""
    program = (
        f"from shipseal.cli.ending import end; raise SystemExit(end(lambda: print({HOSTILE!r}) or 0, as_json=False))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.replace("\n", "").isprintable()
    assert done.stderr == ""


def test_a_long_text_is_cut_and_says_by_how_much() -> None:
    assert terminal_text.bounded("abc", 3) == "abc"
    assert terminal_text.bounded("a" * 2003, 3) == "aaa… (2,000 characters more)"
