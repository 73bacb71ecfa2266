"""Say in what the answers of tools about one image differ: what Syft lists, Grype finds and the verifiers accept. Pure.

Two runs over the same bytes with other tools are held against each other, thing by thing and field by field. What
differs between any two runs (times, random numbers, digests of what was signed) is left out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Thing = Mapping[str, Any]
Things = Mapping[str, Thing]
Answers = Mapping[str, Things]
"""By where something was said (`packages on linux/amd64`), then by the name of what it was said of."""

# What things are called within one document follows from all that is said of them: no news beside what has changed.
_OWN_NAMES = frozenset({"id", "bom-ref", "SPDXID"})


@dataclass(frozen=True)
class Difference:
    """One thing that is told otherwise; `what` is `new`, `gone` or `changed`, and then `fields` names what in it."""

    where: str
    what: str
    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the line that people read, without where it is."""
        return f"{self.what}  {self.name}" + (f": {', '.join(self.fields)}" if self.fields else "")


def differences(before: Answers, after: Answers) -> Iterator[Difference]:
    """Yield what two sets of answers do not agree on, in the order of where and name."""
    for where in sorted(before.keys() | after.keys()):
        old, new = before.get(where, {}), after.get(where, {})
        for name in sorted(old.keys() | new.keys()):
            if name not in new:
                yield Difference(where, "gone", name)
            elif name not in old:
                yield Difference(where, "new", name)
            elif changed := _fields(old[name], new[name]):
                yield Difference(where, "changed", name, changed)


def listed(platform: str, syft: Mapping[str, Any], cyclonedx: Mapping[str, Any], spdx: Mapping[str, Any]) -> Answers:
    """Return what Syft says of one platform's image, in each of the three documents of `sbom`."""
    return {
        f"packages on {platform}": _named(syft["artifacts"], lambda each: each["purl"] or each["name"]),
        f"files on {platform}": _named(syft.get("files") or (), lambda each: each["location"]["path"]),
        f"CycloneDX on {platform}": {
            **_named(cyclonedx["components"], lambda each: f"{each['type']} {each.get('purl') or each['name']}"),
            "the document": {name: cyclonedx[name] for name in cyclonedx.keys() & {"bomFormat", "specVersion"}},
        },
        f"SPDX on {platform}": {
            **_named(spdx["packages"], lambda each: f"{each['name']} {each.get('versionInfo', '')}".strip()),
            "the document": {name: spdx[name] for name in spdx.keys() & {"spdxVersion", "dataLicense"}},
        },
    }


def found(platform: str, report: Mapping[str, Any]) -> Answers:
    """Return what Grype says of one platform's SBOM: each vulnerability of a package, and which were left out."""
    return {
        f"{word} on {platform}": _named(
            [_finding(each) for each in report.get(key) or ()], lambda each: f"{each['id']} {each['package']}"
        )
        for word, key in (("findings", "matches"), ("ignored findings", "ignoredMatches"))
    }


def judged(verdict: Mapping[str, Any]) -> Answers:
    """Return the verdict on the image: allowed or not, and why."""
    kinds = {name: verdict[name] for name in verdict.keys() & {"allowed", "denied", "excused"}}
    return {"the verdict": {"on the image": kinds}}


def accepted(verification: Mapping[str, Any], word: str = "signatures") -> Answers:
    """Return what both verifiers accept: how many statements of each type, by whom, and what that satisfies.

    Args:
        verification: `verification.json` of `verify`.
        word: which signatures: those that the same run has made, or those of an earlier one.
    """
    statements = Counter(f"{each['type']} by {each['signer']}" for each in verification["statements"])
    required = Counter(f"{each['kind']} about {each['about']}" for each in verification["required"])
    whole = {name: verification[name] for name in ("slsa_build_level", "passed_over", "verifiers")}
    refused = {"refused": len(verification["refused"]), "proved": [each["what"] for each in verification["proved"]]}
    return {
        word: {
            **{name: {"count": count} for name, count in statements.items()},
            **{f"required: {name}": {"count": count} for name, count in required.items()},
            "the whole": {**whole, **refused},
        }
    }


def _finding(match: Mapping[str, Any]) -> dict[str, Any]:
    known, package = match["vulnerability"], match["artifact"]
    return {
        "id": known["id"],
        "package": package.get("purl") or package["name"],
        "severity": known.get("severity"),
        "fix": known.get("fix"),
        "namespace": known.get("namespace"),
        "matched by": sorted({str(each.get("type")) for each in match.get("matchDetails") or ()}),
    }


def _named(
    things: Iterable[Mapping[str, Any]], name: Callable[[Mapping[str, Any]], str]
) -> dict[str, Mapping[str, Any]]:
    """Return things by name; of several that have the same one, each later one with its number."""
    counted: Counter[str] = Counter()
    named: dict[str, Thing] = {}
    for each in things:
        told = name(each)
        counted[told] += 1
        named[told if counted[told] == 1 else f"{told} ({counted[told]})"] = each
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


def _plain(value: Any) -> Any:
    """Return a value without the names that mean nothing outside their document, and lists of things in one order."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items() if name not in _OWN_NAMES}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sorted((_plain(each) for each in value), key=repr)
    return value
