"""Judge findings by rules, VEX statements and waivers. Facts and a clock in, a verdict with reasons out. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline.errors import PolicyDenied
from pipeline.judging.claims import Claim, State
from pipeline.judging.rules import Rules
from pipeline.judging.waivers import Waiver
from pipeline.scanning.findings import Finding, Fix, Severity

BOUND = timedelta(hours=24)
"""How old a verdict may be when it is signed. What a run has scanned and judged is kept until the day (UTC) ends."""

_NAMED = 3


@dataclass(frozen=True)
class Reason:
    """One line of a verdict: which rule spoke, about what, in words, and what can be done about it."""

    code: str
    finding: str
    package: str
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Database:
    """Which vulnerability database the findings come from. A sample is no judge of age, and no judge of a release."""

    built: datetime
    sample: bool
    release: bool = False


@dataclass(frozen=True)
class Verdict:
    """The answer, and all of its reasons.

    Args:
        denied: what may not ship.
        excused: what would be denied or noted, but for a VEX statement or a waiver.
        noted: findings that the rules let pass.
        notices: what people must hear, whatever the answer is.
    """

    denied: tuple[Reason, ...]
    excused: tuple[Reason, ...]
    noted: tuple[Reason, ...]
    notices: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        """Whether the image may ship."""
        return not self.denied

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as `assess/verdict.json` keeps it."""
        return {"allowed": self.allowed, **asdict(self)}


def judge(
    findings: Iterable[Finding],
    claims: Sequence[Claim],
    waivers: Sequence[Waiver],
    rules: Rules,
    database: Database,
    now: datetime,
) -> Verdict:
    """Judge an image.

    Args:
        findings: what the scanner matched, merged over the platforms.
        claims: the VEX statements, held against this image.
        waivers: risks that somebody accepts.
        rules: what may not ship.
        database: where the findings come from.
        now: the time to judge by.
    """
    every = tuple(findings)
    denied: list[Reason] = list(_database(database, rules, now))
    excused: list[Reason] = []
    noted: list[Reason] = []
    for finding in every:
        if reason := _excuse(finding, claims, waivers, now):
            excused.append(reason)
        elif reason := _lapsed(finding, claims, waivers) or _ruled(finding, rules):
            denied.append(reason)
        else:
            noted.append(_reason("noted", finding, str(finding)))
    notices = (*_sample(database), *_ending(every, claims, waivers, rules, now), *_idle(every, claims, waivers))
    return Verdict(tuple(denied), tuple(excused), tuple(noted), notices)


def require_fresh(judged: datetime, now: datetime) -> None:
    """Raise `PolicyDenied` for a verdict too old to be signed: what it rests on was known then, and not now.

    Args:
        judged: when the verdict was given.
        now: when it would be signed.
    """
    if abs(now - judged) > BOUND:
        raise PolicyDenied(
            f"the verdict was given at {judged.isoformat(timespec='minutes')}, and it is "
            f"{now.isoformat(timespec='minutes')} now",
            why=f"a verdict is signed within {BOUND.total_seconds() / 3600:.0f} hours: "
            "advisories appear every day, and exceptions end",
            do="run it again, which scans and judges anew",
        )


def _excuse(finding: Finding, claims: Sequence[Claim], waivers: Sequence[Waiver], now: datetime) -> Reason | None:
    for claim in claims:
        if claim.excuses(finding):
            said = claim.statement
            because = said.justification.value if said.justification else said.status.value
            message = f"{finding}: {because}, {said.impact_statement} (until {said.valid_until}, {claim.source})"
            return _reason("vex", finding, message)
    for waiver in waivers:
        if waiver.covers(finding) and waiver.since <= now.date() <= waiver.until:
            message = f"{finding}: accepted by {waiver.owner} until {waiver.until}: {waiver.reason}"
            return _reason("waiver", finding, message)
    return None


def _lapsed(finding: Finding, claims: Sequence[Claim], waivers: Sequence[Waiver]) -> Reason | None:
    """Return why an exception that somebody relied on no longer holds; its finding ships under no other rule."""
    for claim in claims:
        if claim.covers(finding) and claim.state is State.EXPIRED:
            return _reason(
                "vex-expired",
                finding,
                f"{finding}: the VEX statement in {claim.source} ended on {claim.statement.valid_until}",
                claim.remedy,
            )
        if claim.covers(finding) and claim.state is State.REFUTED:
            return _reason(
                "vex-refuted",
                finding,
                f"{finding}: {claim.source} does not hold for this image: {_first(claim.refuted_by)}",
                f"{claim.remedy}; if the risk is to be accepted for a while, add a waiver",
            )
    for waiver in waivers:
        if waiver.covers(finding):
            return _reason(
                "waiver-expired",
                finding,
                f"{finding}: the waiver holds from {waiver.since} to {waiver.until}",
                f"ask {waiver.owner}; upgrade, renew the waiver, or remove it",
            )
    return None


def _first(reasons: Sequence[str]) -> str:
    """Return the first reasons; `vex/evidence.json` has all of them."""
    more = len(reasons) - _NAMED
    return "; ".join(reasons[:_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _ruled(finding: Finding, rules: Rules) -> Reason | None:
    if not rules.severity.of(finding.severity).denies(finding.fix):
        return None
    upgrade = f"upgrade {finding.package} to {' or '.join(finding.fixed_in)}" if finding.fix is Fix.FIXED else ""
    state = "add a VEX statement in policy/vex/ with a justification and an end date, or a waiver"
    code = "severity-unknown" if finding.severity is Severity.UNKNOWN else f"severity-{finding.severity.value}"
    return _reason(code, finding, str(finding), ", or ".join(filter(None, (upgrade, state))))


def _database(database: Database, rules: Rules, now: datetime) -> Iterator[Reason]:
    age = now - database.built
    if database.sample:
        if database.release:
            message = "the vulnerability database is the SAMPLE of a dry run, which knows a few advisories"
            yield Reason("database-sample", "", "", message, "run `python -m pipeline db update` and scan again")
    elif age < timedelta(0):
        message = f"the vulnerability database was built on {database.built.date()}, which is later than now"
        yield Reason("database-from-the-future", "", "", message, "correct this machine's clock, or get another one")
    elif age > timedelta(days=rules.database.maximum_age_days):
        message = (
            f"the vulnerability database was built on {database.built.date()}, {age.days} days ago; "
            f"rules.toml allows {rules.database.maximum_age_days}"
        )
        yield Reason("database-too-old", "", "", message, "run `python -m pipeline db update` and scan again")


def _sample(database: Database) -> Iterator[str]:
    if database.sample:
        yield "the vulnerability database is a SAMPLE of a few advisories: the verdict shows the rules at work, no more"


def _ending(
    findings: Sequence[Finding], claims: Sequence[Claim], waivers: Sequence[Waiver], rules: Rules, now: datetime
) -> Iterator[str]:
    for claim in claims:
        if claim.days_left(now) < rules.exceptions.warn_days and any(map(claim.excuses, findings)):
            name, left = claim.statement.vulnerability.name, claim.days_left(now)
            when = f"ends in {left} days" if left >= 0 else f"ended {-left} days ago, and counts for a SAMPLE only"
            yield f"the VEX statement for {name} in {claim.source} {when}: look at its evidence again"
    for waiver in waivers:
        left = (waiver.until - now.date()).days
        if 0 <= left < rules.exceptions.warn_days and any(map(waiver.covers, findings)):
            yield f"the waiver for {waiver.finding} ends in {left} days: ask {waiver.owner}"


def _idle(findings: Sequence[Finding], claims: Sequence[Claim], waivers: Sequence[Waiver]) -> Iterator[str]:
    """Yield the exceptions that excuse nothing: kept for long, they hide the day when they start to."""
    applied = [claim for claim in claims if claim.state is State.APPLIED]
    heard = {(each.source, each.statement.vulnerability.name) for each in applied if any(map(each.covers, findings))}
    for source, name in dict.fromkeys((each.source, each.statement.vulnerability.name) for each in applied):
        if (source, name) not in heard:
            yield f"the VEX statement for {name} in {source} is published, and covers nothing that the scan found"
    for waiver in waivers:
        if not any(map(waiver.covers, findings)):
            yield f"the waiver for {waiver.finding} covers nothing that the scan found"


def _reason(code: str, finding: Finding, message: str, remedy: str = "") -> Reason:
    return Reason(code, finding.id, f"{finding.package} {finding.version}", message, remedy)
