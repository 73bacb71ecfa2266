"""List what was published, from the registry alone, with what the policy says of each image today."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import anyio

from shipseal.digest import Digest
from shipseal.distribution.registry import Registry
from shipseal.distribution.tags import is_tag, newest_first
from shipseal.errors import RemoteFailed, VerificationFailed, flatten
from shipseal.oci.layout import Layout
from shipseal.released.release_context import ReleaseContext
from shipseal.released.version import version_of
from shipseal.times import timestamp
from shipseal.verification.consumer import Unsigned, examine
from shipseal.verification.decision import Statement, Unsatisfied
from shipseal.verification.revocation import Revoked
from shipseal.verification.trust import Policy

MOST_TAGS = 400  # that are resolved; each costs a process
_AT_ONCE = 4
_WORDS, _LONGEST = 3, 300  # reasons that are told of each image, and characters of each


class PolicyState(StrEnum):
    """What the policy says of an image today."""

    VERIFIED = "verified"
    DENIED = "denied"
    REVOKED = "revoked"
    UNSIGNED = "unsigned"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class PublishedImage:
    """A published image.

    Args:
        digest: of what tags name.
        tags: they, the newest version first.
        version: what the image says that it is; empty where that is not known.
        signed: when it was first signed by somebody whom the policy names; None where nobody has.
        state: what the policy says of it today.
        why: in few words; empty for an image that is verified.
    """

    digest: Digest
    tags: tuple[str, ...]
    version: str
    signed: datetime | None
    state: PolicyState
    why: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        signed = timestamp(self.signed) if self.signed else None
        return {**vars(self), "digest": str(self.digest), "tags": list(self.tags), "signed": signed, "why": [*self.why]}


@dataclass(frozen=True)
class ReleaseList:
    """What was found, the newest first, and how much was not looked at."""

    releases: tuple[PublishedImage, ...]
    more_images: int
    more_tags: int


async def releases(ground: ReleaseContext, last: int) -> ReleaseList:
    """Return what tags name, each image once and judged as `verify` judges it.

    Args:
        ground: of the verb; nothing is written outside.
        last: how many images are looked at: those of the highest versions.

    Raises:
        RemoteFailed: the registry does not answer. What it lacks of one image is said of that image.
    """
    policy, root = ground.policy()
    async with ground.world.registry(ground.tools, None) as registry:
        tags = newest_first({tag for tag in await registry.tags() if is_tag(tag)})
        look = _Look(ground, registry, policy, root)
        images = await _images(registry, tags[:MOST_TAGS])
        found: list[PublishedImage] = []
        for number, (digest, names) in enumerate(list(images.items())[:last]):
            ground.say(f"looking at {digest}, {names[0]}")
            work = ground.work / f"looked-at-{number}"
            work.mkdir()
            try:
                found.append(await look.at(digest, names, work))
            finally:
                shutil.rmtree(work, ignore_errors=True)  # an image a time
    found.sort(key=lambda each: each.signed.timestamp() if each.signed else 0, reverse=True)
    return ReleaseList(tuple(found), max(0, len(images) - last), max(0, len(tags) - MOST_TAGS))


async def _images(registry: Registry, tags: Iterable[str]) -> dict[Digest, tuple[str, ...]]:
    """Return what tags name, in their order, each with all of its tags."""
    at: dict[str, Digest | None] = dict.fromkeys(tags)
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def resolve(tag: str) -> None:
        async with limit:
            at[tag] = await registry.resolve(tag)

    try:
        async with anyio.create_task_group() as questions:
            for tag in at:
                questions.start_soon(resolve, tag)
    except ExceptionGroup as failures:
        raise flatten(failures)[0] from failures  # one is enough, and the caller handles one
    found: dict[Digest, tuple[str, ...]] = {}
    for tag, digest in at.items():
        if digest:  # a list may name what was removed meanwhile
            found[digest] = (*found.get(digest, ()), tag)
    return found


@dataclass(frozen=True)
class _Look:
    """What an image is looked at with."""

    ground: ReleaseContext
    registry: Registry
    policy: Policy
    root: Path

    async def at(self, digest: Digest, tags: tuple[str, ...], work: Path) -> PublishedImage:
        """Judge one image as `verify` does, and say what came of it."""
        statements: Iterable[Statement] = ()
        state, why = PolicyState.VERIFIED, tuple[str, ...]()
        try:
            found = await examine(
                self.registry, self.registry.reference(digest), self.policy,
                root=self.root, tools=self.ground.tools, work=work, now=self.ground.now,
            )  # fmt: skip
            statements = found.statements
        except (Revoked, Unsatisfied) as failure:
            statements = failure.statements
            state, why = _state(failure), failure.why
        except VerificationFailed as failure:
            state, why = PolicyState.DENIED, (failure.what, *failure.why)
        except RemoteFailed as failure:
            state, why = PolicyState.UNKNOWN, (failure.what, *failure.why)
        signed = min((each.signed.signed_at for each in statements), default=None)
        return PublishedImage(
            digest,
            tags,
            _version(work / "layout", digest),
            signed,
            state,
            tuple(each[:_LONGEST] for each in why[:_WORDS]),
        )


def _state(failure: Revoked | Unsatisfied) -> PolicyState:
    if isinstance(failure, Revoked):
        return PolicyState.REVOKED
    return PolicyState.UNSIGNED if isinstance(failure, Unsigned) else PolicyState.DENIED


def _version(layout: Path, digest: Digest) -> str:
    try:
        return version_of(Layout(layout), digest)
    except VerificationFailed:  # it is no whole image, which its state says
        return ""
