"""End what children leave behind outside their own group: a daemon has a session and a parent of its own.

While something of ours runs, Linux hands its orphans to this process (prctl(2), PR_SET_CHILD_SUBREAPER): those that die
are collected soon, as an init would, and those that live when nothing of ours runs any longer are killed.
"""

import ctypes
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_SUBREAPER = 36  # linux/prctl.h
_SOON = 0.05  # seconds


@dataclass
class _Children:
    """What is known of the children of this process; to be read and changed under the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    pending: int = 0  # being started: they may be there, and nobody knows yet which they are
    ours: set[int] = field(default_factory=set)
    others: set[int] = field(default_factory=set)  # somebody else in this process has started them
    collecting: bool = False

    @property
    def idle(self) -> bool:
        return not self.pending and not self.ours

    def left(self) -> set[int]:
        return {each for each in set(_listed()) - self.ours - self.others if not _of_this_session(each)}


_children = _Children()


def starting() -> None:
    """Say that a child is about to be started."""
    with _children.lock:
        if _children.idle:
            _adopt(1)
            _children.others = set(_listed())
        if not _children.collecting:
            _children.collecting = True
            threading.Thread(target=_collect, daemon=True).start()
        _children.pending += 1


def started(pid: int | None) -> None:
    """Say which child that was, or that there is none."""
    with _children.lock:
        _children.pending -= 1
        if pid is not None:
            _children.ours.add(pid)


def ended(pid: int) -> None:
    """Say that a child has ended and was waited for; when it was the last, kill what any of them has left."""
    with _children.lock:
        _children.ours.discard(pid)
        while _children.idle and (left := _children.left()):
            for each in left:
                with suppress(ProcessLookupError, ChildProcessError):
                    os.kill(each, signal.SIGKILL)
                    os.waitpid(each, 0)
        if _children.idle:
            _adopt(0)  # children that others start have their orphans to themselves


def _collect() -> None:
    """Collect the orphans that have died, for as long as something of ours runs."""
    while True:
        time.sleep(_SOON)
        with _children.lock:
            if _children.idle:
                _children.collecting = False
                return
            for each in () if _children.pending else _children.left():
                with suppress(ChildProcessError):
                    os.waitpid(each, os.WNOHANG)


def _of_this_session(pid: int) -> bool:
    """Tell whether somebody else in this process has started it: what is ours has left the session (setsid(2))."""
    try:
        return os.getsid(pid) == os.getsid(0)
    except ProcessLookupError:  # collected meanwhile, by whoever waits for it
        return True


def _adopt(whether: int) -> None:
    with suppress(AttributeError, OSError):  # another system: its init has them
        ctypes.CDLL(None).prctl(_SUBREAPER, whether, 0, 0, 0)


def _listed() -> list[int]:
    """Return the processes whose parent is this one (proc(5), /proc/pid/task/tid/children)."""
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found += [int(pid) for pid in path.read_text().split()]
    return found
