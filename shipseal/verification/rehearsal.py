"""Judge statements before they are signed as they will be afterwards: what is in a public log is there for good.

Pure.
"""

from collections.abc import Iterable
from datetime import datetime

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.signing.identity import Certified
from shipseal.signing.roots import certifying
from shipseal.statements.builders import Signed
from shipseal.verification.decision import ImageIndex, Statement, decide
from shipseal.verification.trust import Policy


def rehearse(
    policy: Policy,
    image: ImageIndex,
    statements: Iterable[bytes],
    promise: Certified,
    now: datetime,
    there: Iterable[Statement] = (),
) -> None:
    """Raise `VerificationFailed` when statements, once signed, would not satisfy a policy.

    Args:
        policy: what `verify` will apply.
        image: what they speak of.
        statements: to be signed.
        promise: who will sign, and what the certificate will say.
        now: when they are signed.
        there: what is signed already, and stays as it is.
    """
    objections = [(rule, rule.objection(promise)) for rule in policy.signers]
    if all(objection for _, objection in objections):
        raise VerificationFailed(
            f"the policy {policy.name} does not name who would sign",
            why=(
                f"{promise.who.identity}, by {promise.who.issuer}, would sign",
                *(f"{rule}, may" if rule.identity else f"{rule}, may: {objection}" for rule, objection in objections),
            ),
            remedy="nothing was signed: sign as somebody whom the policy names, or name this signer in it",
        )
    made = [*there, *(_signed(data, promise, now) for data in statements)]
    try:
        decide(policy, image, made, {}, now=now)
    except VerificationFailed as failure:
        raise VerificationFailed(
            f"what would be signed does not satisfy the policy {policy.name}",
            why=failure.why,
            remedy="nothing was signed: correct what the policy asks for, or what this project is",
        ) from failure


def _signed(data: bytes, promise: Certified, now: datetime) -> Statement:
    """Return a statement as it will be found: attached to each of its subjects."""
    signed = Signed(data, promise.who, now, promise.claims)
    statement = Statement.read(Digest.of(data), (), signed)
    return Statement.read(statement.bundle, statement.subjects, signed)


def require_trusted(policy: Policy, root: bytes, authority: bytes) -> None:
    """Raise `VerificationFailed` when a policy's trust root lets nobody certify whom the authority's own root names."""
    if not certifying(root) & certifying(authority):
        raise VerificationFailed(
            f"the policy {policy.name} does not trust the authority that would sign",
            why=f'its trust-root is "{policy.rules.trust_root}", which names none of the same certificates',
            remedy="nothing was signed: give the policy the trust root of the authority in [sign], or sign by another",
        )
