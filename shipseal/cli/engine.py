"""Run async work from the command line, so that Ctrl-C and SIGTERM end every child and leave whole results."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from shipseal.errors import Stopped

T = TypeVar("T")

_STOPS = (signal.SIGINT, signal.SIGTERM)


def run_async(work: Callable[[], Awaitable[T]]) -> T:
    """Run the work to its end; raise `KeyboardInterrupt` or `Stopped` when a signal ended it.

    The handlers are ours from before the loop begins until after it is closed: asyncio's own give a signal back to
    Python while the loop is still being taken apart, and a second Ctrl-C would then leave it in pieces.
    """
    stopped: list[int] = []
    results: list[T] = []
    cancel: list[Callable[[], object]] = []

    def stop(number: int, _: object) -> None:
        stopped.append(number)
        if cancel:
            cancel[0]()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as working:
            # A handler runs between two instructions of whatever runs: only the loop itself may cancel.
            cancel.append(lambda: loop.call_soon_threadsafe(working.cancel))
            if stopped:
                working.cancel()
            try:
                results.append(await work())
            finally:
                cancel.clear()

    before = {number: signal.signal(number, stop) for number in _STOPS}
    try:
        anyio.run(main)
    finally:
        if results or not stopped:  # else it is over, and whoever stops us once more is not heard
            for number, handler in before.items():
                signal.signal(number, handler)
    if not results:
        raise KeyboardInterrupt if stopped[0] == signal.SIGINT else Stopped
    return results[0]
