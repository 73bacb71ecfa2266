"""Say what every sandbox gives to the program in it, and how much. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SCRATCH = "/tmp"  # noqa: S108 - in the sandbox
"""What a program that is lent something may write, besides what `smoke.writable` names."""

Command = Callable[[Mapping[str, str], Path | None], list[str | Path]]
"""Return the command that starts the interpreter from outside: with an environment, and with what is lent."""


@dataclass(frozen=True)
class Bounds:
    """How much a program may become: processes and threads at a time, and bytes of memory, files in memory included."""

    tasks: int
    memory: int


SERVICE = Bounds(512, 1 << 30)
SUITE = Bounds(1024, 4 << 30)
"""Pytest, its plugins and several services at a time."""


def writable(named: tuple[str, ...], beside: Path | None) -> list[str]:
    """Return the directories that get a file system in memory, outer ones first."""
    return sorted({*named, *([SCRATCH] if beside else ())})
