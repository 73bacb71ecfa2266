"""Verify a released image right before it is deployed: by today's policy, from the registry alone, by digest."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from shipseal.digest import Digest, Reference
from shipseal.distribution.registry import Registry
from shipseal.engine.stage import Context
from shipseal.engine.workspace import scratch
from shipseal.judging.policy_files import deploy_waivers
from shipseal.oci.layout import Layout
from shipseal.statements import deployment
from shipseal.statements.equivalence import says_the_same
from shipseal.verification.consumer import examine
from shipseal.verification.decision import Statement, Unsatisfied
from shipseal.verification.trust import Policy

STEPS = ("verify", "render", "sign", "differ", "apply", "wait", "look", "ask", "receipt", "prune")
"""What a deploy does, in order. Each is said when it begins, `STEP: …`."""


@dataclass(frozen=True)
class ImageLocation:
    """Where an image is, and how it is verified.

    Args:
        registry: where it is; open to be written to, unless nothing will be said of it.
        policy: who may sign what.
        root: the trust root of the policy.
        work: a directory for what is fetched.
    """

    registry: Registry
    policy: Policy
    root: Path
    work: Path


@dataclass(frozen=True)
class Published:
    """Where verified images are: a dry run's files or a remote registry, and the policy that they are verified by."""

    files: Path | None
    policy: Policy
    root: Path


@dataclass(frozen=True)
class VerifiedRelease:
    """An image that was verified right now.

    Args:
        reference: the image.
        said: what a receipt says of that.
        digests: what its pods may run: the index, and the manifest of each platform.
        statements: what is attached to it, signed by whom the policy names.
        layout: the image, and the bundles of these statements.
    """

    reference: Reference
    said: deployment.Verification
    digests: frozenset[Digest]
    statements: tuple[Statement, ...]
    layout: Layout

    def bundle(self, statement: bytes, apart: Collection[str]) -> bytes | None:
        """Return the bundle of a statement of the same intent that is attached to the index; None without one.

        Args:
            statement: what would be signed.
            apart: keys of the predicate in which the two may differ.
        """
        for each in self.statements:
            if self.reference.digest in each.attached_to and says_the_same(each.signed.statement, statement, apart):
                return self.layout.read(each.bundle)
        return None


def say(context: Context, step: str, text: str) -> None:
    """Say that a step begins."""
    assert step in STEPS
    context.say(f"{step}: {text}")


async def verify(context: Context, place: ImageLocation, reference: Reference) -> VerifiedRelease:
    """Verify an image by today's policy.

    Raises:
        VerificationFailed: it does not pass, and no waiver of the policy's directory covers it today.
    """
    say(context, "verify", str(reference))
    work = place.work / f"verify-{uuid4().hex}"
    work.mkdir()
    waiver, bundles = "", set[Digest]()
    try:
        found = await examine(
            place.registry, reference, place.policy, root=place.root, tools=context.tools, work=work, now=context.now
        )
        for line in (line for each in found.evidence for line in each.caveats):
            context.say(line)
        statements, bundles = found.statements, {each.statement.bundle for each in found.evidence}
    except Unsatisfied as failure:
        statements, waiver = failure.statements, _waived(context, reference, failure)
    said = deployment.Verification(
        policy=place.policy.name,
        policy_digest=str(place.policy.digest),
        bundles=sorted(map(str, bundles)),
        waiver=waiver,
    )
    layout = Layout(work / "layout")
    platforms = (each.digest for each in layout.image(reference.digest)[1])
    return VerifiedRelease(reference, said, frozenset({reference.digest, *platforms}), statements, layout)


def _waived(context: Context, reference: Reference, failure: Unsatisfied) -> str:
    """Return the waiver under which an image is deployed all the same; raise the failure where there is none."""
    today = context.now.date()
    for each in deploy_waivers(context.config):
        if each.covers(reference.digest, today):
            context.say(f"deployed by a waiver of {each}, although: {failure.what}")
            return str(each)
    raise failure


@asynccontextmanager
async def published(context: Context, where: Published, *, writable: bool) -> AsyncIterator[ImageLocation]:
    """Open the registry of verified images; to be written to where something will be said of one."""
    async with (
        scratch(context) as work,
        context.world.registry(context.tools, where.files, writable=writable) as registry,
    ):
        yield ImageLocation(registry, where.policy, where.root, work)
