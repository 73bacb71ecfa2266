"""Collect from a registry the bundles that are attached to an image, and nothing else that somebody has put there.

Whoever may write to a repository may attach anything to an image: rubbish, an archive of gigabytes, a million entries.
What is none of ours is passed over and put on record; of what could be ours, only so much is looked at.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

import anyio

from shipseal.digest import Digest
from shipseal.distribution.referrers import Attached, PassedOver, bundle_of, candidate, size_of
from shipseal.distribution.registry import Registry, altered_there, not_there
from shipseal.errors import RemoteFailed, flatten
from shipseal.oci.bytes import altered
from shipseal.oci.layout import Layout
from shipseal.terminal_text import line

MOST = 1000  # manifests at one subject: each release of the same bytes leaves about a dozen
MOST_BYTES = 256 << 20  # of all bundles together
_AT_ONCE = 4  # processes; each waits for the registry most of its time
_NOT_AS_IT_SAYS = "something that it names is not as it says"


@dataclass
class Collected:
    """What is attached to an image.

    Args:
        found: the bundles, and in their place the manifests that should hold one and do not.
        passed_over: what else is there, by digest as it is listed, with what it is.
    """

    found: list[Attached] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _BundleManifest:
    """A manifest that attaches one bundle, of so many bytes as it says."""

    subject: Digest
    manifest: bytes
    bundle: Digest
    size: int
    words: str


async def collect(
    registry: Registry,
    subjects: Mapping[Digest, str],
    layout: Layout,
    known: Mapping[Digest, Collection[str]] = MappingProxyType({}),
) -> Collected:
    """Fetch what is attached to each of some subjects.

    Args:
        registry: where they are.
        subjects: an index or manifests, each with words for it.
        layout: has the subjects already; the bundles are added to its blobs.
        known: manifests at each subject that need not be looked at, as they are listed.

    Raises:
        VerificationFailed: the registry gives other bytes than those of a digest.
        RemoteFailed: it did not answer as it should.
    """
    collected = Collected()
    wanted: list[_BundleManifest] = []
    for subject, words in subjects.items():
        manifests = await _manifests(registry, subject, known.get(subject, ()), collected.passed_over)
        for digest, data in sorted(manifests.items()):
            try:
                bundle = bundle_of(data, digest, subject)
            except PassedOver as reason:
                collected.passed_over[str(digest)] = str(reason)
                continue
            if bundle is None:
                collected.found.append(Attached(subject, digest, data, data))
            else:
                wanted.append(_BundleManifest(subject, data, bundle, size_of(data), words))
    bundles = await _bundles(registry, wanted, layout)
    for each in wanted:
        read = bundles[each.bundle]
        if isinstance(read, bytes) and len(read) == each.size:
            collected.found.append(Attached(each.subject, each.bundle, read, each.manifest))
        else:
            collected.passed_over[str(Digest.of(each.manifest))] = read if isinstance(read, str) else _NOT_AS_IT_SAYS
    return collected


async def _manifests(
    registry: Registry, subject: Digest, known: Collection[str], passed_over: dict[str, str]
) -> dict[Digest, bytes]:
    """Return the manifests that may attach a bundle to a subject, each checked against its digest."""
    listed = [item for item in await registry.referrers(subject) if str(item.get("digest")) not in known]
    if len(listed) > MOST:
        passed_over[str(subject)] = f"{len(listed) - MOST} more are listed there than the {MOST} that are looked at"
    found: dict[Digest, bytes] = {}
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def read(digest: Digest) -> None:
        async with limit:
            try:
                found[digest] = await registry.manifest(digest)
            except RemoteFailed as error:
                if altered_there(error):
                    raise altered("the manifest of an attestation", digest, *error.why) from error
                if not not_there(error):
                    raise
                passed_over[str(digest)] = "it is listed, and not there"

    candidates: set[Digest] = set()
    for item in listed[:MOST]:
        try:
            candidates.add(candidate(item))
        except PassedOver as reason:
            passed_over[line(str(item.get("digest")))[:100]] = str(reason)
    async with _one_failure(), anyio.create_task_group() as reads:
        for digest in candidates:
            reads.start_soon(read, digest)
    return found


async def _bundles(registry: Registry, wanted: Sequence[_BundleManifest], layout: Layout) -> dict[Digest, bytes | str]:
    """Return each bundle that is wanted, or why it is passed over; of none is more read than a manifest says of it."""
    sizes: dict[Digest, int] = {}
    words = {each.bundle: each.words for each in reversed(wanted)}
    for each in wanted:
        sizes[each.bundle] = max(each.size, sizes.get(each.bundle, 0))
    found: dict[Digest, bytes | str] = {}
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def read(digest: Digest) -> None:
        async with limit:
            found[digest] = await _bundle(registry, digest, sizes[digest], words[digest])

    left = MOST_BYTES
    async with _one_failure(), anyio.create_task_group() as reads:
        # The small ones first: what somebody says of the size of others must not keep ours from being read.
        for digest, size in sorted(sizes.items(), key=lambda item: (item[1], item[0])):
            left -= size
            if left < 0:
                found[digest] = f"more than {MOST_BYTES} bytes are attached to this image"
            else:
                reads.start_soon(read, digest)
    for data in found.values():
        if isinstance(data, bytes):
            layout.put(data)
    return found


async def _bundle(registry: Registry, digest: Digest, size: int, words: str) -> bytes | str:
    """Fetch one bundle.

    Bytes that are not those of the digest are the registry's doing, and no reason to pass it over; a size that is not
    the bundle's is another matter: whoever attached it may have written anything.
    """
    try:
        data = await registry.blob_within(digest, size)
    except RemoteFailed as error:
        if altered_there(error):
            raise altered(f"an attestation of {words}", digest, f"{registry.host} holds other bytes") from error
        if not not_there(error):
            raise
        return "something that it names is not there"
    return _NOT_AS_IT_SAYS if data is None else data


@asynccontextmanager
async def _one_failure() -> AsyncIterator[None]:
    """Raise one of the failures of a group: one is enough, and the caller handles one."""
    try:
        yield
    except ExceptionGroup as failures:
        raise flatten(failures)[0] from failures
