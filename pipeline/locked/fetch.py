"""Fill a store with what the locks ask for: the one step that reaches pip's index, apt's sources and Go's proxy."""

import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from pipeline.digest import Digest
from pipeline.errors import PipelineError, VerificationFailed, flatten
from pipeline.locked.fetch_debian import fetch_packages
from pipeline.locked.fetch_python import fetch_wheels
from pipeline.locked.fetch_tools import build_tools
from pipeline.locked.inputs import TOOLS, Inputs, Missing
from pipeline.locked.store import Store
from pipeline.tools.toolbox import Toolbox

PROGRAMS = ("python", "apt-get", "go")
"""The programs of this machine that fetching may start."""

_ELSEWHERE = (
    "run `python -m pipeline store fetch` with a network; or `store fetch` and `store export FILE` where there is one, "
    "then `store import FILE` here"
)


_SUSPECT = (
    "find out who changed these bytes before anybody uses them: the store has none of them; if the new ones are right, "
    "lock them by `python -m pipeline update-locks`, for review"
)


async def fill(
    inputs: Inputs, tools: Toolbox, store: Store, say: Callable[[str], None], has: Callable[[Digest], bool]
) -> Missing:
    """Fetch and build what is missing; return what that was.

    Args:
        inputs: what the locks ask for.
        tools: `PROGRAMS` are declared in it, and it passes on how this machine reaches its networks.
        store: where everything goes, each file verified.
        say: told of each step.
        has: what counts as being there, `store.has` or `store.intact`.

    Raises:
        PipelineError: something could not be fetched; it names all that is missing, and what to type.
    """
    missing = inputs.missing(store, has)
    if not missing:
        return missing
    try:
        async with _filling(store, say):
            missing = inputs.missing(store, has)  # another run may have fetched it meanwhile
            await _fetch(missing, inputs.platform, tools, store, say)
    except (PipelineError, ExceptionGroup) as raised:
        failures = flatten(raised)
        if not all(isinstance(failure, PipelineError) for failure in failures):
            raise
        raise _explained(inputs.missing(store, has), failures, store) from raised
    return missing


async def _fetch(missing: Missing, platform: str, tools: Toolbox, store: Store, say: Callable[[str], None]) -> None:
    for group in missing.wheels:
        say(f"fetching {len(group.requirements)} wheels for {group.name}")
        await fetch_wheels(tools, store, group.requirements, group.target)
    if missing.packages:
        await fetch_packages(tools, store, missing.packages, os.environ, say)
    if missing.tools:
        await build_tools(tools, store, missing.tools, platform, TOOLS, say)


def _explained(missing: Missing, failures: list[BaseException], store: Store) -> PipelineError:
    """Say why, then name everything that is missing still: a network that is not there fails the first thing only."""
    first = next(failure for failure in failures if isinstance(failure, PipelineError))
    names = missing.names()
    shown = [*names[:8], *([f"and {len(names) - 8} more"] if len(names) > 8 else [])]
    return type(first)(
        f"{len(names)} locked inputs are not in the store {store.root} and could not be fetched",
        why=[first.what, *first.why, "missing are:", *shown],
        do=_SUSPECT
        if isinstance(first, VerificationFailed)
        else "; or ".join(part for part in (first.do, _ELSEWHERE) if part),
    )


@asynccontextmanager
async def _filling(store: Store, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Be the one run that fetches: others wait here, saying so, and then find what this one has fetched."""
    lock = store.open_lock("filling.lock")
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
