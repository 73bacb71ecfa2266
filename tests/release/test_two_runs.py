"""Two real runs over the same commit say the same of it, but for what each predicate has of its run."""

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shipseal.statements.builders import PredicateType
from shipseal.statements.intent import RUN_BOUND, intent
from tests.release.conftest import Released

pytestmark = pytest.mark.timeout(600)

Statements = Mapping[str, dict[str, Any]]
ATTESTED = (
    *(PredicateType.PROVENANCE, PredicateType.CYCLONEDX, PredicateType.SPDX, PredicateType.OPENVEX),
    *(PredicateType.VULNS, PredicateType.TEST_RESULT, PredicateType.VERDICT, PredicateType.SIGNATURE),
)
SAME = {PredicateType.SIGNATURE, PredicateType.CYCLONEDX, PredicateType.SPDX, PredicateType.TEST_RESULT}


@pytest.fixture(scope="module")
def runs(released_openly: Released, tmp_path_factory: pytest.TempPathFactory) -> tuple[Statements, Statements]:
    """Give the statements of two dry runs: each knows nothing of the other, and has a time of its own."""
    now = datetime.now(UTC)
    found = []
    for name, time in (("one", now), ("other", now + timedelta(hours=1))):
        project = released_openly.project.copy(tmp_path_factory.mktemp(name) / "greetings")
        shutil.rmtree(project.run_dir)
        ended = project.run("dry-run", "--to", "verify", "--as-of", time.isoformat())
        assert ended.code == 0, ended.output
        files = [*(project.run_dir / "attest" / "statements").iterdir(), project.run_dir / "verify" / "summary.json"]
        found.append({path.stem: json.loads(path.read_bytes()) for path in files})
    return found[0], found[1]


def of(kind: PredicateType, statements: Statements) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in statements.items() if each["predicateType"] == kind}


def meaning(statement: Mapping[str, Any]) -> str:
    return str(intent(json.dumps(statement).encode()))


@pytest.mark.parametrize("kind", ATTESTED)
def test_two_runs_differ_in_what_is_bound_to_a_run_and_in_that_alone(
    runs: tuple[Statements, Statements], kind: PredicateType
) -> None:
    one, other = (of(kind, statements) for statements in runs)
    assert one
    for name in one.keys() | other.keys():
        assert meaning(one[name]) == meaning(other[name])
        assert (one[name] == other[name]) is (kind in SAME)


def test_two_summaries_of_the_same_evidence_differ_in_their_time_alone(runs: tuple[Statements, Statements]) -> None:
    (one,), (other,) = (of(PredicateType.SUMMARY, statements).values() for statements in runs)
    assert meaning(one) != meaning(other), "each run has signed evidence of its own"
    other["predicate"]["inputAttestations"] = one["predicate"]["inputAttestations"]
    assert meaning(one) == meaning(other)
    assert one != other


@pytest.mark.parametrize("kind", RUN_BOUND)
def test_what_is_bound_to_a_run_is_there(runs: tuple[Statements, Statements], kind: PredicateType) -> None:
    """A name in the table that no statement has would be a mistake in it."""
    for statement in of(kind, runs[0]).values():
        for bound in RUN_BOUND[kind]:
            value = statement["predicate"]
            for key in bound.path:
                value = value[key]
            assert bound.items is None or any(map(bound.items, value)), bound.path
