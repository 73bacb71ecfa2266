"""Know whether a release may go to its registry, and where its tags are, before anything is signed or moved."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.digest import Digest
from pipeline.distribution.registry import Registry
from pipeline.distribution.tags import newer, tags_of
from pipeline.errors import RemoteFailed, UsageError
from pipeline.oci.layout import Layout


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
        RemoteFailed: the registry does not answer, or does not let this login in; or its list of
            tags lacks one that is there, so that no release in it could hold a tag back.
        SubjectFailed: the version makes no tag.
        UsageError: the version has been released with other bytes: its tag names one image, for good.
    """
    there = await registry.tags()
    stay = newer(version, there)
    before = {tag: await registry.resolve(tag) for tag in tags_of(version) if tag not in stay}
    if unlisted := [tag for tag, digest in before.items() if digest and tag not in there]:
        raise RemoteFailed(
            f"{registry.host} does not list all tags of {registry.repository}",
            why=[f"{tag} is there, and not in its list" for tag in unlisted],
            do="let this login list tags: without that a tag could go back to an older release",
        )
    tag, now = next(iter(before.items()))
    if now and now != digest:
        raise UsageError(
            f"{registry.host}/{registry.repository}:{tag} is another image already",
            why=(f"there  {now}", f"here   {digest}"),
            do="give the service a new version: who has pulled this one must get the same bytes again",
        )
    return Moves(before, stay)


async def require_writable(registry: Registry, layout: Layout, image: Digest) -> None:
    """Push the first blob of an image ahead of the rest; raise `RemoteFailed` where this login may not write.

    Whether a login may write is known when it does: Docker Hub gives everybody a token, for what they may, and says no
    only to what it is used for.
    """
    manifest = json.loads(layout.read(layout.image(image)[1][0].digest))
    configuration = Digest.parse(manifest["config"]["digest"])
    await registry.push_blob(layout.blob(configuration), configuration)
