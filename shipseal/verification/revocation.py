"""Say that an image shall not be used any more, and find out whether somebody who may has said so. Pure.

The predicate type is ours, and described in docs/releases.md: there is no common one. A revocation is a statement as
any other, beside the image: whoever may write to the registry can take it away, and nobody can forge one.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Annotated

from pydantic import Field

from shipseal.digest import Digest
from shipseal.errors import UsageError, VerificationFailed
from shipseal.signing.identity import Certified
from shipseal.statements.builders import PredicateType
from shipseal.statements.in_toto import Statement
from shipseal.statements.predicates import Own, read
from shipseal.times import timestamp
from shipseal.verification.trust import Policy

LONGEST_REASON = 500  # characters


class Revoked(VerificationFailed):
    """Somebody who may has revoked the image. `statements` are those whose signatures are accepted."""

    statements: tuple[Statement, ...] = ()


class Revocation(Own):
    """Why an image shall not be used, and since when."""

    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]
    revoked_at: str


def revocation(reason: str, now: datetime) -> Revocation:
    """Return what is to be signed; raise `UsageError` where the reason says nothing, or is no line of text."""
    if not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise UsageError(
            "the reason cannot be shown",
            why=f"it is one line of text, of {LONGEST_REASON} characters at most",
            remedy="say with --reason why nobody shall use this image: it is shown to whoever tries",
        )
    return Revocation(reason=reason.strip(), revoked_at=timestamp(now))


def honoured(policy: Policy, manifests: Collection[Digest], statements: Iterable[Statement]) -> list[Statement]:
    """Return the revocations of an image that count, the oldest first.

    One that names any manifest of the image counts, wherever it is attached, whatever repository it was made for, and
    however little its content says: whoever signed it meant these bytes.

    Args:
        policy: who may sign one.
        manifests: the index, and the manifest of each platform.
        statements: whose signatures are accepted.
    """
    found = [
        each
        for each in _about(manifests, statements)
        if policy.allows(Certified.of(each.signed), PredicateType.REVOCATION)
    ]
    return sorted(found, key=lambda each: (each.signed.signed_at, each.bundle))


def _about(manifests: Collection[Digest], statements: Iterable[Statement]) -> Iterator[Statement]:
    for each in statements:
        if each.kind == PredicateType.REVOCATION and each.subjects & frozenset(manifests):
            yield each


def reason_of(statement: Statement) -> str:
    """Return why an image was revoked, in the signer's words."""
    try:
        return read(Revocation, statement.predicate).reason
    except ValueError as error:
        return f"no reason that can be read ({error})"


def describe(statement: Statement) -> str:
    """Return what a revocation says, who has signed it, and when."""
    signed = statement.signed
    by = f"revoked on {timestamp(signed.signed_at)} by {signed.who.identity}, in {statement.bundle}"
    return f"{reason_of(statement)}: {by}"


def require_not_revoked(
    policy: Policy, image: Digest, manifests: Collection[Digest], statements: Iterable[Statement]
) -> None:
    """Raise `Revoked` where somebody whom the policy lets revoke has revoked an image, or a platform of it."""
    if found := honoured(policy, manifests, statements):
        raise Revoked(
            f"{image} was revoked",
            why=[describe(each) for each in found],
            remedy="do not use this image; a revocation is not taken back: publish other bytes, and use those",
        )


def passed_over(policy: Policy, manifests: Collection[Digest], statements: Iterable[Statement]) -> dict[str, str]:
    """Return the revocations of an image that do not count, by the digest of the bundle, with who has signed them.

    Args:
        policy: who may sign one.
        manifests: the index, and the manifest of each platform.
        statements: whose signatures are good, whoever has made them.
    """
    return {
        str(each.bundle): f"a revocation ({reason_of(each)}) by {each.signed.who.identity}, who may not revoke"
        for each in _about(manifests, statements)
        if not policy.allows(Certified.of(each.signed), PredicateType.REVOCATION)
    }
