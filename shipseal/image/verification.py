"""Verify an image as a consumer does, from Python: the verb `verify` is this, and prints what it gives."""

import os
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import anyio

from shipseal.digest import Digest, Reference, split_repository
from shipseal.distribution.credentials import login
from shipseal.distribution.reaching import DIRECTLY, Reach, authorities
from shipseal.distribution.realm import require_own_realm
from shipseal.distribution.registry import Registry
from shipseal.documents.verify import VerificationDocument
from shipseal.engine.world import loopback_registry
from shipseal.errors import UsageError, VerificationFailed
from shipseal.image import external_layout, pack_layout
from shipseal.locked.inputs import Inputs
from shipseal.oci.layout import Layout
from shipseal.tools import loopback
from shipseal.tools.environment import network_environment
from shipseal.tools.toolbox import Toolbox, ToolStore
from shipseal.verification.consumer import Examination, describe, examine
from shipseal.verification.trust import Policy, TrustRoot

_TOOLS = frozenset({"oras", "olareg", "cosign"})
# distribution-spec, "Pulling manifests": a tag
_TAGGED = re.compile(r"(?P<repository>[^/@]+/[^:@]+)(?::(?P<tag>[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}))?")


@dataclass(frozen=True)
class VerifiedImage:
    """An image that satisfies a policy, and all that was found of it.

    Args:
        reference: the image, by digest: what comes next has to name it.
        found: its manifests, the statements about it and which of them satisfy the policy.
        policy: the policy.
        root: the trust root, as bytes.
        mirror: what was asked in the place of its registry, if anything was.
    """

    reference: Reference
    found: Examination
    policy: Policy
    root: bytes
    mirror: str = ""

    def document(self) -> VerificationDocument:
        """Return it for machines: docs/json.md, `verify`."""
        found = describe(self.found, self.reference, self.policy, self.root)
        if not self.mirror:
            return found
        more = f"that {self.mirror}, which was asked, lists all that the registry itself does"
        return found.model_copy(update={"mirror": self.mirror, "not_proved": (*found.not_proved, more)})


async def verify_image(
    image: str,
    policy: Policy,
    *,
    root: Path,
    store: ToolStore,
    now: datetime,
    digest: Digest | None = None,
    reach: Reach = DIRECTLY,
) -> VerifiedImage:
    """Verify an image by a policy. It writes nothing but files of its own, which are gone when it returns.

    Args:
        image: `REGISTRY/REPOSITORY@sha256:…`, `REGISTRY/REPOSITORY:TAG`, the directory of an OCI layout, or a file that
            `pack` has written.
        policy: who may sign what, and what must be there: `verification.policy_file.read_policy`.
        root: the trust root: `policy.root`.
        store: where the locked tools are.
        now: the time to judge by, with its zone.
        digest: what the image must be; None for whatever the reference names, or the one image of the layout.
        reach: how its registry is reached.

    Raises:
        VerificationFailed: it was altered, does not satisfy the policy, is another image, or the verifiers disagree.
        RemoteFailed: the registry did not answer as it should.
        ToolFailed: a tool is not in the store, was altered, failed or ran too long.
        UsageError: `image` is neither a reference nor a layout or a pack.
    """
    with tempfile.TemporaryDirectory(prefix="verify-") as directory:
        work = Path(directory)
        (work / "fetched").mkdir()
        tools = Toolbox(
            store=store,
            locked=Inputs.of_tools().locked(),
            declared=_TOOLS,
            log=work / "log.txt",
            environment=network_environment(),
            say=reach.say,
        )
        async with source(image, tools, work, reach) as (registry, reference):
            if digest and digest != reference.digest:
                raise VerificationFailed(f"{image} is another image", why=f"it is {reference.digest}, and not {digest}")
            # A run's own root is for looking at what a dry run has left, in whatever place.
            elsewhere = policy.rules.trust_root is TrustRoot.RUN or await anyio.Path(image).exists()
            published = reference.digest if elsewhere else reference
            found = await examine(registry, published, policy, root=root, tools=tools, work=work / "fetched", now=now)
    mirror = "" if await anyio.Path(image).exists() else reach.mirror
    return VerifiedImage(reference, found, policy, await anyio.Path(root).read_bytes(), mirror)


@asynccontextmanager
async def source(
    image: str, tools: Toolbox, work: Path, reach: Reach = DIRECTLY
) -> AsyncIterator[tuple[Registry, Reference]]:
    """Give the registry that has the image: its own, or for a layout or a pack one on loopback.

    Args:
        image: as `verify_image` takes it.
        tools: ORAS, and olareg for a layout.
        work: a directory for what is taken out of a pack, and for what olareg serves.
        reach: how its registry is reached.
    """
    if await anyio.Path(image).is_file():
        image = str(pack_layout.layout_of(Path(image), work / "pack").path)
    if await anyio.Path(image).is_dir():
        layout = Layout(Path(image))
        digest = layout.only_image()
        whole = external_layout.ours(layout, digest, work / "handed")
        loopback.bring_up()
        (work / "registry").mkdir()
        async with loopback_registry(tools, work / "registry", "layout", writable=True) as registry:
            await registry.push(whole.path, digest)
            yield registry, Reference("layout", "image", digest)
        return
    host, repository, tag, named = _parse(image)
    if reach.mirror and not named:
        raise UsageError(
            f"a mirror is asked by digest, and {image} names none"[:300], remedy="a mirror's tags may be old ones"
        )
    at = reach.place(host, repository)
    with login(os.environ) as found:
        tools.secrets += found.secrets
        plain = loopback.is_loopback(at[0])
        registry = Registry(tools, *at, plain and not reach.ca_file, found.environment, authorities(reach.ca_file))
        await require_own_realm(registry, found, reach.realm)
        yield registry, Reference(host, repository, Digest.parse(named) if named else await _resolve(registry, tag))


def _parse(image: str) -> tuple[str, str, str, str]:
    """Return registry, repository, tag and digest of a reference, one of the last two empty where it has only one."""
    name, at, digest = image.partition("@")
    found = _TAGGED.fullmatch(name)
    if found and (at or found["tag"]):
        try:
            return *split_repository(found["repository"]), found["tag"] or "", digest
        except ValueError as error:
            raise UsageError(f"{image} is not a reference to an image"[:300], why=str(error)) from error
    raise UsageError(
        f"{image} is neither a reference nor a layout or a pack"[:300],
        remedy="give REGISTRY/REPOSITORY@sha256:…, a directory, or a file that `pack` has written",
    )


async def _resolve(registry: Registry, tag: str) -> Digest:
    digest = await registry.resolve(tag)
    if digest is None:
        raise VerificationFailed(
            f"{registry.host}/{registry.repository} has no tag {tag}", remedy="name one that is there"
        )
    return digest
