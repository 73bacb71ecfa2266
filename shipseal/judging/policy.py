"""Judge findings by rules, VEX statements and waivers. Facts and a clock in, a verdict with reasons out. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from shipseal.documents.verdict import VerdictReason
from shipseal.errors import PolicyDenied
from shipseal.judging.claims import Claim
from shipseal.judging.exceptions import Exceptions, reason
from shipseal.judging.image_facts import Observed, denials
from shipseal.judging.rules import Rules, Ruling
from shipseal.judging.verdict import Verdict
from shipseal.judging.waivers import Waiver
from shipseal.scanning.findings import Finding, Fix, Severity

BOUND = timedelta(hours=24)
"""How old a verdict may be when it is signed. What a run has scanned and judged is kept until the day (UTC) ends."""

_NOTHING_MORE = Observed()


@dataclass(frozen=True)
class VulnerabilityDatabase:
    """Which vulnerability database the findings come from. A sample is no judge of age, and no judge of a release.

    Args:
        built: when it was built.
        sample: whether it is the sample of a dry run.
        release: whether it judges a release.
        providers: the sources that it has data of, as Grype names them; None where that is not known.
    """

    built: datetime
    sample: bool
    release: bool = False
    providers: frozenset[str] | None = None


def judge(
    findings: Iterable[Finding],
    claims: Sequence[Claim],
    waivers: Sequence[Waiver],
    rules: Rules,
    database: VulnerabilityDatabase,
    now: datetime,
    *,
    observed: Observed = _NOTHING_MORE,
) -> Verdict:
    """Judge an image.

    Args:
        findings: what the scanner matched, merged over the platforms.
        claims: the VEX statements, held against this image.
        waivers: risks that somebody accepts.
        rules: what may not ship.
        database: where the findings come from.
        now: the time to judge by.
        observed: what else is known of the image, as far as the rules ask for it.
    """
    every = tuple(findings)
    exceptions = Exceptions.of(claims, waivers)
    denied: list[VerdictReason] = [*_database(database, rules, now), *denials(observed, rules)]
    excused: list[VerdictReason] = []
    noted: list[VerdictReason] = []
    for finding in every:
        if excuse := exceptions.excuse(finding, now):
            excused.append(excuse)
        elif denial := exceptions.lapsed(finding) or _ruled(finding, rules, now):
            denied.append(denial)
        else:
            noted.append(reason("noted", finding, f"{finding}{_until(finding, rules, now)}"))
    notices = (*_sample(database), *_blind(database, rules), *exceptions.notices(every, rules, now))
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
            remedy="run it again, which scans and judges anew",
        )


def _ruled(finding: Finding, rules: Rules, now: datetime) -> VerdictReason | None:
    """Return the first rule that denies a finding which nobody excused: what is attacked comes before how bad it is."""
    if code := _code(finding, rules, now):
        upgrade = f"upgrade {finding.package} to {' or '.join(finding.fixed_in)}" if finding.fix is Fix.FIXED else ""
        state = "add a VEX statement in policy/vex/ with a justification and an end date, or a waiver"
        message = f"{finding}{_besides(code, finding)}"
        return reason(code, finding, message, ", or ".join(filter(None, (upgrade, state))))
    return None


def _code(finding: Finding, rules: Rules, now: datetime) -> str:
    likely = rules.exploitation.epss_at_least
    if rules.exploitation.known == "deny" and finding.exploited:
        return "known-exploited"
    if likely is not None and finding.epss is not None and finding.epss >= likely:
        return "epss"
    if rules.severity.of(finding.severity).denies(finding.fix) and _leeway(finding, rules, now) is None:
        return "severity-unknown" if finding.severity is Severity.UNKNOWN else f"severity-{finding.severity.value}"
    return ""


def _besides(code: str, finding: Finding) -> str:
    if code == "known-exploited":
        return "; it is known to be exploited"
    return f"; it is exploited within 30 days with a probability of {finding.epss:.1%}" if code == "epss" else ""


def _leeway(finding: Finding, rules: Rules, now: datetime) -> date | None:
    """Return the last day on which a finding passes without its fix; None where the rules give none, or it is past.

    The days begin when the database knew of the fix. Where it does not say when that was, there are none; nor for a fix
    of days to come, which would stay young for ever.
    """
    days = rules.leeway.of(finding.severity)
    by_fix = rules.severity.of(finding.severity) is Ruling.DENY_UNLESS_UNFIXABLE and finding.fix is Fix.FIXED
    if days is None or not by_fix or finding.fixed_on is None or finding.fixed_on > now.date():
        return None
    last = finding.fixed_on + timedelta(days=days)
    return last if now.date() <= last else None


def _until(finding: Finding, rules: Rules, now: datetime) -> str:
    last = _leeway(finding, rules, now)
    return f"; the fix has to be taken by {last}" if last else ""


def _database(database: VulnerabilityDatabase, rules: Rules, now: datetime) -> Iterator[VerdictReason]:
    age = now - database.built
    if database.sample:
        if database.release:
            message = "the vulnerability database is the SAMPLE of a dry run, which knows a few advisories"
            yield VerdictReason.of_image("database-sample", "", message, "run `shipseal db update` and scan again")
    elif age < timedelta(0):
        message = f"the vulnerability database was built on {database.built.date()}, which is later than now"
        yield VerdictReason.of_image(
            "database-from-the-future", "", message, "correct this machine's clock, or get another one"
        )
    elif age > timedelta(days=rules.database.maximum_age_days):
        message = (
            f"the vulnerability database was built on {database.built.date()}, {age.days} days ago; "
            f"rules.toml allows {rules.database.maximum_age_days}"
        )
        yield VerdictReason.of_image("database-too-old", "", message, "run `shipseal db update` and scan again")


def _sample(database: VulnerabilityDatabase) -> Iterator[str]:
    if database.sample:
        yield "the vulnerability database is a SAMPLE of a few advisories: the verdict shows the rules at work, no more"


def _blind(database: VulnerabilityDatabase, rules: Rules) -> Iterator[str]:
    """Yield which rules are set and cannot deny anything, since the database has nothing of what they ask for."""
    asked = {
        "kev": ("[exploitation] known", rules.exploitation.known == "deny"),
        "epss": ("[exploitation] epss-at-least", rules.exploitation.epss_at_least is not None),
    }
    for provider, (setting, on) in asked.items():
        if on and not database.sample and database.providers is not None and provider not in database.providers:
            yield f"{setting} is set, and the vulnerability database has no data of {provider}: it could deny nothing"
