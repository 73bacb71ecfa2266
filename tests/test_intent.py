"""What a statement means is the same in every run, and another thing as soon as it says something else."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.statements.builders import VERDICT_FIELD, PredicateType, Subject, statement
from shipseal.statements.intent import RUN_BOUND, intent
from shipseal.statements.provenance import DATABASE

IMAGE, OTHER = Subject("registry.example/a", Digest.of(b"image")), Subject("registry.example/a", Digest.of(b"other"))
SOURCE = {"name": "source", "uri": "git+https://code.example/a@main", "digest": {"gitCommit": "1" * 40}}
TOOL = {"name": "python", "digest": {"sha256": "2" * 64}, "annotations": {"role": "tool"}}
KNOWN = {"uri": f"{DATABASE}2026-11-20", "digest": {"sha256": "3" * 64}}

PREDICATES: Mapping[PredicateType, dict[str, Any]] = {
    PredicateType.PROVENANCE: {
        "buildDefinition": {"resolvedDependencies": [SOURCE, TOOL, KNOWN]},
        "runDetails": {
            "builder": {"id": "https://builder.example"},
            "metadata": {"invocationId": "1", "startedOn": "t", "finishedOn": "t"},
            "byproducts": [{"name": "scan/grype.json"}],
        },
    },
    PredicateType.OPENVEX: {"@id": "urn:uuid:1", "timestamp": "t", "statements": [{"status": "fixed"}]},
    PredicateType.VULNS: {"scanner": {"result": []}, "metadata": {"scanStartedOn": "t", "scanFinishedOn": "t"}},
    PredicateType.VERDICT: {
        "timeCreated": "t",
        "properties": [],
        VERDICT_FIELD: {
            "judged": "t",
            "notices": ["ends in 3 days"],
            "allowed": True,
            "inputs": {"scan/grype.json": "1", "vex/evidence.json": "1", "database": "1"},
        },
    },
    PredicateType.SUMMARY: {"timeVerified": "t", "verificationResult": "PASSED"},
    PredicateType.REBUILD: {"rebuiltAt": "t", "compared": {"result": "SAME"}},
}


def made(kind: PredicateType, predicate: Mapping[str, Any], *subjects: Subject) -> bytes:
    return json.dumps(statement(kind, subjects or [IMAGE, OTHER], predicate)).encode()


def put(value: dict[str, Any], path: tuple[str, ...], other: object) -> dict[str, Any]:
    """Return a copy of a document with something else at a path."""
    return {**value, path[0]: put(value[path[0]], path[1:], other) if path[1:] else other}


@pytest.mark.parametrize(("kind", "path"), [(kind, each.path) for kind, of in RUN_BOUND.items() for each in of])
def test_what_belongs_to_a_run_is_no_other_intent(kind: PredicateType, path: tuple[str, ...]) -> None:
    other: object = [SOURCE] if path[-1] == "resolvedDependencies" else "of another run"
    assert intent(made(kind, PREDICATES[kind])) == intent(made(kind, put(PREDICATES[kind], path, other)))


@pytest.mark.parametrize("path", [(VERDICT_FIELD, "notices"), (VERDICT_FIELD, "inputs", "vex/evidence.json")])
def test_a_day_that_has_passed_is_no_other_verdict(path: tuple[str, ...]) -> None:
    """They count the days until something ends, so that two runs on one day do not differ by them."""
    verdict = PREDICATES[PredicateType.VERDICT]
    later = put(verdict, path, "one day less")
    assert intent(made(PredicateType.VERDICT, verdict)) == intent(made(PredicateType.VERDICT, later))


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (PredicateType.PROVENANCE, ("runDetails", "builder", "id")),
        (PredicateType.PROVENANCE, ("buildDefinition", "resolvedDependencies")),
        (PredicateType.OPENVEX, ("statements",)),
        (PredicateType.VULNS, ("scanner", "result")),
        (PredicateType.VERDICT, (VERDICT_FIELD, "allowed")),
        (PredicateType.VERDICT, (VERDICT_FIELD, "inputs", "database")),
        (PredicateType.VERDICT, ("properties",)),
        (PredicateType.SUMMARY, ("verificationResult",)),
    ],
)
def test_what_a_statement_is_for_is_another_intent(kind: PredicateType, path: tuple[str, ...]) -> None:
    assert intent(made(kind, PREDICATES[kind])) != intent(made(kind, put(PREDICATES[kind], path, ["something else"])))


def test_another_type_and_other_subjects_are_another_intent_and_their_order_is_not() -> None:
    signature = made(PredicateType.SIGNATURE, {}, IMAGE, OTHER)
    assert intent(signature) == intent(made(PredicateType.SIGNATURE, {}, OTHER, IMAGE))
    assert len({intent(signature), intent(made(PredicateType.SIGNATURE, {}, IMAGE))}) == 2
    assert intent(signature) != intent(made(PredicateType.OPENVEX, {}, IMAGE, OTHER))


def test_each_part_that_is_left_out_has_a_reason() -> None:
    assert all(each.path and each.reason for of in RUN_BOUND.values() for each in of)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"predicateType":[],"predicate":1,"subject":[]}', b"[" * 9999])
def test_what_is_no_statement_means_nothing(data: bytes) -> None:
    assert intent(data) is None
