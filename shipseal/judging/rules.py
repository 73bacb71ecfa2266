"""Read `rules.toml`: what may not ship, and for how long an exception may run. Schema: docs/policy.md.

A file of version 1, which is one without a version, has the first three tables and no other; what a project does not
set is off, and the verdict says so.

Pure.
"""

import tomllib
from datetime import date, timedelta
from enum import Enum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from shipseal.errors import ConfigError
from shipseal.judging.licences import canonical
from shipseal.judging.packages import BarePurl
from shipseal.scanning.findings import Fix, Severity
from shipseal.validation import Checked, check


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


Days = Annotated[int | None, Field(ge=1, le=365)]
Plain = Literal["deny", "allow"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]*$")]
Expression = Annotated[str, AfterValidator(canonical)]


def _single(expression: str) -> str:
    if {"AND", "OR"} & set(expression.split()):
        raise ValueError("name one licence at a time")
    return expression


Licence = Annotated[Expression, AfterValidator(_single)]


class LeewayRules(Checked):
    """Days after a fix has come out for which `deny-unless-unfixable` lets a finding pass all the same."""

    critical: Days = None
    high: Days = None
    medium: Days = None
    low: Days = None
    negligible: Days = None
    unknown: Days = None

    def of(self, severity: Severity) -> int | None:
        """Return the days for a severity; None where the rule is off."""
        days: int | None = getattr(self, severity.value)
        return days


class ExploitationRules(Checked):
    """What is known of attacks, whatever the severity: a list of what is exploited, and a probability from 0 to 1."""

    known: Plain | None = None
    epss_at_least: float | None = Field(default=None, gt=0, le=1)


class LicenceRules(Checked):
    """Under which licences packages may ship, as SPDX names them; `clarified` says it where an SBOM does not."""

    allow: tuple[Licence, ...] = ()
    deny: tuple[Licence, ...] = ()
    unknown: Plain | None = None
    clarified: dict[BarePurl, Expression] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if self.allow and self.deny:
            raise ValueError("give allow or deny: what is in neither would be of no rule")
        if (self.allow or self.deny) and self.unknown is None:
            raise ValueError('say what becomes of a licence that nobody knows: unknown = "deny", or "allow"')
        return self


class BaseRules(Checked):
    """Which packages of the distribution an image may hold, by name."""

    packages: tuple[Name, ...] = ()


class TestRules(Checked):
    """How many tests of the suite must have passed in the started image, on a manifest of this very image."""

    __test__ = False  # to pytest
    minimum_passed: int | None = Field(default=None, ge=1)


class SourceRules(Checked):
    """Whether the files must be as committed."""

    clean: bool = False


_SINCE_2 = ("leeway", "exploitation", "licences", "base", "tests", "source")


def _known(version: object) -> object:
    if version not in (1, 2) or isinstance(version, bool):
        raise ValueError("this pipeline knows the versions 1 and 2")
    return version


class Rules(Checked):
    """The whole of `rules.toml`."""

    version: Annotated[int, BeforeValidator(_known)] = 1
    severity: SeverityRules
    database: DatabaseRules
    exceptions: ExceptionRules
    leeway: LeewayRules = LeewayRules()
    exploitation: ExploitationRules = ExploitationRules()
    licences: LicenceRules = LicenceRules()
    base: BaseRules = BaseRules()
    tests: TestRules = TestRules()
    source: SourceRules = SourceRules()

    @model_validator(mode="after")
    def _of_its_version(self) -> Self:
        if self.version == 1 and (newer := [name for name in _SINCE_2 if name in self.model_fields_set]):
            raise ValueError(f"[{newer[0]}] takes version = 2 at the top of the file")
        return self


def read_rules(text: str, where: str = "rules.toml") -> Rules:
    """Read the rules; raise `ConfigError` when one is missing or means nothing."""
    return check(Rules, toml(text, where), where)


def limit(name: str, since: date, until: date, days: int, where: str) -> None:
    """Raise `ConfigError` when an exception runs backwards or for more days than the rules allow."""
    if not since <= until <= since + timedelta(days=days):
        raise ConfigError(
            f"{where}: the exception for {name} runs from {since} to {until}",
            why=f"rules.toml allows {days} days at most",
            remedy="bring the end date nearer, look again then, and renew it if it still holds",
        )


def toml(text: str, where: str) -> dict[str, Any]:
    """Read TOML; raise `ConfigError` for what is none."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{where} is not TOML", why=str(error), remedy="correct the file") from error
