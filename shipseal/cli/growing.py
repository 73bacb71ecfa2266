"""Tell how much has come in so far, while a program fetches something large and says nothing."""

import argparse
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from shipseal.cli.progress import progress
from shipseal.engine.run import Event

EVERY = 3.0
"""Seconds between two lines; what is done sooner is not talked about."""


@asynccontextmanager
async def growing(directory: Path, options: argparse.Namespace) -> AsyncIterator[None]:
    """Tell the size of a directory from time to time, for as long as the block runs.

    Args:
        directory: where a program writes.
        options: of the verb, which may ask for silence, or for events.
    """
    began = time.monotonic()
    with progress(options) as show:

        async def watch() -> None:
            while True:
                await anyio.sleep(EVERY)
                size = await anyio.to_thread.run_sync(_size, directory)
                show(Event("db", "progress", f"{size / (1 << 20):.1f} MiB so far", time.monotonic() - began))

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            try:
                yield
            finally:
                group.cancel_scope.cancel()


def _size(directory: Path) -> int:
    """Return how many bytes lie below a directory whose files come and go."""
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:
            continue
    return total
