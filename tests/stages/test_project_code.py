"""The project's own code, its build backend and its tests, reaches nothing of this machine where bubblewrap can."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shipseal.engine import project_code
from shipseal.engine.run import Event, Run
from shipseal.engine.stage import Context, Stage
from shipseal.project.config import Config
from tests.commands import SAMPLES
from tests.conftest import MakeRun
from tests.stages.test_build_and_test import BUILD, INPUTS, TEST, perform

ASKS = """
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize("place", [{project!r}, {home!r}, "/etc", "/usr"])
def test_it_writes_nowhere_else(place):
    try:
        Path(place, "written-by-a-test").write_text("x")
    except OSError:
        return
    assert not {outside!r}.startswith(place), "it wrote there"


def test_it_sees_no_file_of_its_users_home():
    assert not Path({home!r}, "credential").exists()


def test_it_reaches_no_daemon_by_a_socket():
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(OSError):
        client.connect({daemon!r})


def test_it_reaches_no_service_of_this_machine():
    with socket.socket() as client, pytest.raises(OSError):
        client.connect(("127.0.0.1", {port}))


def test_loopback_is_its_own_and_works():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()


def test_it_has_a_place_for_temporary_files():
    with tempfile.TemporaryFile() as file:
        file.write(b"x")


def test_it_sees_no_process_of_this_machine():
    assert not Path("/proc/{pid}/cmdline").exists() or {pid} < 50


def test_it_leaves_a_daemon_behind():
    leave = "import os, sys; os.setsid(); os.execve('/bin/sleep', ['sleep', '{marker}'], {{}})"
    subprocess.Popen([sys.executable, "-c", leave], start_new_session=True, env={{}})
    time.sleep(0.3)
"""


@contextmanager
def listening(family: socket.AddressFamily, address: Any) -> Iterator[socket.socket]:
    with socket.socket(family) as server:
        server.bind(address)
        server.listen()
        yield server


def marker() -> str:
    """Return how long the daemon of this test sleeps: nobody else's sleeps as long."""
    return str(900_000 + os.getpid())


def running(marker: str) -> bool:
    done = subprocess.run(["pgrep", "-f", f"sleep {marker}"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture
def asking(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Give a run of a project whose tests ask what they may do, in a home with something to find."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "credential").write_text("hunter2")
    monkeypatch.setenv("HOME", str(home))
    root = tmp_path / "asks"
    shutil.copytree(SAMPLES / "failing-test", root)
    daemon = Path("/run") / f"pipeline-test-{os.getpid()}"
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as service, listening(socket.AF_UNIX, str(daemon)):
        (root / "tests" / "test_hello.py").write_text(
            ASKS.format(
                project=str(root), home=str(home), outside=str(root), daemon=str(daemon), marker=marker(),
                port=service.getsockname()[1], pid=os.getpid(),
            )
        )  # fmt: skip
        yield make_run(config=Config.load(root / "pipeline.toml"))
    daemon.unlink()


needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None or os.geteuid() != 0, reason="bubblewrap is not installed, or /run is not ours"
)


@needs_bubblewrap
async def test_suite_of_a_project_reach_nothing_and_leave_nothing_behind(asking: Run, events: list[Event]) -> None:
    asking.observe = events.append
    assert await perform(asking, INPUTS, BUILD, TEST) == "11 passed"
    assert [event.text for event in events if "bubblewrap" in event.text] == []
    assert not running(marker())
    assert not list(asking.config.root.rglob("written-by-a-test"))


BACKEND = """
from pathlib import Path
from hatchling.build import *

for place in ({project!r}, {home!r}):
    try:
        Path(place, "written-by-a-build").write_text("x")
    except OSError:
        pass
if Path({home!r}, "credential").exists():
    raise SystemExit("it sees the home directory")
"""


@needs_bubblewrap
async def test_a_build_backend_of_the_projects_own_does_not_either(asking: Run) -> None:
    root = asking.config.root
    source = asking.config.service.source
    (source / "backend").mkdir()
    home = os.environ["HOME"]
    (source / "backend" / "hostile.py").write_text(BACKEND.format(project=str(root), home=home))
    project = source / "pyproject.toml"
    lines = [line for line in project.read_text().splitlines() if not line.startswith("build-backend")]
    lines.insert(lines.index("[build-system]") + 1, 'build-backend = "hostile"\nbackend-path = ["backend"]')
    project.write_text("\n".join(lines) + "\n")
    await perform(asking, INPUTS, BUILD)
    assert not list(root.rglob("written-by-a-build"))
    assert not (Path(home) / "written-by-a-build").exists()


@needs_bubblewrap
async def test_it_sees_the_packages_wherever_the_interpreter_has_them(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pip install --user` puts them into the home directory, of which nothing else is seen."""
    packages = tmp_path / "home" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "beside.py").write_text("from pathlib import Path\nprint(*Path(__file__).parents[1].iterdir())")
    (tmp_path / "home" / "credential").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(packages)

    async def look(context: Context) -> str:
        done = await project_code.run(context, sys.executable, packages / "beside.py", work=context.out)
        return done.stdout.decode().strip()

    assert (await make_run().perform(Stage("look", look, tools=("bwrap",)))).headline == str(packages)


async def test_without_bubblewrap_it_is_said_with_which_rights_they_run(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: list[Event]
) -> None:
    without = tmp_path / "bin"
    without.mkdir()
    for name in ("sh", "env", "setpriv"):
        (without / name).symlink_to(str(shutil.which(name)))
    root = tmp_path / "greetings"
    shutil.copytree(SAMPLES / "greetings", root)
    run = make_run(config=Config.load(root / "pipeline.toml"), observe=events.append)
    await perform(run, INPUTS)
    monkeypatch.setenv("PATH", str(without))
    assert "passed" in await perform(run, BUILD, TEST)
    said = [event.text for event in events if "rights of this process" in event.text]
    assert len(said) == 2
    assert "bwrap is not installed" in said[0]
