"""Start processes: the only file that does.

A child gets no input, a session of its own and an environment that is written for it; both of its outputs are drained
together; when the block ends that it was started for, its whole group is killed; and where the system can, it dies with
its parent.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import anyio
import anyio.lowlevel
from anyio.abc import ByteReceiveStream, Process

from pipeline.errors import ToolFailed

_LEFT = 5.0  # seconds for what a killed child has left in its pipes, and for the end of all that it started
_HELD = 1 << 20  # bytes of its beginning and as many of its end that are held of what a child says on stderr
_FILED = 1 << 28  # bytes of its output that go into a file


@asynccontextmanager
async def process(
    argv: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str],
    output: IO[bytes] | None = None,
) -> AsyncIterator[Process]:
    """Have a process for as long as the block runs, and none of what it started afterwards.

    Args:
        argv: the program's path and its arguments; never a secret (everyone on the machine can read them).
        cwd: where it runs; here by default.
        env: all that it sees.
        output: a file for both of its outputs; pipes by default, which `drain` empties.

    Raises:
        ToolFailed: it cannot be started.
    """
    try:
        started = await anyio.open_process(
            [*_die_with_parent(), *argv],
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=output or subprocess.PIPE,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
    except OSError as error:
        raise ToolFailed(
            f"{argv[0]} cannot be started", why=str(error), do="run `python -m pipeline doctor`"
        ) from error
    try:
        yield started
    finally:
        _kill(started)
        with anyio.CancelScope(shield=True):
            await started.wait()
            await _close(started)


async def drain(started: Process, output: bytearray, errors: bytearray, stdout_to: Path | None = None) -> None:
    """Read both outputs to their end, side by side: a child that fills the one while we wait for the other hangs.

    What a child says on stderr is for people, who read its beginning and its end: it is held no further than that.
    """
    async with anyio.create_task_group() as drains:
        drains.start_soon(_read, started.stdout, output, stdout_to)
        drains.start_soon(_read_ends, started.stderr, errors)
    await started.wait()


async def _read(stream: ByteReceiveStream | None, into: bytearray, file: Path | None) -> None:
    if stream is None:
        return
    if file is None:
        async for chunk in stream:
            into.extend(chunk)
        return
    async with await anyio.open_file(file, "wb") as target:
        left = _FILED
        async for chunk in stream:
            await target.write(chunk[:left])
            await target.flush()  # whoever watches the file sees what has been said
            left = max(0, left - len(chunk))


async def _read_ends(stream: ByteReceiveStream | None, into: bytearray) -> None:
    if stream is None:
        return
    async for chunk in stream:
        into.extend(chunk)
        if len(into) > 3 * _HELD:  # seldom: what is cut out has to be moved over
            del into[_HELD:-_HELD]


async def _close(started: Process) -> None:
    """Read what is left to the end, without which asyncio does not close a pipe; a heir of it may keep it open."""
    with anyio.move_on_after(_LEFT):
        for stream in (started.stdout, started.stderr):
            await _read(stream, bytearray(), None)
        await anyio.lowlevel.checkpoint()


def _die_with_parent() -> list[str]:
    """Return the prefix that makes Linux kill a child when its parent dies; nothing where setpriv is not there."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _kill(started: Process) -> None:
    """End a process and all that it started; they are one session, hence one group."""
    if started.returncode is None:
        try:
            os.killpg(started.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
