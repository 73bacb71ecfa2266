"""See what a registry has of an image, so that what a release has changed can be told afterwards."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import anyio

from shipseal.digest import Digest
from shipseal.distribution.registry import Registry, not_there
from shipseal.errors import RemoteFailed, flatten

_AT_ONCE = 4  # processes; each waits for the registry most of its time


@dataclass(frozen=True)
class RegistryState:
    """What a registry has.

    Args:
        stored: the blobs and manifests that are there, of those asked about.
        listed: the manifests that are listed at each subject, by what the registry says of them.
    """

    stored: frozenset[Digest] = frozenset()
    listed: Mapping[Digest, frozenset[str]] = field(default_factory=dict)


async def look(
    registry: Registry, blobs: Iterable[Digest], manifests: Iterable[Digest], subjects: Iterable[Digest]
) -> RegistryState:
    """Ask a registry which blobs and manifests it has, and what it lists at some subjects.

    Raises:
        RemoteFailed: it does not answer, or does not let this login in.
    """
    stored: set[Digest] = set()
    listed: dict[Digest, frozenset[str]] = {}
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def ask(digest: Digest, blob: bool) -> None:
        async with limit:
            if await registry.has(digest, blob=blob):
                stored.add(digest)

    async def refer(subject: Digest) -> None:
        async with limit:
            listed[subject] = await _referrers(registry, subject)

    try:
        async with anyio.create_task_group() as questions:
            for digest in blobs:
                questions.start_soon(ask, digest, True)
            for digest in manifests:
                questions.start_soon(ask, digest, False)
            for subject in subjects:
                questions.start_soon(refer, subject)
    except ExceptionGroup as failures:
        raise flatten(failures)[0] from failures  # one is enough, and the caller handles one
    return RegistryState(frozenset(stored), listed)


async def _referrers(registry: Registry, subject: Digest) -> frozenset[str]:
    try:
        return frozenset(str(item.get("digest")) for item in await registry.referrers(subject))
    except RemoteFailed as error:
        if not not_there(error):
            raise
        return frozenset()
