"""No interval is measured by a clock that can be set."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.service.client import Running, launch

ASKED = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
# The service on a machine whose clock is set, by as many seconds as stand in the file that JUMP names.
SET = """
import os, sys, time

true, path = time.time, os.environ["JUMP"]
def told():
    try:
        with open(path) as file:
            return true() + float(file.read() or 0)
    except OSError:
        return true()

time.time = told
from service import __main__
sys.exit(__main__.main([]))
"""


class Clock:
    """A service, and the file that sets its clock."""

    def __init__(self, running: Running, path: Path) -> None:
        self.running, self._path = running, path

    def set(self, seconds: float) -> None:
        """Set the clock by so many seconds, and wait until the service tells them."""
        self._path.write_text(str(seconds))
        wanted = time.time() + seconds
        assert abs(self._told() - wanted) < 60

    def _told(self) -> float:
        date = self.running.ask("/").headers["date"]
        return time.mktime(time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")) - time.timezone


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    limits = {"CONNECTION_LIMIT": "16", "IDLE_TIMEOUT": "2", "REQUEST_TIMEOUT": "2"}
    running = launch("-c", SET, JUMP=str(tmp_path / "jump"), ACCESS_LOG="off", **limits)
    yield Clock(running, tmp_path / "jump")
    running.end()


def test_a_clock_set_back_neither_stops_accepting_nor_lets_anybody_stay(clock: Clock) -> None:
    with ExitStack() as stack:
        idle = stack.enter_context(closing(clock.running.connect()))
        idle.sendall(ASKED)
        assert idle.recv(4096)
        slow = stack.enter_context(closing(clock.running.connect()))
        slow.sendall(ASKED[:9])
        clock.set(-3600)
        held = [stack.enter_context(closing(clock.running.connect())) for _ in range(20)]
        late = stack.enter_context(closing(clock.running.connect()))
        late.sendall(ASKED)
        for connection in held:
            connection.close()
        assert late.recv(4096).startswith(b"HTTP/1.1 200")
        assert (idle.recv(4096), slow.recv(4096)) == (b"", b"")


def test_a_clock_set_forward_cuts_nobody_off(clock: Clock) -> None:
    with closing(clock.running.connect()) as idle, closing(clock.running.connect()) as slow:
        idle.sendall(ASKED)
        assert idle.recv(4096)
        slow.sendall(ASKED[:9])
        clock.set(300)
        time.sleep(1.2)  # connections are looked at once a second
        idle.sendall(ASKED)
        slow.sendall(ASKED[9:])
        assert idle.recv(4096).startswith(b"HTTP/1.1 200")
        assert slow.recv(4096).startswith(b"HTTP/1.1 200")
