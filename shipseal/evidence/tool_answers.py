"""Say in what the answers of tools about one image differ: what Syft lists, Grype finds and the verifiers accept. Pure.

Two runs over the same bytes with other tools are held against each other, thing by thing and field by field. What
differs between any two runs (times, random numbers, digests of what was signed) is left out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field

from shipseal.documents.document import Part, Whole
from shipseal.documents.sbom import CycloneDxDocument, SpdxDocument, SyftDocument
from shipseal.documents.scan import GrypeFix, GrypeMatch, GrypeReport
from shipseal.documents.verdict import VerdictDocument
from shipseal.documents.verify import VerificationDocument

Thing = Mapping[str, object]
Things = Mapping[str, Thing]
Answers = Mapping[str, Things]
"""By where something was said (`packages on linux/amd64`), then by the name of what it was said of."""

# What things are called within one document follows from all that is said of them: no news beside what has changed.
_OWN_NAMES = frozenset({"id", "bom-ref", "SPDXID"})


@dataclass(frozen=True)
class ToolDifference:
    """One thing that is told otherwise; `what` is `new`, `gone` or `changed`, and then `fields` names what in it."""

    where: str
    what: str
    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the line that people read, without where it is."""
        return f"{self.what}  {self.name}" + (f": {', '.join(self.fields)}" if self.fields else "")


def differences(before: Answers, after: Answers) -> Iterator[ToolDifference]:
    """Yield what two sets of answers do not agree on, in the order of where and name."""
    for where in sorted(before.keys() | after.keys()):
        old, new = before.get(where, {}), after.get(where, {})
        for name in sorted(old.keys() | new.keys()):
            if name not in new:
                yield ToolDifference(where, "gone", name)
            elif name not in old:
                yield ToolDifference(where, "new", name)
            elif changed := _fields(old[name], new[name]):
                yield ToolDifference(where, "changed", name, changed)


def listed(platform: str, syft: SyftDocument, cyclonedx: CycloneDxDocument, spdx: SpdxDocument) -> Answers:
    """Return what Syft says of one platform's image, in each of the three documents of `sbom`."""
    return {
        f"packages on {platform}": _named((each.purl or each.name, each) for each in syft.artifacts),
        f"files on {platform}": _named((each.location.path, each) for each in syft.files or ()),
        f"CycloneDX on {platform}": {
            **_named((f"{each.type} {each.purl or each.name}", each) for each in cyclonedx.components),
            "the document": _own(cyclonedx, "bomFormat", "specVersion"),
        },
        f"SPDX on {platform}": {
            **_named((f"{each.name} {each.version}".strip(), each) for each in spdx.packages),
            "the document": _own(spdx, "spdxVersion", "dataLicense"),
        },
    }


def _own(document: Whole, *names: str) -> Thing:
    return {name: value for name, value in (document.model_extra or {}).items() if name in names}


class _Found(Part):
    id: str
    package: str
    severity: str
    fix: GrypeFix
    namespace: str | None
    matched_by: tuple[str, ...] = Field(serialization_alias="matched by")


def found(platform: str, report: GrypeReport) -> Answers:
    """Return what Grype says of one platform's SBOM: each vulnerability of a package, and which were left out."""
    kinds = {"findings": report.matches, "ignored findings": report.ignored or ()}
    return {
        f"{word} on {platform}": _named((f"{each.id} {each.package}", each) for each in map(_finding, matches))
        for word, matches in kinds.items()
    }


def _finding(match: GrypeMatch) -> _Found:
    known = match.vulnerability
    return _Found(
        id=known.id,
        package=match.artifact.purl,
        severity=known.severity,
        fix=known.fix,
        namespace=known.namespace,
        matched_by=tuple(sorted({each.type for each in match.details or ()})),
    )


def judged(verdict: VerdictDocument) -> Answers:
    """Return the verdict on the image: allowed or not, and why."""
    return {"the verdict": {"on the image": verdict.model_dump(mode="json", include={"allowed", "denied", "excused"})}}


def accepted(verification: VerificationDocument, word: str = "signatures") -> Answers:
    """Return what both verifiers accept: how many statements of each type, by whom, and what that satisfies.

    Args:
        verification: what `verify` has left.
        word: which signatures: those that the same run has made, or those of an earlier one.
    """
    statements = Counter(f"{each.type} by {each.signer}" for each in verification.statements)
    required = Counter(f"required: {each.kind} about {each.about}" for each in verification.required)
    whole = verification.model_dump(mode="json", include={"slsa_build_level", "passed_over", "verifiers"})
    refused = {"refused": len(verification.refused), "proved": [each.what for each in verification.proved]}
    counts = {name: {"count": count} for name, count in (statements + required).items()}
    return {word: {**counts, "the whole": {**whole, **refused}}}


def _named(things: Iterable[tuple[str, BaseModel]]) -> Things:
    """Return things by name, as JSON has them; of several that have the same one, each later one with its number."""
    counted: Counter[str] = Counter()
    named: dict[str, Thing] = {}
    for told, each in things:
        counted[told] += 1
        name = told if counted[told] == 1 else f"{told} ({counted[told]})"
        named[name] = each.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return named


def _fields(old: Thing, new: Thing) -> tuple[str, ...]:
    """Return the names of what differs; of what holds fields itself, each of those that differs."""
    return tuple(sorted(_differing(old, new)))


def _differing(old: Thing, new: Thing) -> Iterator[str]:
    for name in (old.keys() | new.keys()) - _OWN_NAMES:
        one, other = old.get(name), new.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from (f"{name}.{each}" for each in _fields(one, other))
        elif _plain(one) != _plain(other):
            yield name


def _plain(value: object) -> object:
    """Return a value without the names that mean nothing outside their document, and lists of things in one order."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items() if name not in _OWN_NAMES}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sorted((_plain(each) for each in value), key=repr)
    return value
