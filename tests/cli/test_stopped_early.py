"""A signal that comes before any stage has begun ends the command as one that comes later does."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import arguments

SIGNALS = ((signal.SIGTERM, 143), (signal.SIGINT, 130))


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_while_the_pipeline_is_imported(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """The interpreter says what it has imported: that is how we know that there is more to come."""
    line = [sys.executable, "-X", "importtime", "-m", "shipseal", "doctor"]
    with subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for said in process.stderr:
            if said.rstrip().endswith("shipseal.project.config"):
                break
        process.send_signal(number)
        rest = process.stderr.read()
    told = [said for said in rest.splitlines() if not said.startswith("import time:")]
    assert (process.returncode, told) == (code, ["stopped: nothing had begun"])
    assert list(tmp_path.iterdir()) == []


SLOW = """
import sys, time

def wait(event, arguments):
    if event == "open" and str(arguments[0]).endswith("pipeline.toml"):
        print("reading", flush=True)
        time.sleep(60)

sys.addaudithook(wait)
"""


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_before_an_event_loop_listens(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """A disk that is slow to give the configuration keeps the command where only Python itself hears of a signal."""
    project, slow = tmp_path / "project", tmp_path / "slow"
    for each in (project, slow):
        each.mkdir()
    (project / "pipeline.toml").touch()
    (slow / "sitecustomize.py").write_text(SLOW)
    with subprocess.Popen(
        arguments("dry-run"),
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(slow)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        process.send_signal(number)
        assert process.wait(timeout=30) == code
        assert process.stderr is not None
        assert process.stderr.read() == ("stopped: finished stages are kept, and the same command goes on from there\n")
    assert [path.name for path in project.iterdir()] == ["pipeline.toml"]


def command(verb: str) -> "subprocess.CompletedProcess[str]":
    """Run a program as the command line is run, whose one verb is the function that this code defines."""
    program = (
        "import asyncio, os, signal, sys\n"
        "from shipseal.cli.ending import end\n"
        "from shipseal.cli.engine import run_async\n"
        "from shipseal.errors import Stopped\n"
        "def stop(*_): raise Stopped\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        f"{verb}"
        "sys.exit(end(verb, as_json=False))\n"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_after_an_event_loop_has_listened(number: signal.Signals, code: int) -> None:
    """What listens to signals meanwhile must not leave the process as one that a signal ends at once."""
    done = command(
        "async def work(): return 0\n"
        "def verb():\n"
        "    run_async(work)\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    signal.pause()\n"
        "    return 0\n"
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("stopped: ")


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_at_every_line_that_takes_an_event_loop_apart(number: signal.Signals, code: int) -> None:
    """Once a signal has ended the work, no further one may leave a loop half closed, or end the process at once."""
    done = command(
        "sent = 0\n"
        "def again(*_):\n"
        "    global sent\n"
        "    sent += 1\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    return again\n"
        "def watch(frame, *_):\n"
        "    return again if frame.f_code.co_name in {'close', '_close_self_pipe'} else None\n"
        "async def work():\n"
        "    await asyncio.sleep(0.1)\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    sys.settrace(watch)\n"
        "    await asyncio.sleep(60)\n"
        "def verb():\n"
        "    try:\n"
        "        return run_async(work)\n"
        "    finally:\n"
        "        sys.settrace(None)\n"
        "        print(sent)\n"
    )
    assert done.returncode == code, done.stderr
    assert done.stderr == "stopped: finished stages are kept, and the same command goes on from there\n"
    assert int(done.stdout) > 20
