"""Run async work from the command line, so that Ctrl-C and SIGTERM end every child and leave whole results."""

import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from pipeline.cli.ending import Stopped

T = TypeVar("T")


def run_async(work: Callable[[], Awaitable[T]]) -> T:
    """Run the work to its end; raise `KeyboardInterrupt` or `Stopped` when a signal ended it."""
    stopped: list[signal.Signals] = []
    results: list[T] = []

    async def listen(scope: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for number in signals:
                stopped.append(number)
                scope.cancel()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(listen, group.cancel_scope)
            results.append(await work())
            group.cancel_scope.cancel()

    anyio.run(main)
    if not results:
        raise KeyboardInterrupt if stopped[0] == signal.SIGINT else Stopped
    return results[0]
