"""Turn a Grype report into findings. Pure.

A report of a shape that we do not know is a failure of the tool, never an empty list: a scan that cannot be read must
not look like a scan that found nothing. Shape: grype/presenter/models/document.go, Grype 0.121.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from functools import cached_property, total_ordering
from itertools import groupby
from typing import Any, Self

from shipseal.errors import ToolFailed
from shipseal.purl import Purl


@total_ordering
class Severity(Enum):
    """How bad a vulnerability is, as its advisory says. UNKNOWN is a value that policy must rule on, not a low one."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NEGLIGIBLE = "negligible"
    UNKNOWN = "unknown"

    def __lt__(self, other: Self) -> bool:
        """Order from the worst to the least, the unknown last: the order in which people should read."""
        members = list(Severity)
        return members.index(self) < members.index(other)


class Fix(Enum):
    """What the advisory says of a fix."""

    FIXED = "fixed"
    NOT_FIXED = "not-fixed"
    WONT_FIX = "wont-fix"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """A vulnerability that a scanner matched to a package of the image. Whether it matters is for others to say.

    `purl` is without qualifiers: the architecture is in `platforms`.

    Args:
        fixed_on: the first day on which the database knew of a fix, where it says one.
        epss: the probability that it is exploited within 30 days (FIRST, EPSS), where the database has one.
        exploited: whether the database lists it as exploited in the wild (CISA, KEV).
        provider: whose advisory it is, as the database names its sources.
    """

    id: str
    aliases: tuple[str, ...]
    package: str
    version: str
    purl: str
    severity: Severity
    fix: Fix
    fixed_in: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    fixed_on: date | None = None
    epss: float | None = None
    exploited: bool = False
    provider: str = ""

    @cached_property
    def names(self) -> frozenset[str]:
        """Every id that this vulnerability goes by."""
        return frozenset({self.id, *self.aliases})

    @cached_property
    def subject(self) -> Purl:
        """The package in parts."""
        return Purl.parse(self.purl)

    def __str__(self) -> str:
        """Return the line that people read."""
        fix = {
            Fix.FIXED: f"fixed in {', '.join(self.fixed_in)}",
            Fix.NOT_FIXED: "no fix known",
            Fix.WONT_FIX: "no fix planned",
            Fix.UNKNOWN: "not known whether there is a fix",
        }[self.fix]
        return f"{self.id} ({self.severity.value}) in {self.package} {self.version}, {fix}"


@dataclass(frozen=True)
class Database:
    """Which vulnerability database a report was made with, in the scanner's own words."""

    built: str
    schema: str


@dataclass(frozen=True)
class Report:
    """A Grype report, read.

    Args:
        findings: what it matched.
        suppressed: what Grype itself left out, by VEX or otherwise.
        database: which one it was made with.
        providers: when the data of each source of the database was fetched, in Grype's words.
        scanner: the version of Grype.
    """

    findings: tuple[Finding, ...]
    suppressed: tuple[Finding, ...]
    database: Database
    providers: Mapping[str, str] = field(default_factory=dict)
    scanner: str = ""


def read(report: Any) -> Report:
    """Read a Grype report (its parsed JSON); raise `ToolFailed` when its shape is not the one we know."""
    try:
        status = report["descriptor"]["db"]["status"]
        return Report(
            findings=tuple(sorted(map(_finding, report["matches"]), key=_order)),
            suppressed=tuple(sorted(map(_finding, report.get("ignoredMatches") or []), key=_order)),
            database=Database(_text(status["built"]), _text(status["schemaVersion"])),
            providers=_providers(report["descriptor"]["db"].get("providers") or {}),
            scanner=_text(report["descriptor"].get("version") or "unknown"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ToolFailed(
            "the scanner's report has a shape that this pipeline does not know",
            why=f"{type(error).__name__}: {error}",
            do="use the Grype of tools/tools.lock.toml; a newer one needs a change in shipseal/scanning/findings.py",
        ) from error


def merge(reports: Mapping[str, Report]) -> tuple[Finding, ...]:
    """Join the findings of every platform: one per vulnerability and package version, with the platforms it is on."""
    every = [
        replace(finding, platforms=(platform,))
        for platform, report in sorted(reports.items())
        for finding in report.findings
    ]
    return tuple(_join(same) for _, same in groupby(sorted(every, key=_order), key=_identity))


def _join(same: Iterable[Finding]) -> Finding:
    everywhere = list(same)
    return replace(everywhere[0], platforms=tuple(sorted({p for finding in everywhere for p in finding.platforms})))


def _identity(finding: Finding) -> tuple[str, str, str]:
    return finding.id, finding.package, finding.version


def _order(finding: Finding) -> tuple[Severity, str, str, str]:
    return finding.severity, *_identity(finding)


def _finding(match: Any) -> Finding:
    vulnerability, artifact = match["vulnerability"], match["artifact"]
    aliases = {_text(related["id"]) for related in match["relatedVulnerabilities"]} - {vulnerability["id"]}
    return Finding(
        id=_text(vulnerability["id"]),
        aliases=tuple(sorted(aliases)),
        package=_text(artifact["name"]),
        version=_text(artifact["version"]),
        purl=_text(artifact["purl"]).partition("?")[0],
        severity=Severity(vulnerability["severity"].lower()),
        fix=Fix(vulnerability["fix"]["state"] or "unknown"),
        fixed_in=tuple(map(_text, vulnerability["fix"]["versions"])),
        fixed_on=min(map(_day, vulnerability["fix"].get("available") or ()), default=None),
        epss=max(map(_probability, vulnerability.get("epss") or ()), default=None),
        exploited=bool(list(vulnerability.get("knownExploited") or ())),
        provider=str(vulnerability.get("namespace") or "").partition(":")[0],
    )


def _day(available: Any) -> date:
    return date.fromisoformat(_text(available["date"])[:10])


def _probability(scored: Any) -> float:
    value = float(scored["epss"])
    if not 0 <= value <= 1:  # NaN is refused by this too
        raise ValueError(f"an EPSS of {value} is no probability")
    return value


def _providers(listed: Any) -> dict[str, str]:
    return {_text(name): _text(each.get("captured") or "unknown") for name, each in sorted(listed.items())}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a text, found {value!r}")
    return value
