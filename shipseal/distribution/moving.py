"""Know whether a release may go to its registry, and where its tags are, before anything is signed or moved."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from shipseal.digest import Digest
from shipseal.distribution.registry import Registry
from shipseal.distribution.tags import newer, tags_of
from shipseal.errors import RemoteFailed, UsageError
from shipseal.oci.layout import Layout


@dataclass(frozen=True)
class Moves:
    """What a release does to the tags of its registry.

    Args:
        before: where each tag is that moves, the version's own first; None where there is no such tag.
        stay: each tag of its lines that stays, with the newer release that has it.
        names: of all tags that are there, these and others.
    """

    before: Mapping[str, Digest | None]
    stay: Mapping[str, str]
    names: Sequence[str] = ()


async def moves(registry: Registry, version: str, digest: Digest, *, latest: bool = False) -> Moves:
    """Ask a registry what a release would move, `latest` among it if so told; nothing is written.

    Raises:
        RemoteFailed: the registry does not answer, or does not let this login in; or its list of
            tags lacks one that is there, so that no release in it could hold a tag back.
        SubjectFailed: the version makes no tag.
        UsageError: the version has been released with other bytes: its tag names one image, for good.
    """
    there, stay, before = await _where(registry, version, latest)
    if _unlisted(there, before):  # another release may have come between the two questions
        there, stay, before = await _where(registry, version, latest)
    if unlisted := _unlisted(there, before):
        raise RemoteFailed(
            f"{registry.host} does not list all tags of {registry.repository}",
            why=[f"{tag} is there, and not in its list" for tag in unlisted],
            remedy="let this login list tags: without that a tag could go back to an older release",
        )
    tag, now = next(iter(before.items()))
    if now and now != digest:
        raise _taken(registry, tag, now, digest)
    return Moves(before, stay, there)


async def _where(
    registry: Registry, version: str, latest: bool
) -> tuple[list[str], dict[str, str], dict[str, Digest | None]]:
    """Return all tags, those of the version's lines that stay, and where the others of the version are."""
    there = await registry.tags()
    stay = newer(version, there, latest=latest)
    moving = [tag for tag in tags_of(version, latest=latest) if tag not in stay]
    return there, stay, {tag: await registry.resolve(tag) for tag in moving}


def _unlisted(there: Collection[str], before: Mapping[str, Digest | None]) -> list[str]:
    return [tag for tag, digest in before.items() if digest and tag not in there]


def _taken(registry: Registry, tag: str, there: Digest, here: Digest) -> UsageError:
    return UsageError(
        f"{registry.host}/{registry.repository}:{tag} is another image already",
        why=(f"there  {there}", f"here   {here}"),
        remedy="give the service a new version: who has pulled this one must get the same bytes again",
    )


async def move(registry: Registry, version: str, digest: Digest, *, latest: bool = False) -> Moves:
    """Move the tags of a version to an image, its own first, and read back where they are; return where they were.

    A registry has no way to write a tag only where there is none. So it is asked right before, and right after: of two
    releases of one version that come to this at once the first one finds that it has lost its tag, and moves no other.

    Raises:
        RemoteFailed: the registry does not move one, or does not answer.
        SubjectFailed, UsageError: as `moves`; the version's own tag is another image by now.
    """
    planned = await moves(registry, version, digest, latest=latest)
    own, *lines = planned.before
    for tags in ([own], lines):
        if missing := [tag for tag in tags if planned.before[tag] != digest]:
            await registry.tag(digest, *missing)
        for tag in missing:
            await _require_moved(registry, tag, planned.before[tag], digest, own=tag == own)
    return planned


async def _require_moved(registry: Registry, tag: str, before: Digest | None, digest: Digest, *, own: bool) -> None:
    """Raise where a tag is not where it was moved to; another release may have moved that of a line since."""
    data = await registry.tagged(tag)  # its bytes, and not what a header says of them
    now = Digest.of(data) if data else None
    if now == digest:
        return
    if now is None or now == before:
        raise RemoteFailed(f"{registry.host} says that it moved the tag {tag}, and did not", remedy="run this again")
    if own:
        raise _taken(registry, tag, now, digest)


async def require_writable(registry: Registry, layout: Layout, missing: Iterable[Digest]) -> None:
    """Push the smallest blob that is missing ahead of the rest; raise `RemoteFailed` where this login may not write.

    Whether a login may write is known when it does: Docker Hub gives everybody a token, for what they may, and says no
    only to what it is used for. Where no blob is missing there is nothing to try that would leave no trace.
    """
    if blobs := sorted(missing, key=lambda blob: layout.blob(blob).stat().st_size):
        await registry.push_blob(layout.blob(blobs[0]), blobs[0])
