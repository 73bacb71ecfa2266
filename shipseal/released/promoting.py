"""Move a tag to an image that satisfies the policy right now, and see that it went there."""

import re
from dataclasses import dataclass

from shipseal.digest import Digest, Reference
from shipseal.distribution.tags import is_tag, tags_of
from shipseal.errors import RemoteFailed, SubjectFailed, UsageError
from shipseal.oci.layout import Layout
from shipseal.released.release_context import ReleaseContext
from shipseal.released.version import version_of
from shipseal.verification.consumer import examine

_LINE = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))?")


@dataclass(frozen=True)
class Move:
    """What would be done: an image, a tag, and where the tag is now; None where it is not there."""

    reference: Reference
    tag: str
    before: Digest | None


async def look(ground: ReleaseContext, digest: Digest | None, named: str, tag: str) -> Move:
    """Find out what would be moved; nothing is written.

    Args:
        ground: of the verb.
        digest: the image; None where it is named by a tag.
        named: that tag, which is resolved once.
        tag: what would be moved.

    Raises:
        UsageError: there is no such image, or a release's own tag would be moved from its image.
        RemoteFailed: the registry did not answer as it should.
    """
    if not is_tag(tag):
        raise UsageError(
            f"{tag} is not a tag that an image can have"[:300],
            why="no tag has such a name, or the registry's lists of evidence have such ones",
            remedy="give letters, digits, `.`, `_` and `-`, and 128 of them at most",
        )
    async with ground.world.registry(ground.tools, None) as registry:
        image = digest or await registry.resolve(named)
        if image is None:
            raise UsageError(
                f"{registry.host}/{registry.repository} has no tag {named}",
                remedy="name an image that was published there",
            )
        move = Move(registry.reference(image), tag, await registry.resolve(tag))
    if _own(tag) and move.before and move.before != image:
        raise _other_bytes(move, f"there  {move.before}", f"here   {image}")
    return move


async def promote(ground: ReleaseContext, move: Move) -> str:
    """Verify an image by the policy of releases, and move a tag there; return the version of the image.

    Raises:
        VerificationFailed: it was altered, was revoked or does not satisfy the policy, or the verifiers disagree.
        UsageError: the tag is another release's, or was moved meanwhile.
        RemoteFailed: the registry did not do as it should.
    """
    policy, root = ground.policy()
    digest, work = move.reference.digest, ground.work / "verified"
    work.mkdir()
    async with ground.world.registry(ground.tools, None, writable=True) as registry:
        ground.say(f"verifying {digest}")
        found = await examine(
            registry, move.reference, policy, root=root, tools=ground.tools, work=work, now=ground.now
        )
        for line in (line for each in found.evidence for line in each.caveats):
            ground.say(line)
        version = version_of(Layout(work / "layout"), digest)
        _require_fitting(move, version)
        if (now := await registry.resolve(move.tag)) != move.before:
            raise UsageError(
                f"the tag {move.tag} was moved by somebody else meanwhile",
                why=f"it was at {move.before or 'nothing'}, and is at {now or 'nothing'}",
                remedy="look at what it is now, and ask again",
            )
        if move.before != digest:
            await registry.tag(digest, move.tag)
            if (at := await registry.resolve(move.tag)) != digest:
                raise RemoteFailed(
                    f"{registry.host} says that it moved the tag {move.tag}, and did not",
                    why=f"it is at {at or 'nothing'}",
                    remedy="see whether somebody else has moved it at the same time, and run this again",
                )
    return version


def _own(tag: str) -> bool:
    """Say whether a tag is the own one of a version, which names one image for good."""
    try:
        return tags_of(tag)[0] == tag
    except SubjectFailed:
        return False


def _require_fitting(move: Move, version: str) -> None:
    """Refuse a tag that says something else of an image than the image does: a version, or the line of one."""
    if not _own(move.tag) and not _LINE.fullmatch(move.tag):
        return
    try:
        fitting = tags_of(version)
    except SubjectFailed:
        fitting = []
    if move.tag not in fitting:
        raise _other_bytes(move, f"the image says that it is of version {version or '(none)'}")


def _other_bytes(move: Move, *why: str) -> UsageError:
    line = "is the tag of one release, for good" if _own(move.tag) else "is the tag of a line of releases"
    return UsageError(
        f"{move.tag} {line}, and {move.reference.digest} is another",
        why=why,
        remedy="choose another tag for this image",
    )
