"""Collect from a registry the bundles that are attached to an image, and nothing else that somebody has put there.

Whoever may write to a repository may attach anything to an image: rubbish, an archive of gigabytes, a million entries.
What is none of ours is passed over and put on record; of what could be ours, only so much is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio

from pipeline.digest import Digest
from pipeline.distribution.referrers import Attached, PassedOver, bundle_of, candidate
from pipeline.distribution.registry import Registry, altered_there, not_there
from pipeline.errors import RemoteFailed, flatten
from pipeline.oci.bytes import altered
from pipeline.oci.layout import Layout

MOST = 1000  # manifests at one subject: each release of the same bytes leaves about a dozen
MOST_BYTES = 256 << 20  # of all bundles together
_AT_ONCE = 4  # processes; each waits for the registry most of its time


@dataclass
class Collected:
    """What is attached to an image.

    Args:
        found: the bundles, and in their place the manifests that should hold one and do not.
        passed_over: what else is there, by digest as it is listed, with what it is.
    """

    found: list[Attached] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)


async def collect(registry: Registry, subjects: Mapping[Digest, str], layout: Layout) -> Collected:
    """Fetch what is attached to each of some subjects.

    Args:
        registry: where they are.
        subjects: an index or manifests, each with words for it.
        layout: has the subjects already; the bundles are added to its blobs.

    Raises:
        VerificationFailed: the registry gives other bytes than those of a digest.
        RemoteFailed: it did not answer as it should.
    """
    collected = Collected()
    for subject, words in subjects.items():
        manifests = await _manifests(registry, subject, collected.passed_over)
        for digest, data in sorted(manifests.items()):
            try:
                bundle = bundle_of(data, digest, subject)
                if bundle is not None:
                    await _fetch(registry, digest, bundle, layout, words)
                    _require_room(collected, layout, bundle)
            except PassedOver as reason:
                collected.passed_over[str(digest)] = str(reason)
                continue
            if bundle is None:
                collected.found.append(Attached(subject, digest, data, data))
            else:
                collected.found.append(Attached(subject, bundle, layout.read(bundle), data))
    return collected


async def _manifests(registry: Registry, subject: Digest, passed_over: dict[str, str]) -> dict[Digest, bytes]:
    """Return the manifests that may attach a bundle to a subject, each checked against its digest."""
    listed = await registry.referrers(subject)
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
            passed_over[str(item.get("digest"))[:100]] = str(reason)
    try:
        async with anyio.create_task_group() as reads:
            for digest in candidates:
                reads.start_soon(read, digest)
    except ExceptionGroup as failures:
        raise flatten(failures)[0] from failures  # one is enough, and the caller handles one
    return found


async def _fetch(registry: Registry, manifest: Digest, bundle: Digest, layout: Layout, words: str) -> None:
    """Have a bundle in a layout; no more is read of it than its manifest says."""
    if layout.blob(bundle).exists():
        return
    try:
        await registry.pull(manifest, layout.path)
    except RemoteFailed as error:
        if not_there(error):
            raise PassedOver("something that it names is not there") from error
        if not altered_there(error):
            raise
        await _tell_altered(registry, bundle, words)
        raise PassedOver("something that it names is not as it says") from error


async def _tell_altered(registry: Registry, bundle: Digest, words: str) -> None:
    """Raise `VerificationFailed` when a bundle's bytes are not its digest's, which only the registry itself can do.

    A size that is not the bundle's is another matter: whoever attached it may have written anything.
    """
    try:
        await registry.try_blob(bundle)
    except RemoteFailed as failure:
        if altered_there(failure):
            raise altered(f"an attestation of {words}", bundle, f"{registry.host} holds other bytes") from failure


def _require_room(collected: Collected, layout: Layout, bundle: Digest) -> None:
    sizes = {each.digest: len(each.bundle) for each in collected.found}
    if sum(sizes.values()) + layout.blob(bundle).stat().st_size > MOST_BYTES and bundle not in sizes:
        raise PassedOver(f"more than {MOST_BYTES} bytes are attached to this image")
