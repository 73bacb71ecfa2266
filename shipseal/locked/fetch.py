"""Fill a store with what the locks ask for: the one step that reaches pip's index, apt's sources and Go's proxy."""

import fcntl
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio

from shipseal.digest import Digest
from shipseal.errors import ShipsealError, VerificationFailed, flatten
from shipseal.locked.arriving import Count
from shipseal.locked.fetch_debian import fetch_packages
from shipseal.locked.fetch_python import fetch_wheels
from shipseal.locked.fetch_tools import build_tools
from shipseal.locked.inputs import TOOLS, Inputs, Missing
from shipseal.locked.mirror_places import MirrorLocation
from shipseal.locked.mirrors import NOBODY, DownloadWatch, take
from shipseal.locked.store import Store
from shipseal.tools.toolbox import Toolbox

PROGRAMS = ("python", "apt-get", "go")
"""The programs of this machine that fetching may start."""

_ELSEWHERE = (
    "run `shipseal store fetch` with a network; or `store fetch` and `store export FILE` where there is one, "
    "then `store import FILE` here"
)


_SUSPECT = (
    "find out who changed these bytes before anybody uses them: the store has none of them; if the new ones are right, "
    "lock them by `shipseal update-locks`, for review"
)


async def fill(
    inputs: Inputs,
    tools: Toolbox,
    store: Store,
    say: Callable[[str], None],
    has: Callable[[Digest], bool],
    mirrors: Sequence[MirrorLocation] = (),
    *,
    watch: DownloadWatch = NOBODY,
) -> Missing:
    """Fetch and build what is missing; return what that was.

    Args:
        inputs: what the locks ask for.
        tools: `PROGRAMS` are declared in it, and it passes on how this machine reaches its networks.
        store: where everything goes, each file verified.
        say: told of each step.
        has: what counts as being there, `store.has` or `store.intact`.
        mirrors: where what is missing may come from, before it is fetched from where it was made or built.
        watch: who is told of mirrors besides.

    Raises:
        ShipsealError: something could not be fetched; it names all that is missing, and what to type.
    """
    missing = inputs.missing(store, has)
    if not missing:
        return missing
    lies: list[str] = []
    try:
        async with _filling(store, "tools" if missing.tools else "inputs", say):
            missing = inputs.missing(store, has)  # another run may have fetched it meanwhile
            lies = await take(inputs, missing, store, mirrors, say, watch=watch)
            left = inputs.missing(store, has)
            if mirrors and left:
                say(f"no mirror has {len(left.names())} of them: fetching and building these")
            await _fetch(left, inputs.platform, tools, store, say, watch.count)
    except (ShipsealError, ExceptionGroup) as raised:
        failures = flatten(raised)
        if not all(isinstance(failure, ShipsealError) for failure in failures):
            raise
        raise _explained(inputs.missing(store, has), failures, store, lies) from raised
    return missing


async def _fetch(
    missing: Missing, platform: str, tools: Toolbox, store: Store, say: Callable[[str], None], count: Count | None
) -> None:
    for group in missing.wheels:
        say(f"fetching {len(group.requirements)} wheels for {group.name}")
        await fetch_wheels(tools, store, group.requirements, group.target)
    if missing.packages:
        await fetch_packages(tools, store, missing.packages, os.environ, say, count)
    if missing.tools:
        await build_tools(tools, store, missing.tools, platform, TOOLS, say)


def _explained(missing: Missing, failures: list[BaseException], store: Store, lies: Sequence[str]) -> ShipsealError:
    """Say why, then name everything that is missing still: a network that is not there fails the first thing only.

    Where a mirror had other bytes, and nobody has the right ones, that is what is wrong.
    """
    first = next(failure for failure in failures if isinstance(failure, ShipsealError))
    names = missing.names()
    shown = [*names[:8], *([f"and {len(names) - 8} more"] if len(names) > 8 else [])]
    if lies:
        first = VerificationFailed(
            f"a mirror has other bytes than the lock names: {lies[0]}", why=(first.what, *first.why)
        )
    return type(first)(
        f"{len(names)} locked inputs are not in the store {store.root} and could not be fetched",
        why=[first.what, *first.why, "missing are:", *shown],
        remedy=_SUSPECT
        if isinstance(first, VerificationFailed)
        else "; or ".join(part for part in (first.remedy, _ELSEWHERE) if part),
    )


@asynccontextmanager
async def _filling(store: Store, what: str, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Be the one run that fetches: others wait here, saying so, and then find what this one has fetched.

    Tools have a lock of their own: nobody waits minutes for them who only wants the rest.
    """
    lock = store.open_lock(f"filling-{what}.lock")
    try:
        if not _taken(lock):
            say(f"another run is filling the store {store.root}: waiting for it")
            while not _taken(lock):
                await anyio.sleep(0.2)
        yield
    finally:
        os.close(lock)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
