"""Give a stage the tools that it declares, and keep what it did with them.

A tool of `tools/tools.lock.toml` is checked against its sha256 before every use. Every command is recorded and its
output logged, both without secrets.
"""

import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import anyio
from anyio.abc import Process

from shipseal.digest import Digest
from shipseal.errors import FailureReason, RemoteFailed, ToolFailed, UsageError, VerificationFailed
from shipseal.tools.environment import base_environment, find, program_environment
from shipseal.tools.outputs import ANSWER, SHOWN, Completed, Held
from shipseal.tools.processes import drain, process

LAST_LINES = 12
_LOGGED_OUTPUT = 64 * 1024


class ToolStore(Protocol):
    """Where locked tools lie: the content-addressed store."""

    def get(self, digest: Digest) -> Path:
        """Return the file with this digest, verified now."""


@dataclass(frozen=True)
class Command:
    """One process as the record keeps it: the tool by name, its arguments, how it ended, how long it ran (seconds)."""

    tool: str
    arguments: tuple[str, ...]
    exit_code: int
    seconds: float


@dataclass
class Toolbox:
    """The tools that one stage may use, and what it did with them.

    Args:
        store: where the locked tools lie.
        locked: the sha256 of each locked tool for this platform.
        declared: the names that the stage's row declares; any other is refused.
        log: the file that tool output is appended to.
        environment: what every child sees besides PATH, HOME and what it alone may know of this machine.
        secrets: values that are cut out of everything logged or shown.
        say: tells people what is being waited for.
    """

    store: ToolStore
    locked: Mapping[str, Digest]
    declared: frozenset[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    say: Callable[[str], None] = lambda _: None
    commands: list[Command] = field(default_factory=list)
    used: dict[str, Digest] = field(default_factory=dict)
    _verified: dict[str, tuple[Path, os.stat_result]] = field(default_factory=dict)

    def path(self, tool: str) -> Path:
        """Return a tool's path, verified now.

        A name that is not locked is a program of this machine (git, docker): its digest is recorded, not judged.

        Raises:
            ToolFailed: it is missing or altered.
            UsageError: the stage's row does not declare it.
        """
        if tool not in self.declared:
            raise UsageError(
                f"{tool} is not among the tools that this stage declares", remedy="add it to the stage's row"
            )
        if tool in self.locked:
            self.used[tool] = self.locked[tool]
            return self._locked(tool)
        program = sys.executable if tool == "python" else find(tool)
        if program is None:
            raise ToolFailed(
                f"{tool} is not installed on this machine",
                remedy=f"install {tool} and run this again",
                reason=FailureReason.MISSING,
            )
        if tool not in self.used:
            try:
                self.used[tool] = Digest.of_file(Path(program))
            except PermissionError as error:
                raise ToolFailed(f"{program} may be run and not read: nobody could tell what ran") from error
        return Path(program)

    async def run(
        self,
        tool: str | Path,
        *arguments: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 300,  # noqa: ASYNC109 - the bound belongs to the process, and ends its whole group
        ok: Collection[int] = (0,),
        stdout_to: Path | Held | None = None,
        on_start: Callable[[int], None] = lambda _: None,
    ) -> Completed:
        """Run a program to its end and return its output.

        Args:
            tool: the name of a declared tool, or the path of a program that the caller has verified; `python` is our
                own interpreter, and imports nothing from the directory that it stands in.
            arguments: its arguments; never a secret (everyone on the machine can read them).
            cwd: where it runs; here by default.
            env: added to PATH, HOME and the stage's own environment.
            timeout: seconds, after which the whole group is killed.
            ok: exit codes that are no failure.
            stdout_to: a file for its standard output, which is then not held in memory; or what holds it, and may stop
                the program as soon as that is full, which is no failure.
            on_start: is told its process number.

        Raises:
            ToolFailed: it is missing or altered, ran too long, or ended with another code.
        """
        name, argv = self._command(tool, arguments)
        started = time.monotonic()
        output, errors = stdout_to if isinstance(stdout_to, Held) else Held(ANSWER), Held(SHOWN)
        async with process(argv, cwd=cwd, env=self._environment(name, env)) as child:
            on_start(child.pid)
            try:
                with anyio.move_on_after(timeout) as scope:
                    await drain(child, output, errors, stdout_to if isinstance(stdout_to, Path) else None)
            except anyio.get_cancelled_exc_class():
                self._note(name, argv, -signal.SIGKILL, started, output.ends(), errors.ends())
                raise
            if scope.cancelled_caught:
                self._note(name, argv, -signal.SIGKILL, started, output.ends(), errors.ends())
                raise ToolFailed(
                    f"{name} ran for more than {timeout:g} seconds and was stopped",
                    why=self.last_words(errors.ends() or output.ends()),
                    remedy="run the stage again; if it hangs again, its log.txt has the command",
                    reason=FailureReason.TIMED_OUT,
                )
        code = child.returncode if child.returncode is not None else -1
        self._note(name, argv, code, started, output.for_log(), errors.ends())
        if code not in ok and not output.full:
            said = self.last_words(errors.ends() or output.ends())
            raise ToolFailed(
                f"{name} ended with exit code {code}",
                why=said,
                remedy="the stage's log.txt has the command and what it said",
                reason=FailureReason.said(said),
            )
        return Completed(name, code, output, errors)

    @asynccontextmanager
    async def serve(
        self,
        tool: str | Path,
        *arguments: str | Path,
        ready: Callable[[], Awaitable[bool]],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        within: float = 10,
    ) -> AsyncIterator[Process]:
        """Keep a server running for as long as the block runs; `ready` is asked until it says yes.

        Raises:
            RemoteFailed: it ended, or was not ready within `within` seconds.
        """
        name, argv = self._command(tool, arguments)
        started = time.monotonic()
        # A file, not pipes: nobody has to drain it, so the block's own failures arrive as they are, in no group.
        code = 0  # of a server that is stopped because it is no longer needed
        with tempfile.TemporaryFile() as output:
            try:
                async with process(argv, cwd=cwd, env=self._environment(name, env), output=output) as child:
                    try:
                        if not await _ready(child, ready, within):
                            why = self.last_words(_tail(output))
                            raise RemoteFailed(f"{name} did not start within {within:g} seconds", why=why)
                        yield child
                    finally:
                        code = child.returncode or 0
            finally:
                self._note(name, argv, code, started, _tail(output), b"")

    def last_words(self, output: bytes, lines: int = LAST_LINES, size: int = 8192) -> list[str]:
        """Return the last lines of an output as people may see them: readable, bounded, without secrets."""
        text = self._redact(output[-size:].decode("utf-8", "replace"))
        found = ["".join(c for c in line if c.isprintable())[:300] for line in text.splitlines() if line.strip()]
        return found[-lines:]

    def _locked(self, tool: str) -> Path:
        """Hash a locked tool, unless it is the very file that this stage has hashed already."""
        path, seen = self._verified.get(tool, (None, None))
        if path is None or seen is None or _identity(path.stat()) != _identity(seen):
            try:
                path = self.store.get(self.locked[tool])
            except VerificationFailed as failure:  # whoever changed it, a tool that is not the locked one is refused
                raise ToolFailed(
                    failure.what, why=failure.why, remedy=failure.remedy, reason=failure.reason or FailureReason.ALTERED
                ) from failure
            self._verified[tool] = (path, path.stat())
        return path

    def _command(self, tool: str | Path, arguments: Iterable[str | Path]) -> tuple[str, list[str]]:
        """Return a program's name and its command line."""
        if isinstance(tool, Path):
            return tool.name, [str(tool), *map(str, arguments)]
        ours = ("-P",) if tool == "python" else ()  # a `pip/` or `venv.py` in a project is not what -m means
        return tool, [str(self.path(tool)), *ours, *map(str, arguments)]

    def _environment(self, name: str, added: Mapping[str, str] | None) -> dict[str, str]:
        return {**base_environment(), **program_environment(name), **self.environment, **(added or {})}

    def _redact(self, text: str) -> str:
        """Replace every known secret."""
        for secret in self.secrets:
            if secret:
                text = text.replace(secret, "[redacted]")
        return text

    def _note(self, name: str, argv: list[str], code: int, started: float, output: bytes, errors: bytes) -> None:
        """Record a command and append it to the log of the stage, both without secrets."""
        arguments = tuple(self._redact(argument) for argument in argv[1:])
        self.commands.append(Command(name, arguments, code, round(time.monotonic() - started, 3)))
        # Cut when it is redacted: half a secret would be found by nobody who looks for a whole one.
        text = "".join(_bounded(self._redact(each.decode("utf-8", "replace"))) for each in (output, errors))
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {name} {shlex.join(arguments)}\n{text}[exit code {code}]\n")


async def _ready(child: Process, ready: Callable[[], Awaitable[bool]], within: float) -> bool:
    """Ask until it is ready, has ended, or the time is over; a process that has ended is never ready."""
    with anyio.move_on_after(within):
        while child.returncode is None and not await ready():
            await anyio.sleep(0.01)
    return child.returncode is None and await ready()


def _identity(stat: os.stat_result) -> tuple[int, int, int, int]:
    """Return what no writer can leave as it was: the change time moves with every write, and cannot be set back."""
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_ctime_ns)


def _bounded(text: str) -> str:
    """Return the beginning, where the first error is, and the end of what is too long for a log."""
    half, more = _LOGGED_OUTPUT // 2, len(text) - _LOGGED_OUTPUT
    return text if more <= 0 else f"{text[:half]}\n[{more} characters left out]\n{text[-half:]}"


def _tail(output: IO[bytes]) -> bytes:
    """Return the end of an output, as much as the log holds."""
    output.seek(0, os.SEEK_END)
    output.seek(max(0, output.tell() - _LOGGED_OUTPUT))
    return output.read()
