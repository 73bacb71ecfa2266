"""A verification summary is the same one whenever it was made, and another one as soon as it says something else."""

import json
from typing import Any

import pytest

from shipseal.statements.equivalence import says_the_same

APART = {"timeVerified"}
SUMMARY: dict[str, Any] = {
    "predicate": {"timeVerified": "2026-11-25T12:00:00Z", "verificationResult": "PASSED", "inputAttestations": []},
    "subject": [{"digest": {"sha256": "1" * 64}}],
}


def test_another_time_is_no_other_summary() -> None:
    later = {**SUMMARY, "predicate": {**SUMMARY["predicate"], "timeVerified": "2026-11-25T12:00:01Z"}}
    assert says_the_same(json.dumps(SUMMARY).encode(), json.dumps(later, indent=1).encode(), APART)


@pytest.mark.parametrize(
    "other",
    [
        {**SUMMARY, "subject": []},
        {**SUMMARY, "predicate": {**SUMMARY["predicate"], "inputAttestations": [{"uri": "x"}]}},
        {**SUMMARY, "predicate": None},
        [],
    ],
)
def test_another_image_or_other_evidence_is_another_summary(other: Any) -> None:
    assert not says_the_same(json.dumps(SUMMARY).encode(), json.dumps(other).encode(), APART)
