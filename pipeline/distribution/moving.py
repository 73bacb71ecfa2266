"""Know where a release's tags are before any of them is moved."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.digest import Digest
from pipeline.distribution.registry import Registry
from pipeline.distribution.tags import newer, tags_of
from pipeline.errors import UsageError


@dataclass(frozen=True)
class Moves:
    """What a release does to the tags of its registry.

    Args:
        before: where each tag is that moves, the version's own first; None where there is no such tag.
        stay: each tag of its lines that stays, with the newer release that has it.
    """

    before: Mapping[str, Digest | None]
    stay: Mapping[str, str]


async def moves(registry: Registry, version: str, digest: Digest) -> Moves:
    """Ask a registry what a release would move; nothing is written.

    Raises:
        RemoteFailed: the registry does not answer, or does not let this login in.
        UsageError: the version has been released with other bytes: its tag names one image, for good.
    """
    stay = newer(version, await registry.tags())
    before = {tag: await registry.resolve(tag) for tag in tags_of(version) if tag not in stay}
    tag, there = next(iter(before.items()))
    if there and there != digest:
        raise UsageError(
            f"{registry.host}/{registry.repository}:{tag} is another image already",
            why=(f"there  {there}", f"here   {digest}"),
            do="give the service a new version: who has pulled this one must get the same bytes again",
        )
    return Moves(before, stay)
