"""Read `rules.toml`: what may not ship, and for how long an exception may run. Schema: docs/policy.md.

Pure.
"""

import tomllib
from datetime import date, timedelta
from enum import Enum
from typing import Any

from pydantic import Field

from pipeline.checked import Checked, check
from pipeline.errors import ConfigError
from pipeline.scanning.findings import Fix, Severity


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


def read_rules(text: str, where: str = "rules.toml") -> Rules:
    """Read the rules; raise `ConfigError` when one is missing or means nothing."""
    return check(Rules, toml(text, where), where)


def limit(name: str, since: date, until: date, days: int, where: str) -> None:
    """Raise `ConfigError` when an exception runs backwards or for more days than the rules allow."""
    if not since <= until <= since + timedelta(days=days):
        raise ConfigError(
            f"{where}: the exception for {name} runs from {since} to {until}",
            why=f"rules.toml allows {days} days at most",
            do="bring the end date nearer, look again then, and renew it if it still holds",
        )


def toml(text: str, where: str) -> dict[str, Any]:
    """Read TOML; raise `ConfigError` for what is none."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{where} is not TOML", why=str(error), do="correct the file") from error
