"""What the supervisor knows of a worker, and how it tells one that hangs."""

from __future__ import annotations

from time import monotonic


class Process:
    """A running worker: its process id, the writing end of its pipe, when it started, and whether its loop turns."""

    __slots__ = ("_turns", "control", "killed", "pid", "silent", "since")

    def __init__(self, pid: int, control: int) -> None:
        self.pid, self.control, self.since = pid, control, monotonic()
        self.silent = 0.0  # seconds for which the loop has stood still
        self.killed = False  # because of that
        self._turns = -1

    def watch(self, turns: int, seconds: float) -> None:
        """Note how often the loop has turned by now, `seconds` after the last look."""
        self.silent = 0.0 if turns != self._turns else self.silent + seconds
        self._turns = turns
