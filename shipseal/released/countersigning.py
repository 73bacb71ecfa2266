"""Build an image again whose provenance was verified; sign that it came out the same, and attach that to it.

It is signed once by each signer, however often it is built.
"""

import platform
from dataclasses import dataclass
from pathlib import Path

from shipseal.digest import Digest
from shipseal.engine.keys import code
from shipseal.errors import VerificationFailed
from shipseal.oci.differences import ComparedImage
from shipseal.oci.layout import Layout
from shipseal.project.config import Config
from shipseal.released.attachment import attach, require_signer, sign
from shipseal.released.provenance_check import Proven, prove
from shipseal.released.rebuilding import from_clone, rebuild
from shipseal.released.release_context import ReleaseContext, fetch_subjects
from shipseal.statements.builders import PredicateType, Subject
from shipseal.statements.countersignature import SAME, Machine, Rebuild, RebuildComparison, RebuildSource
from shipseal.statements.intent import intent
from shipseal.statements.rebuild import BuildClaims
from shipseal.statements.unsigned_statement import Planned
from shipseal.times import timestamp
from shipseal.verification.adoption import attached_there, signed_there
from shipseal.verification.both_verifiers import Both
from shipseal.verification.trust import Policy


@dataclass(frozen=True)
class Countersigned:
    """What was attached: the bundle, who has signed it, and whether it was there before."""

    bundle: Digest
    signer: str
    before: bool


def said_of(proven: Proven, provenance: Digest, blobs: int, ground: ReleaseContext) -> Rebuild:
    """Return what there is to sign of an image that was built again from what one provenance names."""
    record: BuildClaims = proven.records[provenance]
    return Rebuild(
        image=str(proven.reference),
        rebuilt_at=timestamp(ground.now),
        source=RebuildSource(revision=record.revision, tree=record.tree, provenance=str(provenance)),
        compared=RebuildComparison(
            platforms={name: str(each) for name, each in proven.platforms.items()}, blobs=blobs, result=SAME
        ),
        machine=Machine(
            system=f"{platform.system()} {platform.machine()}",
            python=platform.python_version(),
            pipeline=str(code()),
        ),
    )


async def countersign(
    ground: ReleaseContext, policy: Policy, both: Both, said: Rebuild, digest: Digest
) -> Countersigned:
    """Sign that an image was built again, unless this signer has said just that before, and attach it.

    Raises:
        VerificationFailed: the policy does not let this signer say it, or a verifier refuses what was signed.
        RemoteFailed: the registry, the authority or the log did not do as they should.
    """
    who = await require_signer(ground, policy, PredicateType.REBUILD)
    async with ground.world.registry(ground.tools, None, writable=True) as registry:
        layout = Layout.create(ground.work / "countersigned")
        subjects = await fetch_subjects(registry, digest, layout)
        if len(subjects) < len(said.compared.platforms) + 1:
            raise VerificationFailed(f"{registry.host} does not have all of {digest} any more")
        name = f"{registry.host}/{registry.repository}"
        planned = Planned(
            "rebuild", PredicateType.REBUILD, tuple(Subject(name, each) for each in subjects), said.predicate()
        )
        meant, found = intent(planned.canonical()), await attached_there(registry, subjects, layout)
        there = next(
            (
                each
                for each in signed_there(found, policy, both)
                if each.statement.signed.who == who and intent(each.statement.signed.statement) == meant
            ),
            None,
        )
        piece = there or await sign(ground, both, policy, planned)
        await attach(ground, registry, piece, layout, subjects)
    return Countersigned(piece.statement.bundle, who.identity, bool(there))


@dataclass(frozen=True)
class Order:
    """What is to be built again.

    Args:
        image: as `verify_image` takes it.
        policy: who may sign provenance, and countersign.
        root: the trust root.
        clone: a git clone to take the commit from; None for the project of the ground.
        configuration: where pipeline.toml is in the clone.
        attest: whether to countersign.
    """

    image: str
    policy: Policy
    root: Path
    clone: Path | None
    configuration: Path
    attest: bool


@dataclass(frozen=True)
class Rebuilt:
    """An image that came out the same: of how many blobs, from which provenance, and what people should know."""

    image: Digest
    blobs: int
    provenance: Digest
    record: BuildClaims
    notes: tuple[str, ...]
    signed: Countersigned | None


async def rebuild_proven(ground: ReleaseContext, order: Order) -> Rebuilt:
    """Verify the provenance of an image, build it again, compare every byte, and countersign where that is wanted.

    Raises:
        VerificationFailed: the provenance does not satisfy the policy, something differs, or nobody would believe the
            countersignature; or what is to be countersigned was not built from what is recorded.
        UsageError: there is no such image, or the clone does not have the commit.
        RemoteFailed: the registry or the signing services did not do as they should.
        ToolFailed: the store lacks something.
    """
    if order.attest:
        await require_signer(ground, order.policy, PredicateType.REBUILD)
    proven = await prove(
        order.image, order.policy, root=order.root, tools=ground.tools, work=ground.work, now=ground.now
    )
    digest, blobs = proven.reference.digest, proven.layout.check_image(proven.reference.digest)
    bundle, config = next(iter(proven.records)), ground.config
    if order.clone:
        (sources := ground.work / "sources").mkdir()
        bundle, files = from_clone(order.clone, proven.records, sources)
        config = Config.load(files / order.configuration)
    ground.say(f"the provenance {bundle} names {proven.records[bundle].revision}")
    records = [proven.records[bundle], *proven.records.values()]
    notes = await rebuild(ground, config, ComparedImage("recorded", proven.layout, digest), records)
    signed = None
    if order.attest:
        if notes:
            raise VerificationFailed(
                "every byte is the same, and what was built is not what was recorded",
                why=notes,
                remedy="nothing was signed: name a clone that has the recorded commit with --source",
            )
        both = Both.by(ground.tools, order.root, order.policy.keys)
        signed = await countersign(ground, order.policy, both, said_of(proven, bundle, blobs, ground), digest)
    return Rebuilt(digest, blobs, bundle, proven.records[bundle], tuple(notes), signed)
