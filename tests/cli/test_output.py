"""An output that takes nothing is told so in a line, a reader that has gone in none; neither ends in a traceback."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.commands import arguments, clone

UNBUFFERED = ("", "1")
VERBS = (("doctor",), ("doctor", "--json"), ("cost",), ("cost", "--json"), ("--help",), ("store", "gc", "--help"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone("greetings", tmp_path_factory.mktemp("output") / "greetings")


def started(words: tuple[str, ...], project: Path, unbuffered: str, stdout: Any) -> "subprocess.Popen[str]":
    """Start a verb, whose Python writes at once or when it has gathered a little."""
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    return subprocess.Popen(arguments(*words), cwd=project, stdout=stdout, stderr=subprocess.PIPE, text=True, env=env)


@pytest.mark.parametrize("unbuffered", UNBUFFERED)
@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_full_disk_is_told_in_one_line_and_by_the_exit_code(
    words: tuple[str, ...], unbuffered: str, project: Path
) -> None:
    with Path("/dev/full").open("w") as full, started(words, project, unbuffered, full) as process:
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 2, said
    assert said.splitlines() == [
        "error: the output cannot be written",
        "  why    no space left on device",
        "  remedy send it elsewhere; finished stages are kept",
    ]


@pytest.mark.parametrize("unbuffered", UNBUFFERED)
@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_reader_that_has_gone_ends_a_verb_as_it_ends_cat(
    words: tuple[str, ...], unbuffered: str, project: Path
) -> None:
    with started(words, project, unbuffered, subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait(timeout=60)) == ("", 141)


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_closed_output_is_no_failure(words: tuple[str, ...], project: Path) -> None:
    line = ["sh", "-c", 'exec "$@" >&-', "sh", *arguments(*words)]
    done = subprocess.run(line, cwd=project, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 4}, done.stderr


def test_errors_that_nobody_can_read_still_end_with_a_code(project: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(arguments("nothing"), cwd=project, stdout=full, stderr=full, timeout=60, check=False)
    assert done.returncode == 2
