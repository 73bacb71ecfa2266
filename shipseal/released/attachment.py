"""Sign a statement about a released image, and attach it to each of its manifests: once, and seen to be listed."""

from collections.abc import Iterable

from shipseal.digest import Digest
from shipseal.distribution.listing import require_listed
from shipseal.distribution.registry import Registry
from shipseal.errors import VerificationFailed
from shipseal.oci.layout import Layout
from shipseal.released.release_context import ReleaseContext
from shipseal.signing.signer import Signer
from shipseal.statements.builders import PredicateType, SignerIdentity
from shipseal.statements.unsigned_statement import Planned
from shipseal.verification.both_verifiers import Both
from shipseal.verification.piece import SignedStatement, lay
from shipseal.verification.trust import Policy, kind_name


async def sign(ground: ReleaseContext, both: Both, policy: Policy, planned: Planned) -> SignedStatement:
    """Sign a statement as the configured signer, and have both verifiers judge it before anybody sees it.

    Raises:
        VerificationFailed: the policy does not let this signer say it, or a verifier refuses what was signed.
        RemoteFailed: the authority or the log refused, or did not answer.
    """
    kind = kind_name(planned.kind)
    statement, bundle = ground.work / f"{kind}.json", ground.work / f"{kind}.sigstore.json"
    async with ground.world.signer(ground.tools, ground.work) as signer:
        _require_allowed(policy, signer, planned.kind)
        statement.write_bytes(planned.canonical())
        ground.say(f"signing the {kind}")
        return await both.sign(signer, statement, bundle, {})


async def require_signer(ground: ReleaseContext, policy: Policy, kind: PredicateType) -> SignerIdentity:
    """Return who would sign; raise `VerificationFailed` where the policy does not let them sign this kind."""
    async with ground.world.signer(ground.tools, ground.work) as signer:
        return _require_allowed(policy, signer, kind)


def _require_allowed(policy: Policy, signer: Signer, kind: PredicateType) -> SignerIdentity:
    promise = signer.promise({})
    if not policy.allows(promise, kind):
        raise VerificationFailed(
            f"the policy {policy.name} does not let this signer sign a {kind_name(kind)}",
            why=f"{promise.who.identity}, by {promise.who.issuer}, would sign",
            remedy="nothing was signed: name this signer in verification.toml, or do it as somebody whom it names",
        )
    return promise.who


async def attach(
    ground: ReleaseContext, registry: Registry, piece: SignedStatement, layout: Layout, subjects: Iterable[Digest]
) -> None:
    """Attach a signed statement to each of some subjects that does not have it.

    Args:
        ground: of the verb.
        registry: has the subjects.
        piece: the statement.
        layout: has the manifests of the subjects.
        subjects: their digests.

    Raises:
        RemoteFailed: the registry refuses it, or does not list it.
    """
    for subject in subjects:
        if subject not in piece.missing:
            continue
        ground.say(f"attaching it to {subject}")
        (referrer,) = lay([piece], layout, [layout.described(subject)])
        await registry.push(layout.path, Digest.parse(referrer["digest"]), recursive=False)
        await require_listed(registry, subject, [referrer], ground.work)
