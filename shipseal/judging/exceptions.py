"""Find what people, or evidence, have said about a finding: VEX statements and waivers, in force or ended. Pure.

Both are looked up by the names that a finding goes by, so that ten thousand findings and two thousand statements take a
time that grows with their number, and not with its product.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shipseal.documents.verdict import VerdictReason
from shipseal.judging.claims import Claim, ClaimState
from shipseal.judging.rules import Rules
from shipseal.judging.waivers import Waiver
from shipseal.scanning.findings import Finding

_NAMED = 3


@dataclass(frozen=True)
class Exceptions:
    """The statements and waivers of one judgement, by the ids that they name."""

    claims: Sequence[Claim]
    waivers: Sequence[Waiver]
    _claims: dict[str, list[int]]
    _waivers: dict[str, list[int]]

    @classmethod
    def of(cls, claims: Sequence[Claim], waivers: Sequence[Waiver]) -> "Exceptions":
        """Put them in order."""
        by_claim: dict[str, list[int]] = defaultdict(list)
        for number, claim in enumerate(claims):
            for name in claim.statement.names:
                by_claim[name].append(number)
        by_waiver: dict[str, list[int]] = defaultdict(list)
        for number, waiver in enumerate(waivers):
            by_waiver[waiver.finding].append(number)
        return cls(claims, waivers, dict(by_claim), dict(by_waiver))

    def about(self, finding: Finding) -> list[Claim]:
        """Return the statements that speak of a finding, in the order in which they were held."""
        named = sorted({number for name in finding.names for number in self._claims.get(name, ())})
        return [self.claims[number] for number in named if self.claims[number].covers(finding)]

    def granted(self, finding: Finding) -> list[Waiver]:
        """Return the waivers for a finding, in force or not."""
        named = sorted({number for name in finding.names for number in self._waivers.get(name, ())})
        return [self.waivers[number] for number in named if self.waivers[number].covers(finding)]

    def excuse(self, finding: Finding, now: datetime) -> VerdictReason | None:
        """Return what excuses a finding, if something does: a statement before a waiver."""
        for claim in self.about(finding):
            if claim.excuses(finding):
                said = claim.statement
                because = said.justification.value if said.justification else said.status.value
                message = f"{finding}: {because}, {said.impact_statement} (until {said.valid_until}, {claim.source})"
                return replace(reason("vex", finding, message), until=str(said.valid_until))
        for waiver in self.granted(finding):
            if waiver.since <= now.date() <= waiver.until:
                message = f"{finding}: accepted by {waiver.owner} until {waiver.until}: {waiver.reason}"
                return replace(reason("waiver", finding, message), until=str(waiver.until))
        return None

    def lapsed(self, finding: Finding) -> VerdictReason | None:
        """Return why an exception that somebody relied on no longer holds; its finding ships under no other rule."""
        for claim in self.about(finding):
            if claim.state is ClaimState.EXPIRED:
                ended = f"the VEX statement in {claim.source} ended on {claim.statement.valid_until}"
                return reason("vex-expired", finding, f"{finding}: {ended}", claim.remedy)
            if claim.state is ClaimState.REFUTED:
                message = f"{finding}: {claim.source} does not hold for this image: {_first(claim.refuted_by)}"
                remedy = f"{claim.remedy}; if the risk is to be accepted for a while, add a waiver"
                return reason("vex-refuted", finding, message, remedy)
        for waiver in self.granted(finding):
            message = f"{finding}: the waiver holds from {waiver.since} to {waiver.until}"
            remedy = f"ask {waiver.owner}; upgrade, renew the waiver, or remove it"
            return reason("waiver-expired", finding, message, remedy)
        return None

    def notices(self, findings: Iterable[Finding], rules: Rules, now: datetime) -> Iterator[str]:
        """Yield what ends soon, then what excuses nothing: kept for long, that hides the day when it starts to."""
        spoken: set[int] = set()
        excusing: set[int] = set()
        granted: set[int] = set()
        for finding in findings:
            about = self.about(finding)
            spoken.update(map(id, about))
            excusing.update(id(claim) for claim in about if claim.excuses(finding))
            granted.update(map(id, self.granted(finding)))
        yield from _ending([claim for claim in self.claims if id(claim) in excusing], rules, now)
        for waiver in self.waivers:
            left = (waiver.until - now.date()).days
            if 0 <= left < rules.exceptions.warn_days and id(waiver) in granted:
                yield f"the waiver for {waiver.finding} ends in {left} days: ask {waiver.owner}"
        yield from _idle([claim for claim in self.claims if claim.state is ClaimState.APPLIED], spoken)
        for waiver in self.waivers:
            if id(waiver) not in granted:
                yield f"the waiver for {waiver.finding} covers nothing that the scan found"


def _ending(claims: Iterable[Claim], rules: Rules, now: datetime) -> Iterator[str]:
    for claim in claims:
        if (left := claim.days_left(now)) < rules.exceptions.warn_days:
            when = f"ends in {left} days" if left >= 0 else f"ended {-left} days ago, and counts for a SAMPLE only"
            name = claim.statement.vulnerability.name
            yield f"the VEX statement for {name} in {claim.source} {when}: look at its evidence again"


def _idle(applied: Sequence[Claim], spoken: set[int]) -> Iterator[str]:
    heard = {(each.source, each.statement.vulnerability.name) for each in applied if id(each) in spoken}
    for source, name in dict.fromkeys((each.source, each.statement.vulnerability.name) for each in applied):
        if (source, name) not in heard:
            yield f"the VEX statement for {name} in {source} is published, and covers nothing that the scan found"


def _first(reasons: Sequence[str]) -> str:
    """Return the first reasons; `vex/evidence.json` has all of them."""
    more = len(reasons) - _NAMED
    return "; ".join(reasons[:_NAMED]) + (f"; and {more} more" if more > 0 else "")


def reason(code: str, finding: Finding, message: str, remedy: str = "") -> VerdictReason:
    """Return a line of a verdict about a finding."""
    about = f"{finding.package} {finding.version}"
    return VerdictReason(code, finding.id, about, message, remedy, until="", provider=finding.provider)
