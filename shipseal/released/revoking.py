"""Revoke an image: sign that it shall not be used any more, and attach that to its index and to each platform.

The tags stay where they are. Whoever verifies refuses the image from then on, by whichever tag or digest it is named.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shipseal.digest import Digest, Reference
from shipseal.distribution.referrers import Attached
from shipseal.oci.layout import Layout
from shipseal.released.attachment import attach, sign
from shipseal.released.release_context import ReleaseContext, fetch_subjects
from shipseal.statements.builders import PredicateType, Subject
from shipseal.statements.unsigned_statement import Planned
from shipseal.verification.adoption import attached_there, signed_there
from shipseal.verification.both_verifiers import Both
from shipseal.verification.piece import SignedStatement
from shipseal.verification.revocation import Revocation, honoured, reason_of
from shipseal.verification.trust import Policy


@dataclass(frozen=True)
class RevocationOutcome:
    """What came of it.

    Args:
        reference: what was revoked.
        subjects: its manifests, each of which says so now.
        bundle: the bundle with the revocation.
        reason: why, as it is signed: an earlier revocation has its own reason.
        before: whether it was revoked already, and nothing was signed.
    """

    reference: Reference
    subjects: tuple[Digest, ...]
    bundle: Digest
    reason: str
    before: bool


async def revoke(ground: ReleaseContext, digest: Digest, said: Revocation) -> RevocationOutcome:
    """Revoke an image, or a manifest of one; where it is revoked already only what is missing is attached.

    Nothing of the image is fetched but its manifests: one that was altered can be revoked too.

    Raises:
        VerificationFailed: the policy does not let this signer revoke, or what was signed does not verify.
        UsageError: there is no such image.
        RemoteFailed: the registry, the authority or the log did not do as they should.
    """
    policy, root = ground.policy()
    both = Both.by(ground.tools, root, policy.keys)
    async with ground.world.registry(ground.tools, None, writable=True) as registry:
        layout = Layout.create(ground.work / "layout")
        subjects = await fetch_subjects(registry, digest, layout)
        there = _there(policy, both, frozenset(subjects), await attached_there(registry, subjects, layout))
        if there:
            (bundle := ground.work / "there.sigstore.json").write_bytes(there.bundle)
            await both.second(bundle, there.statement)
        piece = there or await _sign(ground, both, policy, subjects, registry.reference(digest), said)
        await attach(ground, registry, piece, layout, subjects)
    return RevocationOutcome(
        registry.reference(digest), tuple(subjects), piece.statement.bundle, reason_of(piece.statement), bool(there)
    )


def _there(
    policy: Policy, both: Both, subjects: frozenset[Digest], found: Iterable[Attached]
) -> SignedStatement | None:
    """Return the oldest revocation that counts and names all of these subjects."""
    pieces = {each.statement.bundle: each for each in signed_there(found, policy, both)}
    counting = honoured(policy, subjects, (each.statement for each in pieces.values()))
    return next((pieces[each.bundle] for each in counting if subjects <= each.subjects), None)


async def _sign(
    ground: ReleaseContext,
    both: Both,
    policy: Policy,
    subjects: Mapping[Digest, str],
    reference: Reference,
    said: Revocation,
) -> SignedStatement:
    name = f"{reference.registry}/{reference.repository}"
    planned = Planned(
        "revocation", PredicateType.REVOCATION, tuple(Subject(name, each) for each in subjects), said.predicate()
    )
    return await sign(ground, both, policy, planned)
