"""Know when two statements say one thing, whichever run has made them: what a release does not sign twice. Pure.

The identity of what is meant is the type, the subjects, and the predicate without what each run has of its own.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import rfc8785

from shipseal.digest import Digest
from shipseal.statements.builders import VERDICT_FIELD, PredicateType
from shipseal.statements.provenance import DATABASE


@dataclass(frozen=True)
class Bound:
    """A part of a predicate that belongs to one run.

    Args:
        path: the keys that lead to it.
        reason: why another run has another, and nothing that the statement is for differs by it.
        items: which items of the list there are meant; None where it is the whole value.
    """

    path: tuple[str, ...]
    reason: str
    items: Callable[[object], bool] | None = None


def _is_tool(item: object) -> bool:
    return isinstance(item, dict) and (item.get("annotations") or {}).get("role") == "tool"


def _is_database(item: object) -> bool:
    return isinstance(item, dict) and str(item.get("uri", "")).startswith(DATABASE)


_DEPENDENCIES = ("buildDefinition", "resolvedDependencies")

RUN_BOUND: Mapping[PredicateType, tuple[Bound, ...]] = {
    PredicateType.PROVENANCE: (
        Bound(("runDetails", "metadata", "invocationId"), "it names the run"),
        Bound(("runDetails", "metadata", "startedOn"), "a time of the run"),
        Bound(("runDetails", "metadata", "finishedOn"), "a time of the run"),
        Bound(("runDetails", "byproducts"), "digests of files with times of the run in them"),
        Bound(_DEPENDENCIES, "which programs a run starts depends on what the machine has already", _is_tool),
        Bound(_DEPENDENCIES, "the image is not made from it, and each scan names its own", _is_database),
    ),
    PredicateType.OPENVEX: (
        Bound(("@id",), "it is derived from the time of issue"),
        Bound(("timestamp",), "the time of issue"),
    ),
    PredicateType.VULNS: (
        Bound(("metadata", "scanStartedOn"), "a time of the run"),
        Bound(("metadata", "scanFinishedOn"), "a time of the run"),
    ),
    PredicateType.VERDICT: (
        Bound(("timeCreated",), "the time of signing"),
        Bound((VERDICT_FIELD, "judged"), "a time of the run"),
        Bound((VERDICT_FIELD, "notices"), "they count the days that are left; what they tell of is compared"),
        Bound((VERDICT_FIELD, "inputs", "scan/grype.json"), "Grype writes the time into it; its findings are compared"),
        Bound((VERDICT_FIELD, "inputs", "vex/evidence.json"), "it has times, and counts days; its claims are compared"),
    ),
    PredicateType.REBUILD: (Bound(("rebuiltAt",), "the time of the rebuild"),),
    PredicateType.SUMMARY: (Bound(("timeVerified",), "a time of the run"),),
}
"""What may differ between two runs that mean the same; types that are not named differ in nothing."""


def intent(statement: bytes) -> Digest | None:
    """Return the identity of what a statement means; None where it is no statement that could be compared."""
    try:
        value = json.loads(statement)
        kind, predicate = value["predicateType"], value["predicate"]
        subjects = sorted(value["subject"], key=lambda each: json.dumps(each, sort_keys=True))
        for bound in RUN_BOUND.get(kind, ()):
            predicate = _without(predicate, bound.path, bound.items)
        return Digest.of(rfc8785.dumps({**value, "subject": subjects, "predicate": predicate}))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _without(value: object, path: tuple[str, ...], items: Callable[[object], bool] | None) -> object:
    """Return a copy of a document without what is at a path; the document itself where there is no such thing."""
    if not path:
        return [item for item in value if items is None or not items(item)] if isinstance(value, list) else value
    key, *rest = path
    if not isinstance(value, dict) or key not in value:
        return value
    if not rest and items is None:
        return {name: each for name, each in value.items() if name != key}
    return {**value, key: _without(value[key], tuple(rest), items)}
