"""Count what arrives in a directory, while a program fetches it that tells nobody how far it is."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

Count = Callable[[str, int, int], None]
"""What is told of a long download: a line, and how many of how many bytes that are."""

_EVERY = 0.25  # seconds
_MEGABYTE = 1_000_000


@asynccontextmanager
async def counted(directory: Path, whole: int, count: Count | None) -> AsyncIterator[None]:
    """Tell how much of it is there, for as long as the block runs.

    Args:
        directory: where the files lie, whole and half; what is in directories below it does not count.
        whole: bytes that are to come.
        count: told in words and in bytes; without it nobody looks.
    """
    if not count:
        yield
        return

    async def tell() -> None:
        there = min(whole, await anyio.to_thread.run_sync(_bytes, directory))
        count(f"{there / _MEGABYTE:.1f} MB of {whole / _MEGABYTE:.1f} MB", there, whole)

    async def watch() -> None:
        while True:
            await tell()
            await anyio.sleep(_EVERY)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        yield
        group.cancel_scope.cancel()
    await tell()


def _bytes(directory: Path) -> int:
    """Return how much lies there; a file that is renamed meanwhile counts the next time."""
    sizes = 0
    for path in directory.iterdir():
        try:
            sizes += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return sizes
