"""Start processes: the only file that does.

A child gets no input, a session of its own and an environment that is written for it; both of its outputs are drained
together, and held within bounds; when the block ends that it was started for, its whole group is killed, and what has
left that group where the system lets us see it; and where the system can, it dies with its parent.
"""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

import anyio
import anyio.lowlevel
from anyio.abc import ByteReceiveStream, Process

from shipseal.errors import FailureReason, ToolFailed
from shipseal.tools import leftovers
from shipseal.tools.environment import find
from shipseal.tools.outputs import Held

_LEFT = 5.0  # seconds for what a killed child has left in its pipes, and for the end of all that it started
_FILED = 1 << 28  # bytes of its output that go into a file
_SUBREAPER = 36  # linux/prctl.h, PR_SET_CHILD_SUBREAPER


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
    leftovers.starting()
    try:
        # Whoever is stopped here would know of no process, and the event loop kills the one that it has started, and
        # none that this one has by then. Started to the end, it is ended below, with all of its group.
        with anyio.CancelScope(shield=True):
            started = await anyio.open_process(
                [*_die_with_parent(), *argv],
                stdin=subprocess.DEVNULL,
                stdout=output or subprocess.PIPE,
                stderr=output or subprocess.PIPE,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
    except BaseException as error:
        leftovers.started(None)
        if not isinstance(error, OSError):
            raise
        raise ToolFailed(
            f"{argv[0]} cannot be started", why=str(error), remedy="run `shipseal doctor`", reason=FailureReason.MISSING
        ) from error
    leftovers.started(started.pid)
    try:
        yield started
    finally:
        _kill(started)
        with anyio.CancelScope(shield=True):
            await started.wait()
            leftovers.ended(started.pid)
            await _close(started)


async def drain(started: Process, output: Held, errors: Held, stdout_to: Path | None = None) -> None:
    """Read both outputs to their end, side by side: a child that fills the one while we wait for the other hangs."""
    async with anyio.create_task_group() as drains:
        drains.start_soon(_read, started.stdout, output, stdout_to, lambda: _kill(started))
        drains.start_soon(_read, started.stderr, errors, None)
    await started.wait()


async def _read(
    stream: ByteReceiveStream | None, into: Held, file: Path | None, stop: Callable[[], None] = lambda: None
) -> None:
    """Drain a stream to its end, whatever is kept of it: else the program would wait for us."""
    if stream is None:
        return
    if file is None:
        async for chunk in stream:
            into.extend(chunk)
            if into.full:
                stop()
        return
    async with await anyio.open_file(file, "wb") as target:
        left = _FILED
        async for chunk in stream:
            await target.write(chunk[:left])
            await target.flush()  # whoever watches the file sees what has been said
            left = max(0, left - len(chunk))


async def _close(started: Process) -> None:
    """Read what is left to the end, without which asyncio does not close a pipe; a heir of it may keep it open."""
    with anyio.move_on_after(_LEFT):
        for stream in (started.stdout, started.stderr):
            await _read(stream, Held(0), None)
        await anyio.lowlevel.checkpoint()


def _die_with_parent() -> list[str]:
    """Return the prefix that makes Linux kill a child when its parent dies; nothing where setpriv is not there."""
    setpriv = find("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _kill(started: Process) -> None:
    """End a process and all of its group, also when it has ended itself: what it left behind still is that group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(started.pid, signal.SIGKILL)
