"""A directory that one stands in lends the pipeline no module and no program, whatever the files in it are called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shipseal.tools.toolbox import Toolbox
from tests.commands import clone
from tests.test_toolbox import toolbox

BETRAYS = "from pathlib import Path\nPath({!r}).touch()\n"


@pytest.fixture
def betrayed(tmp_path: Path) -> Path:
    """Give a file that is there as soon as anything of the project was imported."""
    return tmp_path / "betrayed"


def shadow(project: Path, betrayed: Path, *names: str) -> None:
    for name in names:
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(BETRAYS.format(str(betrayed)))


@pytest.mark.parametrize("name", ["venv.py", "venv/__init__.py", "pathlib.py"])
async def test_our_interpreter_takes_no_module_of_the_directory_it_stands_in(
    tmp_path: Path, betrayed: Path, name: str
) -> None:
    shadow(tmp_path / "project", betrayed, name)
    await toolbox(tmp_path).run("python", "-m", "venv", "--without-pip", tmp_path / "made", cwd=tmp_path / "project")
    assert (tmp_path / "made" / "bin" / "python").exists()
    assert not (tmp_path / "betrayed").exists()


@pytest.mark.parametrize("called", ["shipseal", "pipeline"])
def test_a_verb_imports_nothing_of_the_project(called: str, tmp_path: Path, betrayed: Path) -> None:
    project = clone("greetings", tmp_path / "greetings")
    shadow(project, betrayed, "queue.py", "anyio/__init__.py", "socket.py", "pydantic.py", "dulwich/__init__.py")
    command = [sys.executable, "-m", called, "stage", "facts", "--run-dir", str(tmp_path / "run")]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not betrayed.exists()


def test_a_project_may_have_a_directory_called_pipeline(tmp_path: Path, betrayed: Path) -> None:
    project = clone("greetings", tmp_path / "greetings")
    shadow(project, betrayed, "shipseal/__init__.py", "shipseal/__main__.py", "runpy.py")
    command = [sys.executable, "-P", "-m", "shipseal", "stage", "facts", "--run-dir", str(tmp_path / "run")]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not betrayed.exists()


async def test_no_program_is_found_by_a_relative_path(
    tmp_path: Path, betrayed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in ("true", "setpriv"):
        (project / name).write_text(f"#!/bin/sh\ntouch {betrayed}\n")
        (project / name).chmod(0o755)
    monkeypatch.chdir(project)
    monkeypatch.setenv("PATH", os.pathsep.join([".", "", os.environ["PATH"]]))
    tools: Toolbox = toolbox(tmp_path)
    assert tools.path("true").parent != project
    await tools.run("true")
    assert not (tmp_path / "betrayed").exists()
