"""Decide about an image as a consumer would: is all there that the policy requires, and does it say what it should?

Verified statements in; the evidence for each requirement, or the reasons against the image, out. Whether signatures are
good is not judged here (`verifiers` and `cosign` do); whether the right people said the right things is. Pure.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from pipeline.attestation.contents import About, object_to
from pipeline.attestation.statements import STATEMENT_TYPE, PredicateType, Signed
from pipeline.attestation.trust import Policy, Scope, TrustRoot, kind_name
from pipeline.digest import Digest
from pipeline.errors import VerificationFailed

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Unsatisfied(VerificationFailed):
    """Nothing is wrong with the bytes, and what is said of them does not satisfy the policy.

    `statements` are those whose signatures are accepted all the same, where the caller of `decide` has told them.
    """

    statements: "tuple[Statement, ...]" = ()


@dataclass(frozen=True)
class Image:
    """What is judged: an image index and its platforms.

    Args:
        digest: of the index.
        platforms: digest of each platform's manifest.
        name: the repository that statements about it must name; empty where any will do.
    """

    digest: Digest
    platforms: Mapping[str, Digest]
    name: str = ""

    def scopes(self, scope: Scope) -> Iterator[tuple[str, frozenset[Digest]]]:
        """Yield what a required statement must speak of, with words for it."""
        if scope is Scope.IMAGE:
            yield "the image", frozenset({self.digest, *self.platforms.values()})
        else:
            for name, digest in self.platforms.items():
                yield name, frozenset({self.digest, digest})


@dataclass(frozen=True)
class Statement:
    """A verified in-toto statement, the bundle that it came in, and the manifests that the bundle is attached to.

    `names` are those that it gives to its subjects; empty where it gives none.
    """

    bundle: Digest
    attached_to: frozenset[Digest]
    signed: Signed
    kind: str
    subjects: frozenset[Digest]
    names: frozenset[tuple[Digest, str]]
    predicate: object

    @classmethod
    def read(cls, bundle: Digest, attached_to: Iterable[Digest], signed: Signed) -> Self:
        """Read what was signed; raise `VerificationFailed` when it is no in-toto statement of version 1."""
        match _json(signed.statement):
            case {"_type": str(version), "subject": list(subjects), "predicateType": str(kind), **rest} if (
                version == STATEMENT_TYPE
            ):
                named = frozenset(_subjects(subjects))
                places, about = frozenset(attached_to), frozenset(digest for digest, _ in named)
                return cls(bundle, places, signed, kind, about, named, rest.get("predicate"))
        raise VerificationFailed("what was signed is not an in-toto statement of version 1")

    def speaks_of(self, subject: Digest) -> bool:
        """Say whether it is attached to a subject and names it."""
        return subject in self.attached_to and subject in self.subjects


@dataclass(frozen=True)
class Evidence:
    """One required statement, and the bundle that satisfies it."""

    kind: PredicateType
    scope: str
    statement: Statement


def decide(
    policy: Policy, image: Image, statements: Sequence[Statement], refused: Mapping[str, str]
) -> tuple[Evidence, ...]:
    """Return the evidence for each thing that the policy requires.

    One digest may carry several statements of a kind (two commits can give the same image): any that satisfies will do.

    Args:
        policy: what is required.
        image: what is judged.
        statements: whose signatures both verifiers accept, of signers that the policy names.
        refused: the bundles whose signatures were not accepted, with the reason.

    Raises:
        Unsatisfied: something required is not there; the reasons say why each candidate did not do.
    """
    found: list[Evidence] = []
    reasons: list[str] = []
    for kind, scope in policy.require.items():
        for words, subjects in image.scopes(scope):
            try:
                found.append(Evidence(kind, words, _one(policy, kind, subjects, image.name, statements)))
            except VerificationFailed as failure:
                reasons += [f"{kind_name(kind)} for {words}: {line}" for line in (failure.why or (failure.what,))]
    if reasons:
        raise Unsatisfied(
            f"{image.digest} does not satisfy the policy {policy.name}",
            why=[*reasons, *_refusals(refused)],
            do="do not use this image; whoever published it can see here what is missing",
        )
    return tuple(found)


def _refusals(refused: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each reason: when a trust root is the wrong one, every bundle is refused for the same."""
    bundles: dict[str, list[str]] = {}
    for digest, reason in sorted(refused.items()):
        bundles.setdefault(reason, []).append(digest)
    for reason, digests in bundles.items():
        were = "was" if len(digests) == 1 else f"and {len(digests) - 1} more were"
        yield f"{digests[0]} {were} refused: {reason}"


def _one(
    policy: Policy, kind: PredicateType, subjects: frozenset[Digest], name: str, statements: Iterable[Statement]
) -> Statement:
    objections: list[str] = []
    for statement in statements:
        if statement.kind != kind or not subjects <= statement.subjects:
            continue
        objection = _objection(policy, kind, subjects, name, statement)
        if objection is None:
            return statement
        objections.append(f"{statement.bundle}: {objection}")
    raise VerificationFailed("not there", why=objections or "nothing that an allowed signer signed says so")


def _objection(
    policy: Policy, kind: PredicateType, subjects: frozenset[Digest], name: str, statement: Statement
) -> str | None:
    if not policy.allows(statement.signed.who, kind):
        return f"{statement.signed.who.identity} may not sign this"
    if not subjects <= statement.attached_to:
        missing = ", ".join(map(str, sorted(subjects - statement.attached_to)))
        return f"it is not attached to {missing}"
    if name and (others := {other for digest, other in statement.names if digest in subjects} - {name, ""}):
        return f"it was made for {', '.join(sorted(others))}, and this is {name}"
    real = policy.rules.trust_root is not TrustRoot.RUN
    return object_to(kind, statement.predicate, About(statement.signed, subjects, policy.rules.source, real))


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _subjects(subjects: Iterable[object]) -> Iterator[tuple[Digest, str]]:
    """Yield the digests that a statement names, with the names for them; what is malformed names nothing."""
    for subject in subjects:
        match subject:
            case {"digest": {"sha256": str(digits)}, **rest} if _SHA256.fullmatch(digits):
                yield Digest("sha256", digits), str(rest.get("name") or "")
