"""Run async work from the command line, so that Ctrl-C and SIGTERM end every child and leave whole results."""

import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from pipeline.errors import Stopped

T = TypeVar("T")


def run_async(work: Callable[[], Awaitable[T]]) -> T:
    """Run the work to its end; raise `KeyboardInterrupt` or `Stopped` when a signal ended it."""
    stopped: list[signal.Signals] = []
    results: list[T] = []

    async def listen(working: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for number in signals:
                stopped.append(number)
                working.cancel()

    async def main() -> None:
        async with anyio.create_task_group() as listening:
            with anyio.CancelScope() as working:
                listening.start_soon(listen, working)
                results.append(await work())
            # Only now: a second Ctrl-C may not reach Python's own handler while the stages clean up.
            listening.cancel_scope.cancel()

    before = signal.getsignal(signal.SIGTERM)
    try:
        anyio.run(main)
    finally:
        signal.signal(signal.SIGTERM, before)  # the receiver leaves the system's own, which ends a process at once
    if not results:
        raise KeyboardInterrupt if stopped[0] == signal.SIGINT else Stopped
    return results[0]
