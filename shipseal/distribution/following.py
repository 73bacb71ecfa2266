"""Follow a push, by what ORAS says of each blob: how many of how many bytes have been sent, or were there already."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

Sent = Callable[["Progress"], None]

_EVERY = 1.0  # seconds
_LINE = re.compile(r"^(Copied|Exists) +([0-9a-f]{12})\b", re.MULTILINE)
_MOST = 16 << 20  # bytes of what ORAS says


@dataclass(frozen=True)
class Progress:
    """How far a push is, in bytes.

    Args:
        sent: in this push.
        there: of what the registry had already.
        total: of all that the push is about.
    """

    sent: int
    there: int
    total: int

    @property
    def done(self) -> int:
        """Bytes that need not be sent any more."""
        return self.sent + self.there


def sizes_of(layout: Path) -> dict[str, int]:
    """Return the size in bytes of each blob of a layout, by the beginning of its digest, as ORAS names it."""
    return {path.name[:12]: path.stat().st_size for path in (layout / "blobs" / "sha256").iterdir()}


def read_progress(said: str, sizes: Mapping[str, int]) -> Progress:
    """Return how far a push is by what ORAS has said; each blob counts once."""
    found = {name: how == "Copied" for how, name in _LINE.findall(said) if name in sizes}
    sent = sum(sizes[name] for name, new in found.items() if new)
    return Progress(sent, sum(sizes[name] for name in found) - sent, sum(sizes.values()))


@asynccontextmanager
async def following(file: Path, sizes: Mapping[str, int], tell: Sent) -> AsyncIterator[None]:
    """Tell how far a push is whenever that has changed, while the block runs, which has ORAS write into a file."""

    def now() -> Progress:
        with file.open("rb") as said:
            return read_progress(said.read(_MOST).decode("utf-8", "replace"), sizes)

    async def watch() -> None:
        last = Progress(0, 0, 0)
        while True:
            await anyio.sleep(_EVERY)
            if (found := now()).done > last.done:
                tell(found)
            last = found

    await anyio.Path(file).touch()
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        try:
            yield
        except Exception as error:  # as it is, and not in a group
            failure = error
        group.cancel_scope.cancel()
    if failure:
        raise failure
    sent = now().sent
    tell(Progress(sent, sum(sizes.values()) - sent, sum(sizes.values())))  # it says nothing of what it need not look at
