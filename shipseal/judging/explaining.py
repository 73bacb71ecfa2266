"""Say why a finding was judged as it was, and what would change that.

Each answer is judged anew, none is guessed. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from shipseal.documents.verdict import VerdictReason
from shipseal.judging.case import Matter
from shipseal.judging.claims import Claim, ClaimState
from shipseal.judging.exceptions import Exceptions
from shipseal.judging.verdict import Verdict
from shipseal.judging.waivers import Waiver
from shipseal.scanning.findings import Finding, Fix


@dataclass(frozen=True)
class FindingOutcome:
    """What became of one finding: denied, excused or noted, and by which reason."""

    kind: str
    reason: VerdictReason

    @property
    def short(self) -> str:
        """The answer in a word or two."""
        return f"{self.kind} ({self.reason.code})" if self.reason.code != self.kind else self.kind


@dataclass(frozen=True)
class Counterfactual:
    """What would have to be otherwise, and what would become of the finding then."""

    what: str
    ruling: FindingOutcome


@dataclass(frozen=True)
class Explained:
    """All that bears on a finding."""

    finding: Finding
    ruling: FindingOutcome
    statements: Sequence[Claim]
    waivers: Sequence[Waiver]
    changes: Sequence[Counterfactual]


def named(matter: Matter, name: str) -> list[Finding]:
    """Return the findings that go by a name: an id, or an alias of one."""
    return [finding for finding in matter.findings if name in finding.names]


def explain(matter: Matter, finding: Finding) -> Explained:
    """Explain one finding of a case."""
    said = Exceptions.of(matter.claims, matter.waivers)
    about, granted = said.about(finding), said.granted(finding)
    now = ruling(matter, finding)
    asked = _otherwise(matter, finding, about, granted)
    changes = [
        Counterfactual(what, then) for what, other, of in asked if (then := ruling(other, of)).short != now.short
    ]
    return Explained(finding, now, about, granted, changes)


def ruling(matter: Matter, finding: Finding) -> FindingOutcome:
    """Judge a case in which there is one finding alone."""
    return of(replace(matter, findings=(finding,)).judge(), finding)


def of(verdict: Verdict, finding: Finding) -> FindingOutcome:
    """Return what a verdict says of a finding that it was given on."""
    kinds = {"denied": verdict.denied, "excused": verdict.excused, "noted": verdict.noted}
    about = (finding.id, f"{finding.package} {finding.version}")
    return next(
        FindingOutcome(kind, reason)
        for kind, reasons in kinds.items()
        for reason in reasons
        if (reason.finding, reason.package) == about
    )


def _otherwise(
    matter: Matter, finding: Finding, about: Sequence[Claim], granted: Sequence[Waiver]
) -> Iterator[tuple[str, Matter, Finding]]:
    """Yield cases that differ from this one in one thing."""
    unsaid = replace(matter, claims=tuple(claim for claim in matter.claims if claim not in about))
    ungranted = tuple(waiver for waiver in matter.waivers if waiver not in granted)
    if about:
        yield "without the VEX statement", unsaid, finding
    if granted:
        yield "without the waiver", replace(matter, waivers=ungranted), finding
    if about and granted:
        yield "without either", replace(unsaid, waivers=ungranted), finding
    for day in sorted(_days(matter, finding, about, granted)):
        yield f"from {day.date()} on", at(matter, day), finding
    if finding.fix is not Fix.FIXED:
        yield "with a fix out", matter, replace(finding, fix=Fix.FIXED)
    if not finding.exploited:
        yield "if it were known to be exploited", matter, replace(finding, exploited=True)


def _days(matter: Matter, finding: Finding, about: Sequence[Claim], granted: Sequence[Waiver]) -> set[datetime]:
    """Return the days from which an exception, or the leeway for a fix, has ended or begun."""
    ends = {claim.statement.valid_until for claim in about if not by_evidence(claim)} | {
        waiver.until for waiver in granted
    }
    days = matter.rules.leeway.of(finding.severity)
    if finding.fixed_on and days is not None:
        ends.add(finding.fixed_on + timedelta(days=days))
    starts = {waiver.since for waiver in granted}
    moments = {datetime.combine(day, time(), UTC) for day in {each + timedelta(days=1) for each in ends} | starts}
    return {moment for moment in moments if moment > matter.now}


def at(matter: Matter, now: datetime) -> Matter:
    """Return a case as of another time: statements have ended by then, or have not yet."""
    return replace(matter, now=now, claims=tuple(held(claim, matter, now) for claim in matter.claims))


def by_evidence(claim: Claim) -> bool:
    """Say whether a statement follows from what a machine saw in an image: each run makes it anew, so it never ends."""
    return "policy/advisories/" in claim.source


def held(claim: Claim, matter: Matter, now: datetime) -> Claim:
    """Hold a statement against another day, in the same image; by the sample of a dry run time stands still."""
    said = claim.statement
    if by_evidence(claim) or (matter.database.sample and not matter.database.release):
        return claim
    if claim.state is ClaimState.NOT_IN_IMAGE:
        return claim
    if now.date() > said.valid_until:
        return replace(claim, state=ClaimState.EXPIRED)
    if claim.refuted_by:
        return replace(claim, state=ClaimState.REFUTED)
    return replace(claim, state=ClaimState.NOT_YET_VALID if now < said.timestamp else ClaimState.APPLIED)
