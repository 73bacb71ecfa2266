"""Find what made one verdict of two another: swap one input at a time, then two, and judge each time. Pure.

The inputs are those that people change: code, lock, base, database, VEX, policy, clock, and the world. What a database
says of a package that it never saw cannot be known without a scan; there the findings of the scan that saw the package
stand, and a cause is named by what remains.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

from shipseal.documents.image import ImageDocument
from shipseal.documents.scan import DatabaseDocument
from shipseal.documents.vex import EvidenceDocument
from shipseal.judging.case import RULES, WAIVERS, Case, Matter, read
from shipseal.judging.explaining import by_evidence
from shipseal.judging.mixing import ComparedCase, mixed
from shipseal.judging.verdict import Verdict
from shipseal.judging.vex import VexStatement
from shipseal.purl import Purl

INPUTS = ("code", "lock", "base", "database", "VEX", "policy", "clock", "world")
_MOST_AT_ONCE = 3
_FACTS = "policy/advisories/"

Key = tuple[str, str]
"""A finding with its package, without the version; or a rule with a package, or with nothing."""
ANSWER: Key = ("", "")


@dataclass(frozen=True)
class VerdictChange:
    """Something that came out otherwise.

    Args:
        about: the finding or rule, and the package.
        before: what came out first: `denied (severity-high)`, `noted`, `not found`.
        after: what came out then.
        causes: the smallest sets of inputs each of which alone makes that difference.
    """

    about: Key
    before: str
    after: str
    causes: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Why:
    """What differs between two cases, in words for each input that does, and what came of it."""

    differs: Mapping[str, str]
    changes: tuple[VerdictChange, ...]


@dataclass
class _Judge:
    """Judge mixtures of two cases, each once."""

    before: ComparedCase
    after: ComparedCase
    known: dict[frozenset[str], dict[Key, str]] = field(default_factory=dict)

    def of(self, taken: frozenset[str]) -> dict[Key, str]:
        if taken not in self.known:
            self.known[taken] = _outcomes(mixed(self.before, self.after, taken).judge())
        return self.known[taken]


def why(before: Case, after: Case) -> Why:
    """Compare two cases; raise what reading them raises."""
    one, other = _side(before), _side(after)
    differs = dict(_differences(before, after, one, other))
    judge = _Judge(one, other)
    first, last = _outcomes(one.matter.judge()), _outcomes(other.matter.judge())
    changed = sorted(key for key in first.keys() | last.keys() if first.get(key) != last.get(key))
    return Why(
        differs,
        tuple(
            VerdictChange(
                key, first.get(key, "not found"), last.get(key, "not found"), _causes(judge, differs, key, last)
            )
            for key in changed
        ),
    )


def _causes(
    judge: _Judge, differs: Mapping[str, str], key: Key, last: Mapping[Key, str]
) -> tuple[tuple[str, ...], ...]:
    """Return the smallest sets of inputs with which the first case comes out like the last one."""
    names = [name for name in INPUTS if name in differs]
    for size in sorted({*range(1, min(_MOST_AT_ONCE, len(names)) + 1), len(names)}):
        sets = combinations(names, size)
        if found := tuple(each for each in sets if judge.of(frozenset(each)).get(key) == last.get(key)):
            return found
    return ()


def _outcomes(verdict: Verdict) -> dict[Key, str]:
    kinds = {"noted": verdict.noted, "excused": verdict.excused, "denied": verdict.denied}
    found: dict[Key, str] = {ANSWER: "allowed" if verdict.allowed else "denied"}
    for kind, reasons in kinds.items():
        for reason in reasons:  # of several versions of a package the worst counts
            short = kind if reason.code == kind else f"{kind} ({reason.code})"
            found[reason.finding or reason.code, reason.package.partition(" ")[0]] = short
    return found


def _side(case: Case) -> ComparedCase:
    matter, image = read(case), case.document(ImageDocument)
    service = Purl.parse(f"pkg:pypi/{image.service.name or '-'}").name
    owners: dict[str, str] = {}
    packages: dict[str, str] = {}
    for entry in image.platforms.values():
        for each in entry.packages:
            purl = Purl.parse(each.purl.partition("?")[0])
            kind = "base" if purl.type == "deb" else "code" if purl.name == service else "lock"
            packages[str(purl)] = kind
            owners.update(dict.fromkeys(each.files, kind))
    facts = {name: at for name, at in case.document(EvidenceDocument).policy.items() if _FACTS in name}
    return ComparedCase(matter, packages, owners, image.digest, facts)


def _differences(before: Case, after: Case, one: ComparedCase, other: ComparedCase) -> Iterator[tuple[str, str]]:
    """Yield each input that differs, and how."""
    code = [*_packages(one, other, "code"), *_state(one.matter, other.matter)]
    if one.digest != other.digest and not code and one.packages == other.packages:
        code = ["the image has other bytes, of the same packages"]
    yield from _told("code", code)
    yield from _told("lock", _packages(one, other, "lock"))
    yield from _told("base", _packages(one, other, "base"))
    sources = [case.document(DatabaseDocument) for case in (before, after)]
    if sources[0].checksum != sources[1].checksum:
        yield "database", " → ".join(f"built {each.built}" for each in sources)
    facts = sorted(name for name, _ in one.facts.items() ^ other.facts.items())
    yield from _told("VEX", [*sorted(_statements(one.matter) ^ _statements(other.matter)), *facts])
    yield from _told("policy", [name for name in (RULES, WAIVERS) if before.files.get(name) != after.files.get(name)])
    if before.judged != after.judged:
        yield "clock", f"{before.judged.isoformat()} → {after.judged.isoformat()}"
    if before.release != after.release:
        yield "world", " → ".join("release" if each.release else "dry run" for each in (before, after))


def _told(name: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    if lines:
        yield name, "; ".join(dict.fromkeys(lines))


def _packages(one: ComparedCase, other: ComparedCase, kind: str) -> list[str]:
    """Return how the packages of a kind differ: those that one side has, as `name version → version`."""
    versions: list[dict[str, str]] = []
    for side in (one, other):
        parsed = [Purl.parse(text) for text, of in side.packages.items() if of == kind]
        versions.append({purl.name: purl.version for purl in parsed})
    names = sorted(versions[0].keys() | versions[1].keys())
    both = [(name, versions[0].get(name, "none"), versions[1].get(name, "none")) for name in names]
    return [f"{name} {before} → {after}" for name, before, after in both if before != after]


def _state(one: Matter, other: Matter) -> list[str]:
    told = {
        "the files against the commit": (one.observed.dirty, other.observed.dirty),
        "the tests": (one.observed.tests, other.observed.tests),
    }
    return [f"{what} differ" for what, pair in told.items() if None not in pair and pair[0] != pair[1]]


def _statements(matter: Matter) -> set[str]:
    """Return which statement says what, without how it stands to an image."""
    return {
        f"{claim.source}: {claim.statement.vulnerability.name} in {claim.product}, {_said(claim.statement)}"
        for claim in matter.claims
        if not by_evidence(claim)
    }


def _said(statement: VexStatement) -> str:
    justified = statement.justification.value if statement.justification else statement.status.value
    return f"{justified}, until {statement.valid_until}"
