"""Say what every sandbox gives to the program in it, and how much. Pure."""

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

BESIDE = "/beside"
"""Where the program sees what is lent to it."""

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


def _own(path: str) -> str:
    if posixpath.normpath(path) != path or path.startswith("//"):
        raise ValueError(f"{path} is not as short as it can be; as in /var/cache/greetings")
    if (top := path.split("/")[1]) in _NOT_THE_SERVICES:
        raise ValueError(f"/{top} is not the service's own; as in /var/cache/greetings")
    return path


_NOT_THE_SERVICES = {"proc", "dev", "sys", BESIDE[1:], "emulator"}
Writable = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/-]+$"), AfterValidator(_own)]
"""A directory of the image that a file system in memory is mounted on: its absolute path in its shortest form."""
