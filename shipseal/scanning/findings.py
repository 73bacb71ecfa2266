"""Turn a Grype report into findings. Pure.

A report of a shape that we do not know is a failure of the tool, never an empty list: a scan that cannot be read must
not look like a scan that found nothing. `shipseal.documents.scan` has the shape.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from functools import cached_property, total_ordering
from itertools import groupby
from typing import Any, Self

from pydantic import ValidationError

from shipseal.documents.document import problems
from shipseal.documents.scan import GrypeMatch, GrypeReport, ScanDocument
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
class ReportDatabase:
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
    database: ReportDatabase
    providers: Mapping[str, str] = field(default_factory=dict)
    scanner: str = ""


def read(report: Any) -> Report:
    """Read what Grype has just written, parsed; raise `ToolFailed` when its shape is not the one we know."""
    try:
        return report_of(GrypeReport.model_validate(report, strict=False, by_alias=True, by_name=False))
    except ValidationError as error:
        raise ToolFailed(
            "the scanner's report has a shape that this pipeline does not know",
            why=problems(error),
            remedy="use the Grype of tools/tools.lock.toml; a newer one needs a change in shipseal/documents/scan.py",
        ) from error


def report_of(report: GrypeReport) -> Report:
    """Return what a report says."""
    descriptor = report.descriptor
    return Report(
        findings=tuple(sorted(map(_finding, report.matches), key=_order)),
        suppressed=tuple(sorted(map(_finding, report.ignored or ()), key=_order)),
        database=ReportDatabase(descriptor.db.status.built, descriptor.db.status.schema_version),
        providers={name: each.captured or "unknown" for name, each in sorted((descriptor.db.providers or {}).items())},
        scanner=descriptor.version or "unknown",
    )


def recorded(document: ScanDocument) -> dict[str, Report]:
    """Return what the reports say that a scan has left, by platform."""
    return {platform: report_of(report) for platform, report in document.root.items()}


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


def _finding(match: GrypeMatch) -> Finding:
    found = match.vulnerability
    return Finding(
        id=found.id,
        aliases=tuple(sorted({related.id for related in match.related} - {found.id})),
        package=match.artifact.name,
        version=match.artifact.version,
        purl=match.artifact.purl.partition("?")[0],
        severity=Severity(found.severity),
        fix=Fix(found.fix.state or "unknown"),
        fixed_in=found.fix.versions,
        fixed_on=min((each.day for each in found.fix.available or ()), default=None),
        epss=max((each.epss for each in found.epss or ()), default=None),
        exploited=bool(found.known_exploited),
        provider=(found.namespace or "").partition(":")[0],
    )
