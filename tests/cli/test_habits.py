"""What people expect of any command: completion, silence when asked for, and no colours where none are wanted."""

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.commands import arguments, clone, pipeline

COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_shtab_shipseal "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file that bash reads."""
    directory = tmp_path_factory.mktemp("completion")
    ended = pipeline("completion", "bash", cwd=directory)
    assert ended.code == 0, ended.output
    (directory / "script").write_text(ended.stdout)
    return directory / "script"


def completed(script: Path, *words: str) -> list[str]:
    """Return what bash offers for the last of some words."""
    bash = shutil.which("bash")
    assert bash
    command = [bash, "-c", COMPLETE, "bash", str(script), *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=script.parent)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["dry"], ["dry-run"]),
        (["store", "gc", "--unused"], ["--unused-for"]),
        (["verify", "--pol"], ["--policy"]),
        (["dry-run", "--config", "scr"], ["script"]),
    ],
)
def test_bash_completes_verbs_options_and_files(script: Path, words: list[str], offered: list[str]) -> None:
    assert offered == completed(script, "shipseal", *words)


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_theirs(shell: str, tmp_path: Path) -> None:
    ended = pipeline("completion", shell, cwd=tmp_path)
    assert (ended.code, ended.stderr) == (0, "")
    assert "update-locks" in ended.stdout


@pytest.mark.parametrize("word", ["--quiet", "-q"])
def test_quiet_leaves_the_result_and_no_progress(word: str, tmp_path: Path) -> None:
    project = clone("greetings", tmp_path / "project")
    ended = pipeline("dry-run", "--to", "facts", word, cwd=project)
    assert (ended.code, ended.stderr) == (0, "")
    assert "facts  " in ended.stdout


def test_quiet_tells_of_a_failure_all_the_same(tmp_path: Path) -> None:
    project = clone("greetings", tmp_path / "project")
    (project / "app" / "greetings" / "web.py").write_text("def (\n")
    ended = pipeline("dry-run", "--to", "test", "--quiet", cwd=project)
    assert ended.code == 7, ended.output
    assert ended.stderr.startswith("error: ")


@pytest.mark.parametrize(("settings", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_shows_colours_unless_no_color_is_set(
    settings: dict[str, str], coloured: bool, tmp_path: Path
) -> None:
    project = clone("greetings", tmp_path / "project")
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    with subprocess.Popen(
        arguments("dry-run", "--to", "facts"),
        cwd=project,
        env={**environment, "TERM": "xterm-256color", **settings},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        said = read_terminal(ours)
    assert process.returncode == 0
    assert b"facts" in said
    assert coloured is (b"\x1b[32m" in said)


def read_terminal(terminal: int) -> bytes:
    said = b""
    try:
        while more := os.read(terminal, 1 << 16):
            said += more
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(terminal)
    return said
