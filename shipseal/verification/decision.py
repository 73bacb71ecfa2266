"""Decide about an image as a consumer would: is all there that the policy requires, and does it say what it should?

Verified statements in; the evidence for each requirement, or the reasons against the image, out. Whether signatures are
good is not judged here (`verifiers` and `cosign` do); whether the right people said the right things is. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.signing.identity import Certified
from shipseal.statements.builders import PredicateType, Signed
from shipseal.statements.in_toto import Statement
from shipseal.times import timestamp
from shipseal.verification.contents import About, check_predicate
from shipseal.verification.freshness import AGEING, database_too_old, denies, ended, too_old, unjudged
from shipseal.verification.grounds import Ground, Lacking, Objection, UnmetRequirement
from shipseal.verification.revocation import require_not_revoked
from shipseal.verification.trust import Policy, Scope, Tested, TrustRoot, kind_name

__all__ = ["Evidence", "ImageIndex", "Statement", "Unsatisfied", "decide"]


class Unsatisfied(VerificationFailed):
    """Nothing is wrong with the bytes, and what is said of them does not satisfy the policy.

    `statements` are those whose signatures are accepted all the same, and `refused` has why others are not, where the
    caller of `decide` has told them; `unmet` is what is missing, for code.
    """

    statements: "tuple[Statement, ...]" = ()
    refused: Mapping[str, VerificationFailed] = MappingProxyType({})
    unmet: frozenset[UnmetRequirement] = frozenset()


@dataclass(frozen=True)
class ImageIndex:
    """What is judged: an image index and its platforms.

    Args:
        digest: of the index.
        platforms: digest of each platform's manifest.
        name: the repository that statements about it must name; empty where any will do.
    """

    digest: Digest
    platforms: Mapping[str, Digest]
    name: str = ""

    @property
    def manifests(self) -> frozenset[Digest]:
        """The index, and the manifest of each platform."""
        return frozenset({self.digest, *self.platforms.values()})

    def scopes(self, scope: Scope) -> Iterator[tuple[str, frozenset[Digest]]]:
        """Yield what a required statement must speak of, with words for it."""
        if scope is Scope.IMAGE:
            yield "the image", self.manifests
        else:
            for name, digest in self.platforms.items():
                yield name, frozenset({self.digest, digest})


@dataclass(frozen=True)
class Evidence:
    """One required statement, the bundle that satisfies it, and what people must hear of it all the same."""

    kind: PredicateType
    scope: str
    statement: Statement
    caveats: tuple[str, ...] = ()


def decide(
    policy: Policy, image: ImageIndex, statements: Sequence[Statement], refused: Mapping[str, str], *, now: datetime
) -> tuple[Evidence, ...]:
    """Return the evidence for each thing that the policy requires.

    One digest may carry several statements of a kind (two commits can give the same image): any that satisfies will do,
    but for scans, VEX documents and verdicts. Of these the newest counts that is what it should be, and a verdict that
    does not allow the image counts wherever it is attached.

    Args:
        policy: what is required.
        image: what is judged.
        statements: whose signatures both verifiers accept, of signers that the policy names.
        refused: the bundles whose signatures were not accepted, with the reason.
        now: the time to judge by.

    Raises:
        Revoked: somebody who may has revoked it, and nothing else matters.
        Unsatisfied: something required is not there; the reasons say why each candidate did not do.
    """
    require_not_revoked(policy, image.digest, image.manifests, statements)
    found: list[Evidence] = []
    reasons: list[str] = []
    unmet: set[UnmetRequirement] = set()
    for kind, scope in policy.require.items():
        for words, places in _places(policy, image, kind, scope):
            try:
                wanted = [_RequiredStatement(policy, image, now, kind, *place) for place in places]
                found.append(_first(wanted, statements))
            except Lacking as failure:
                reasons += [f"{kind_name(kind)} for {words}: {line}" for line in failure.why]
                unmet |= failure.of(kind)
    if unjudged := list(_unjudged(found)):
        reasons += unjudged
        unmet.add(UnmetRequirement(PredicateType.VERDICT, Ground.UNJUDGED))
    if reasons:
        unsatisfied = Unsatisfied(
            f"{image.digest} does not satisfy the policy {policy.name}",
            why=[*reasons, *_refusals(refused)],
            remedy="do not use this image; whoever published it can see here what is missing",
        )
        unsatisfied.unmet = frozenset(unmet)
        raise unsatisfied
    return tuple(found)


def _places(
    policy: Policy, image: ImageIndex, kind: PredicateType, scope: Scope
) -> Iterator[tuple[str, list[tuple[str, frozenset[Digest]]]]]:
    """Yield what a statement must be about, in words, and the places of which one will do."""
    if (kind, scope, policy.rules.test_result_of) == (PredicateType.TEST_RESULT, Scope.IMAGE, Tested.IMAGE):
        yield "one of its platforms", list(image.scopes(Scope.PLATFORM))  # an image is not started: its platforms are
    else:
        yield from ((place[0], [place]) for place in image.scopes(scope))


def _first(wanted: "Iterable[_RequiredStatement]", statements: Sequence[Statement]) -> Evidence:
    """Return what satisfies the first that is satisfied; raise `Lacking` with all objections if none is."""
    objections: dict[Objection, None] = {}
    for each in wanted:
        try:
            return each.among(statements)
        except Lacking as failure:
            objections |= dict.fromkeys(failure.objections)
    raise Lacking(objections)


def _refusals(refused: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each reason: when a trust root is the wrong one, every bundle is refused for the same."""
    bundles: dict[str, list[str]] = {}
    for digest, reason in sorted(refused.items()):
        bundles.setdefault(reason, []).append(digest)
    for reason, digests in bundles.items():
        were = "was" if len(digests) == 1 else f"and {len(digests) - 1} more were"
        yield f"{digests[0]} {were} refused: {reason}"


def _unjudged(found: Sequence[Evidence]) -> Iterator[str]:
    scans = [(each.scope, each.statement.predicate) for each in found if each.kind is PredicateType.VULNS]
    for each in found:
        if each.kind is PredicateType.VERDICT:
            yield from (f"verdict for {each.scope}: {line}" for line in unjudged(each.statement.predicate, scans))


@dataclass(frozen=True)
class _RequiredStatement:
    """A statement that is required: of a kind, about some of the image's manifests."""

    policy: Policy
    image: ImageIndex
    now: datetime
    kind: PredicateType
    words: str
    subjects: frozenset[Digest]

    def among(self, statements: Iterable[Statement]) -> Evidence:
        """Return the one that counts; raise `Lacking` with the objections when none does."""
        objections: list[Objection] = []
        candidates = [each for each in statements if each.kind == self.kind]
        if self.kind in AGEING:
            # Of two of one second the one that denies goes first: a log's time may have no fractions.
            candidates.sort(key=lambda each: (each.signed.signed_at, denies(each.kind, each.predicate)), reverse=True)
        for each in candidates:
            if self._denied_by(each):
                denial = f"{_dated(each)}: the verdict is not to allow this image, and no older one overrules it"
                raise Lacking([*objections, Objection(Ground.DENIED, denial)])
            if self.subjects <= each.subjects:
                objection = self._objection(each)
                if objection is None:
                    return Evidence(self.kind, self.words, each, (*self._passed_over(objections), *self._ended(each)))
                objections.append(Objection(objection.ground, f"{each.bundle}: {objection.words}"))
            elif not each.subjects & self.image.manifests:
                others = ", ".join(map(str, sorted(each.subjects)))
                objections.append(Objection(Ground.SUBJECT, f"{each.bundle}: it speaks of another image, {others}"))
        absent = Objection(Ground.ABSENT, "nothing that an allowed signer signed says so")
        raise Lacking(objections or [absent])

    def _denied_by(self, statement: Statement) -> bool:
        """Say whether an allowed signer says no to any of this: whoever can detach statements would detach that one."""
        return (
            denies(statement.kind, statement.predicate)
            and bool(self.subjects & statement.subjects)
            and self.policy.allows(Certified.of(statement.signed), self.kind)
            and self._elsewhere(statement) is None
        )

    def _objection(self, statement: Statement) -> Objection | None:
        signed = statement.signed
        if not self.policy.allows(Certified.of(signed), self.kind):
            return Objection(Ground.SIGNER, f"{signed.who.identity} may not sign this")
        if not self.subjects <= statement.attached_to:
            missing = ", ".join(map(str, sorted(self.subjects - statement.attached_to)))
            return Objection(Ground.PLACE, f"it is not attached to {missing}")
        real = self.policy.rules.trust_root is not TrustRoot.RUN
        rules = self.policy.rules
        about = About(signed, self.subjects, rules.source, real, rules.test_result_of)
        if words := self._elsewhere(statement):
            return Objection(Ground.NAME, words)
        if words := check_predicate(self.kind, statement.predicate, about):
            return Objection(Ground.CONTENT, words)
        words = self._too_old(statement.predicate, signed)
        return Objection(Ground.AGE, words) if words else None

    def _elsewhere(self, statement: Statement) -> str | None:
        name, here = self.image.name, self.subjects
        if name and (others := {other for digest, other in statement.names if digest in here} - {name, ""}):
            return f"it was made for {', '.join(sorted(others))}, and this is {name}"
        return None

    def _too_old(self, predicate: object, signed: Signed) -> str | None:
        most = self.policy.maximum_age(self.kind)
        if objection := too_old(signed, most, self.now):
            return objection
        try:
            return database_too_old(predicate, signed, most) if self.kind is PredicateType.VULNS else None
        except VerificationFailed as failure:
            return f"its content is malformed: {failure.what}"

    def _passed_over(self, objections: Iterable[Objection]) -> list[str]:
        """Return what is newer than what counts, and does not: it hides nothing, and nobody should miss it."""
        newer = objections if self.kind in AGEING else ()
        return [f"a newer {kind_name(self.kind)} for {self.words} does not count: {each.words}" for each in newer]

    def _ended(self, statement: Statement) -> list[str]:
        if self.kind is not PredicateType.VERDICT:
            return []
        return [f"the verdict for {self.words}: {each}" for each in ended(statement.predicate, self.now)]


def _dated(statement: Statement) -> str:
    return f"{statement.bundle} of {timestamp(statement.signed.signed_at)}"
