"""What a verb about released images works with: the project's registry, signer and policy, and where an image is."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shipseal.digest import Digest
from shipseal.distribution.registry import Registry, not_there
from shipseal.engine.run import Event
from shipseal.engine.world import World
from shipseal.errors import RemoteFailed, UsageError
from shipseal.locked.store import Store
from shipseal.oci.bytes import checked_json
from shipseal.oci.layout import INDEX_TYPE, Layout
from shipseal.project.config import Config
from shipseal.signing.roots import public_root
from shipseal.tools.toolbox import Toolbox
from shipseal.verification.trust import Policy

TOOLS = frozenset({"oras", "olareg", "cosign"})
_MOST_PLATFORMS = 64
_OWN = re.compile(r"(?::(?P<tag>[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")


@dataclass(frozen=True)
class ReleaseContext:
    """What a verb works with.

    Args:
        config: the project.
        tools: `TOOLS`.
        world: the one of releases.
        work: a directory that is gone when the verb ends.
        now: the time to judge by.
        say: tells what goes on.
        store: where the locked inputs are.
        observe: told of everything that happens in a run.
    """

    config: Config
    tools: Toolbox
    world: World
    work: Path
    now: datetime
    say: Callable[[str], None]
    store: Store
    observe: Callable[[Event], None]

    def policy(self) -> tuple[Policy, Path]:
        """Return the policy of releases, as it is in the checkout, and the trust root to verify with."""
        policy, directory = self.world.policy()
        return policy, policy.root(None, public_root(), directory)


def own(config: Config, text: str) -> tuple[Digest | None, str]:
    """Read what names an image of a project: `sha256:…`, `HOST/PATH@sha256:…` or `HOST/PATH:TAG`.

    Returns:
        The digest, and else the tag.

    Raises:
        UsageError: it names nothing, or something in another repository than the project's.
    """
    repository = config.image.repository
    name = f"{repository}@{text}" if text.startswith("sha256:") else text
    found = _OWN.fullmatch(name.removeprefix(repository)) if name.startswith(repository) else None
    if found and found["digest"]:
        return Digest.parse(found["digest"]), ""
    if found and found["tag"]:
        return None, found["tag"]
    raise UsageError(
        f"{text} is not an image of this project"[:300],
        why=f"pipeline.toml names the repository {repository}",
        remedy=f"give sha256:…, or {repository}@sha256:…",
    )


async def fetch_subjects(registry: Registry, digest: Digest, layout: Layout) -> dict[Digest, str]:
    """Put a manifest into a layout, and those of its platforms where it is an index; return each with words for it.

    A platform that the registry does not have any more is left out: nothing can be attached to it.

    Raises:
        UsageError: the registry has no such manifest.
        RemoteFailed: it did not answer as it should.
    """
    try:
        layout.put(await registry.manifest(digest))
    except RemoteFailed as error:
        if not not_there(error):
            raise
        raise UsageError(
            f"{registry.host}/{registry.repository} has no {digest}", remedy="name an image that was published there"
        ) from error
    found = {digest: "the image"}
    if checked_json(layout.read(digest), digest, "a manifest").get("mediaType") == INDEX_TYPE:
        for platform in layout.image(digest)[1][:_MOST_PLATFORMS]:
            try:
                layout.put(await registry.manifest(platform.digest))
            except RemoteFailed as error:
                if not not_there(error):
                    raise
            else:
                found[platform.digest] = platform.name
    return found
