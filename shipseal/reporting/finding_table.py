"""Tell the findings of a run: how many of each severity, what became of each and why, without VEX and with it. Pure.

What became of them stands in the verdict; how bad each is, in the scanner's report. Where a report cannot be read, or
a finding is in none, the severity is what the verdict's own rule says, and else it is not known.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from shipseal.documents.scan import ScanDocument
from shipseal.documents.verdict import BareReason, VerdictDocument, VerdictReason, WithoutVex
from shipseal.reporting.documents import malformed, name
from shipseal.reporting.summary import Fact, RunSummary
from shipseal.scanning.findings import Severity

VERSION = 2
"""The version of verdicts that is read here."""

SOURCE = name(VerdictDocument)
_MOST = 200  # that are told with their reasons; the others are named
_NAMED = 20_000  # of those; what is left is counted
_ACROSS = 520  # units of the picture for the longest bar
NO_FINDING = "no finding"  # a reason that is about the image: a licence, a test, a date
Severities = Mapping[tuple[str, str], str]
"""How bad a finding is, by its name and its package."""

_ORDER = [*(each.value for each in Severity), NO_FINDING]


@dataclass(frozen=True)
class RatedResult:
    """A line of the verdict with its severity."""

    severity: str
    ruling: str
    finding: str
    package: str
    message: str
    remedy: str
    until: str


@dataclass(frozen=True)
class Level:
    """How many of one severity there are, and what became of them: without VEX, then with it."""

    severity: str
    total: int
    without: int
    denied: int
    excused: int
    noted: int


@dataclass(frozen=True)
class Findings:
    """Everything that the verdict says of them.

    Args:
        allowed: the answer.
        notices: what people must hear.
        levels: the worst first; those of which there are none are left out.
        listed: with their reasons, the worst first.
        others: the rest, by package: the name of each with what became of it.
        left: how many are told without their reasons.
        unnamed: how many of those are not even named.
        bare: what the answer would be without VEX.
    """

    allowed: bool
    notices: tuple[str, ...]
    levels: tuple[Level, ...]
    listed: tuple[RatedResult, ...]
    others: tuple[tuple[str, tuple[str, ...]], ...]
    bare: str
    left: int
    unnamed: int

    @property
    def scale(self) -> float:
        """Units of the picture for one finding."""
        return _ACROSS / max([level.total for level in self.levels] or [1])


def findings(summary: RunSummary) -> Findings:
    """Return what the verdict says; raise `NotKnown` for one of a version that is not known here."""
    verdict = summary.documents.need(VerdictDocument)
    if verdict.version != VERSION:
        raise malformed(
            VerdictDocument, f"it is of version {verdict.version}, and this program reads version {VERSION}"
        )
    known = _severities(summary)
    every = sorted((_reason(ruling, each, known) for ruling, each in verdict.reasons), key=_worst_first)
    rest: dict[str, list[str]] = defaultdict(list)
    for each in every[_MOST : _MOST + _NAMED]:
        rest[each.package].append(f"{each.finding} ({each.severity}, {each.ruling})")
    return Findings(
        allowed=verdict.allowed,
        notices=verdict.notices,
        levels=tuple(_levels(every, verdict.without_vex, known)),
        listed=tuple(every[:_MOST]),
        others=tuple((package, tuple(names)) for package, names in rest.items()),
        bare=_bare(verdict.without_vex),
        left=max(len(every) - _MOST, 0),
        unnamed=max(len(every) - _MOST - _NAMED, 0),
    )


def severities(levels: tuple[Level, ...]) -> Fact:
    """Return how many there are of each severity, as a sentence."""
    counted = [f"{level.total:,} {level.severity}" for level in levels if level.severity != NO_FINDING]
    return Fact(f"Found: {', '.join(counted) or 'nothing that the database knows'}.", SOURCE)


def _severities(summary: RunSummary) -> Severities:
    """Return how bad each finding is by the scanner; the worst, where one is told twice."""
    scan, found = summary.documents.get(ScanDocument), dict[tuple[str, str], str]()
    for match in (each for report in scan.root.values() for each in report.matches) if scan else ():
        key = (match.vulnerability.id, f"{match.artifact.name} {match.artifact.version}")
        found[key] = min(found.get(key, NO_FINDING), match.vulnerability.severity, key=_ORDER.index)
    return found


def _reason(ruling: str, each: VerdictReason, known: Severities) -> RatedResult:
    named = each.finding or each.code
    return RatedResult(_severity(each, known), ruling, named, each.package, each.message, each.remedy, each.until)


def _severity(each: VerdictReason | BareReason, known: Severities) -> str:
    if not each.finding:
        return NO_FINDING
    said = each.code.removeprefix("severity-")
    return known.get((each.finding, each.package), said if said in _ORDER else Severity.UNKNOWN.value)


def _worst_first(reason: RatedResult) -> tuple[int, int, str, str]:
    rulings = ["denied", "excused", "noted"]
    return rulings.index(reason.ruling), _ORDER.index(reason.severity), reason.package, reason.finding


def _levels(every: list[RatedResult], bare: WithoutVex, known: Severities) -> list[Level]:
    counts = Counter((each.severity, each.ruling) for each in every)
    without = Counter(_severity(each, known) for each in bare.denied)
    levels = []
    for severity in _ORDER:
        denied, excused, noted = (counts[severity, ruling] for ruling in ("denied", "excused", "noted"))
        if total := denied + excused + noted:
            levels.append(Level(severity, total, without[severity], denied, excused, noted))
    return levels


def _bare(bare: WithoutVex) -> str:
    if bare.allowed:
        return "Without VEX statements it would be allowed too."
    count = len(bare.denied)
    return f"Without VEX statements it would be denied, for {count:,} reason{'s' * (count != 1)}."
