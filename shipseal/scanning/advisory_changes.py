"""Say which advisories a change of packages closes, which it opens, and which stay. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shipseal.purl import Purl
from shipseal.scanning.findings import Finding, Report, Severity

Packages = Mapping[str, Sequence[Purl]]
"""What an image holds, by platform."""

Reports = Mapping[str, Report]
"""What the scanner says of that, by platform."""


@dataclass(frozen=True, order=True)
class AdvisoryChange:
    """An advisory of packages that moved: for whom it begins or ends. A version is empty where there is no package."""

    severity: Severity
    id: str
    old: str
    new: str
    packages: tuple[str, ...]
    platforms: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as machines read it."""
        return {**asdict(self), "severity": self.severity.value}


@dataclass(frozen=True)
class AdvisoryChanges:
    """What a change of packages does to the advisories that are known of them; `stay` counts those that it leaves."""

    closed: tuple[AdvisoryChange, ...]
    opened: tuple[AdvisoryChange, ...]
    stay: int


_Key = tuple[str, str, str, str]  # advisory, platform, type and name of the package


def compare(before: Packages, after: Packages, old: Reports, new: Reports) -> AdvisoryChanges:
    """Hold the findings of the packages before and after against each other, platform by platform.

    An advisory stays when the same package, of whatever version, is affected still. Statements and waivers do not
    count.
    """
    was, now = _findings(old), _findings(new)
    versions = _versions(before), _versions(after)
    return AdvisoryChanges(
        closed=tuple(_turns(was, was.keys() - now.keys(), *versions)),
        opened=tuple(_turns(now, now.keys() - was.keys(), *versions)),
        stay=len({key[0] for key in was.keys() & now.keys()}),
    )


def _findings(reports: Reports) -> dict[_Key, Finding]:
    return {
        (finding.id, platform, finding.subject.type, finding.subject.name): finding
        for platform, report in reports.items()
        for finding in report.findings
    }


def _versions(packages: Packages) -> dict[tuple[str, str, str], str]:
    return {(platform, each.type, each.name): each.version for platform, listed in packages.items() for each in listed}


def _turns(
    findings: Mapping[_Key, Finding],
    keys: Collection[_Key],
    before: Mapping[tuple[str, str, str], str],
    after: Mapping[tuple[str, str, str], str],
) -> Iterator[AdvisoryChange]:
    """Yield one turn for all packages and platforms that go the same way: a source package has several of both."""
    same: dict[tuple[Severity, str, str, str], set[tuple[str, str]]] = defaultdict(set)
    for key in keys:
        identifier, *where = key
        package = (where[0], where[1], where[2])
        way = findings[key].severity, identifier, before.get(package, ""), after.get(package, "")
        same[way].add((findings[key].package, where[0]))
    for way, moved in sorted(same.items()):
        yield AdvisoryChange(*way, tuple(sorted({name for name, _ in moved})), tuple(sorted({on for _, on in moved})))
