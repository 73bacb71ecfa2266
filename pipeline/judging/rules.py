"""Read `rules.toml` and `waivers.toml`: what may not ship, and what somebody answers for. Schema: docs/policy.md.

Pure.
"""

import tomllib
from datetime import date, timedelta
from enum import Enum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.checked import Checked, check
from pipeline.errors import ConfigError, VerificationFailed
from pipeline.purl import Purl
from pipeline.scanning.findings import Finding, Fix, Severity


class Ruling(Enum):
    """What becomes of a finding that nobody excused."""

    DENY = "deny"
    DENY_UNLESS_UNFIXABLE = "deny-unless-unfixable"
    ALLOW = "allow"

    def denies(self, fix: Fix) -> bool:
        """Say whether a finding may not ship. Not to know whether there is a fix is no excuse."""
        return self is Ruling.DENY or (
            self is Ruling.DENY_UNLESS_UNFIXABLE and fix not in {Fix.NOT_FIXED, Fix.WONT_FIX}
        )


class SeverityRules(Checked):
    """One ruling for each severity; none has a default, the unknown least of all."""

    critical: Ruling
    high: Ruling
    medium: Ruling
    low: Ruling
    negligible: Ruling
    unknown: Ruling

    def of(self, severity: Severity) -> Ruling:
        """Return the ruling for a severity."""
        ruling: Ruling = getattr(self, severity.value)
        return ruling


class DatabaseRules(Checked):
    """How old the vulnerability database may be, in days since it was built."""

    maximum_age_days: int = Field(ge=1, le=365)


class ExceptionRules(Checked):
    """For how long an exception may be granted, and when its end is announced, in days."""

    vex_maximum_days: int = Field(ge=1, le=731)
    waiver_maximum_days: int = Field(ge=1, le=731)
    warn_days: int = Field(default=30, ge=0)


class Rules(Checked):
    """The whole of `rules.toml`."""

    severity: SeverityRules
    database: DatabaseRules
    exceptions: ExceptionRules


def _bare_purl(text: str) -> str:
    try:
        qualified = bool(Purl.parse(text).qualifiers)
    except VerificationFailed as error:
        raise ValueError(f"{error.what}: {error.do}") from error
    if qualified:
        raise ValueError("give the package URL without qualifiers")
    return text


BarePurl = Annotated[str, AfterValidator(_bare_purl)]


class Waiver(Checked):
    """A risk that somebody accepts for a while: the package is affected, and ships all the same."""

    finding: str = Field(min_length=1)
    package: BarePurl
    reason: str = Field(min_length=20)
    owner: str = Field(min_length=1)
    since: date
    until: date

    def covers(self, finding: Finding) -> bool:
        """Say whether it was granted for this finding, under any of its names."""
        return self.finding in finding.names and Purl.parse(self.package).covers(finding.subject)


class _Waivers(Checked):
    waiver: tuple[Waiver, ...] = ()

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        pairs = [(waiver.finding, waiver.package) for waiver in self.waiver]
        twice = sorted({pair for pair in pairs if pairs.count(pair) > 1})
        if twice:
            raise ValueError(f"waived twice: {', '.join(' in '.join(pair) for pair in twice)}")
        return self


def read_rules(text: str, where: str = "rules.toml") -> Rules:
    """Read the rules; raise `ConfigError` when one is missing or means nothing."""
    return check(Rules, _toml(text, where), where)


def read_waivers(text: str, rules: Rules, where: str = "waivers.toml") -> tuple[Waiver, ...]:
    """Read the waivers; raise `ConfigError` for one that is incomplete or longer than the rules allow."""
    waivers = check(_Waivers, _toml(text, where), where).waiver
    for waiver in waivers:
        limit(waiver.finding, waiver.since, waiver.until, rules.exceptions.waiver_maximum_days, where)
    return waivers


def limit(name: str, since: date, until: date, days: int, where: str) -> None:
    """Raise `ConfigError` when an exception runs backwards or for more days than the rules allow."""
    if not since <= until <= since + timedelta(days=days):
        raise ConfigError(
            f"{where}: the exception for {name} runs from {since} to {until}",
            why=f"rules.toml allows {days} days at most",
            do="bring the end date nearer, look again then, and renew it if it still holds",
        )


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{where} is not TOML", why=str(error), do="correct the file") from error
