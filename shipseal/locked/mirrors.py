"""Take inputs from mirrors: anybody's, for what comes is what the lock names or it is thrown away.

A mirror that is away, slow, cut off or wrong is told of and passed over, and the next one is asked; what none of them
has is fetched and built as if there were none. What had arrived when a run ended is where the next one goes on.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from threading import Lock
from typing import IO

import anyio
import anyio.to_thread

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.locked import listing, wheels
from shipseal.locked.arriving import Count
from shipseal.locked.inputs import Inputs, Missing
from shipseal.locked.listing import Item
from shipseal.locked.mirror_places import VARIABLE, MirrorLocation, place
from shipseal.locked.store import Store
from shipseal.tools import download

_AT_ONCE = 4  # downloads
_TRIES = 3  # of one input, each where the last one was cut off
_LARGEST = 2 << 30  # bytes of one input
_CHUNK = 1 << 18
_PATIENCE, _SLOWEST = 20, 10_000  # seconds, and bytes a second: what is slower on average is given up
_TELL, _OFTEN = 5, 0.3  # seconds between two lines about one long download, and between two steps of a bar


def named(configured: Iterable[str], environment: Mapping[str, str]) -> tuple[MirrorLocation, ...]:
    """Return the mirrors to ask, this user's own first; raise `UsageError` for what is none."""
    return tuple(place(text) for text in dict.fromkeys([*environment.get(VARIABLE, "").split(), *configured]))


@dataclass(frozen=True)
class DownloadWatch:
    """Who is told besides: `count` of long downloads, in place of lines and more often; `warn` of what was wrong."""

    count: Count | None = None
    warn: Callable[[str], None] = lambda _: None


NOBODY = DownloadWatch()


async def take(
    inputs: Inputs,
    missing: Missing,
    store: Store,
    mirrors: Sequence[MirrorLocation],
    say: Callable[[str], None],
    *,
    watch: DownloadWatch = NOBODY,
) -> list[str]:
    """Put what mirrors have of what is missing into the store.

    Args:
        inputs: what the locks ask for, by which a mirror's listing is found.
        missing: what the store lacks.
        store: where it goes, each file verified.
        mirrors: where it may come from, in this order.
        say: told of each mirror, of long downloads, and of what was wrong.
        watch: who is told besides.

    Returns:
        A line for each input that a mirror has other bytes for than the lock names.
    """
    lies: list[str] = []
    for mirror in mirrors:
        try:
            listed = await anyio.to_thread.run_sync(listed_by, mirror, inputs)
            wanted = [item for item in _wanted(missing, inputs.platform, listed) if not store.intact(item.digest)]
        except download.FAILURES as failure:
            wrong = [f"passing over {mirror.name}: {download.failure_text(failure)}"]
        else:
            found, failures = await _fetch(mirror, wanted, store, say, watch.count) if wanted else ([], [])
            lies += found
            wrong = [*found, *(f"passing over {mirror.name}: {line}" for line in failures[:1])]
        for line in wrong:
            say(line)
            watch.warn(line)
    return lies


def listed_by(mirror: MirrorLocation, inputs: Inputs) -> dict[Digest, Item]:
    """Return what a mirror lists for these locks, or for any of this platform; raise one of `download.FAILURES`."""
    *others, last = listing.names(inputs.platform, inputs.named())
    for name in others:
        try:
            return listing.read(mirror.listing(name))
        except download.FAILURES as failure:
            download.failure_text(failure)  # which closes it
    return listing.read(mirror.listing(last))


def _wanted(missing: Missing, platform: str, listed: Mapping[Digest, Item]) -> Iterator[Item]:
    """Yield what is listed of what is missing, each once; of a wheel the file that its target takes."""
    names = {digest: item.name for digest, item in listed.items()}
    digests = [tool.digest(platform) for tool in missing.tools] + [item.digest for item in missing.packages]
    for group in missing.wheels:
        digests += [wheel.digest for each in group.requirements if (wheel := wheels.choose(each, names, group.target))]
    yield from {digest: listed[digest] for digest in digests if digest in listed}.values()


async def _fetch(
    mirror: MirrorLocation, wanted: Sequence[Item], store: Store, say: Callable[[str], None], count: Count | None
) -> tuple[list[str], list[str]]:
    """Fetch what a mirror lists, several at once; return its lies, and what did not come."""
    lies: list[str] = []
    failures: list[str] = []
    limit = anyio.CapacityLimiter(_AT_ONCE)
    progress = _Progress(sum(item.size for item in wanted), say, count)
    say(f"fetching {len(wanted)} inputs, {_megabytes(progress.whole)}, from {mirror.name}")

    async def fetch(item: Item) -> None:
        async with limit:
            if failures:
                return
            try:
                await anyio.to_thread.run_sync(_take, mirror, item, store, progress, abandon_on_cancel=True)
            except VerificationFailed as failure:
                lies.append(f"{mirror.name}: {failure.what}")
            except download.FAILURES as failure:
                failures.append(f"{item.name}: {download.failure_text(failure)}")

    async with anyio.create_task_group() as group:
        for item in wanted:
            group.start_soon(fetch, item)
    return lies, failures


class _Progress:
    """Tell from time to time how much has arrived; who draws a bar is told of the first bytes and of the last, too.

    It is called from several threads.
    """

    def __init__(self, whole: int, say: Callable[[str], None], count: Count | None) -> None:
        self.whole, self.there = whole, 0
        self._count, self._every = count or (lambda text, *_: say(text)), _OFTEN if count else _TELL
        self._draws, self._told = count is not None, -inf if count else time.monotonic()
        self._lock = Lock()

    def more(self, count: int) -> None:
        with self._lock:
            self.there += count
            last = self._draws and self.there == self.whole  # what follows, the check of all that came, takes a while
            if last or time.monotonic() - self._told > self._every:
                self._told = time.monotonic()
                self._count(f"{_megabytes(self.there)} of {_megabytes(self.whole)}", self.there, self.whole)


def _take(mirror: MirrorLocation, item: Item, store: Store, progress: _Progress) -> None:
    """Fetch one input, go on where an answer was cut off, and put it into the store."""
    with store.arriving(item.digest) as file:
        if store.has(item.digest):
            return  # another run was faster
        receive(mirror, item, file, store, progress.more)
        try:
            store.receive(file, item.name, item.digest, executable=item.executable)
            store.note_origin(item.digest, mirror.name)
        except VerificationFailed:
            file.truncate(0)  # nobody goes on from other bytes
            raise


def receive(mirror: MirrorLocation, item: Item, file: IO[bytes], store: Store, more: Callable[[int], None]) -> None:
    """Read one input into a file of a store, whatever its bytes are, and go on where an answer was cut off.

    Raises:
        OSError, ValueError, HTTPException: one of `download.FAILURES`: it does not come.
    """
    for left in range(_TRIES, 0, -1):
        try:
            _append(mirror, item, file, store, more)
            break
        except download.FAILURES as failure:
            download.failure_text(failure)
            if left == 1:
                raise
    file.seek(0)


def _append(mirror: MirrorLocation, item: Item, file: IO[bytes], store: Store, more: Callable[[int], None]) -> None:
    """Read what is left of an input; raise one of `download.FAILURES` where it is not as long as it is said to be."""
    if item.size > _LARGEST:
        raise ValueError(f"it is said to have {item.size} bytes")
    start = file.seek(0, os.SEEK_END)
    if start >= item.size:
        return
    began = time.monotonic()
    with mirror.blob(item.digest, start) as (answer, at):
        file.truncate(at)
        file.seek(at)
        while chunk := _some(answer, min(_CHUNK, item.size + 1 - file.tell())):
            with store.writing(item.name):
                file.write(chunk)
            more(len(chunk))
            took = time.monotonic() - began
            if took > _PATIENCE and (file.tell() - at) / took < _SLOWEST:
                raise ValueError(f"it gives less than {_SLOWEST // 1000} kB a second")
    if file.tell() != item.size:
        raise ValueError(f"its answer has {file.tell()} bytes, and not {item.size}")


def _some(answer: IO[bytes], most: int) -> bytes:
    """Return what has come, without waiting for all of it: a slow server would be waited for as long as it likes."""
    reader = getattr(answer, "read1", answer.read)
    return bytes(reader(most)) if most > 0 else b""


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
