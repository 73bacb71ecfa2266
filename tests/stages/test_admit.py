"""`admit` is the one gate: it says what the verdict says, with every reason."""

from dataclasses import replace
from typing import Any

import pytest

from shipseal.documents.verdict import VerdictDocument, VerdictReason
from shipseal.engine.stage import Context, Stage
from shipseal.errors import PolicyDenied, VerificationFailed
from tests import documents
from tests.conftest import MakeRun
from tests.stages.images import SmallImage
from tests.stages.rows import ADMIT, ASSESS, VEX, begin, perform

REFERENCE = f"registry.example/acme/sample@sha256:{'1' * 64}"
REASON = VerdictReason(
    code="severity-critical",
    finding="CVE-2026-1",
    package="zlib1g 1.2",
    message="CVE-2026-1 (critical) in zlib1g 1.2, no fix known",
    remedy="add a VEX statement",
    until="",
    provider="debian",
)


def verdict(*denied: VerdictReason, allowed: Any) -> Stage:
    async def assess(context: Context) -> str:
        said = documents.verdict(REFERENCE, context.now, {}).model_copy(update={"denied": denied}).as_json()
        context.write_json(VerdictDocument.NAME, {**said, "allowed": allowed})
        return "a verdict"

    return Stage("assess", assess)


async def test_the_runtime_that_we_ship_may_ship(make_run: MakeRun) -> None:
    run = make_run()
    await begin(run, SmallImage())
    headline = await perform(run, VEX, ASSESS, ADMIT)
    assert headline.endswith("may ship")


async def test_a_denial_is_explained_as_a_person_reads_it(make_run: MakeRun) -> None:
    other = replace(REASON, message="CVE-2026-2 (high) in jinja2 3.1.2, fixed in 3.1.6", remedy="upgrade jinja2")
    with pytest.raises(PolicyDenied) as denied:
        await perform(make_run(), verdict(REASON, other, allowed=False), ADMIT)
    assert denied.value.explain().splitlines() == [
        f"error: 2 findings are not allowed in {REFERENCE}",
        "  stage  admit",
        "  why    CVE-2026-1 (critical) in zlib1g 1.2, no fix known",
        "         CVE-2026-2 (high) in jinja2 3.1.2, fixed in 3.1.6",
        "  remedy add a VEX statement; upgrade jinja2",
    ]


async def test_one_finding_is_spoken_of_as_one(make_run: MakeRun) -> None:
    with pytest.raises(PolicyDenied, match=r"^1 finding is not allowed in"):
        await perform(make_run(), verdict(REASON, allowed=False), ADMIT)


async def test_nothing_but_true_is_allowed(make_run: MakeRun) -> None:
    with pytest.raises(PolicyDenied):
        await perform(make_run(), verdict(allowed=False), ADMIT)


@pytest.mark.parametrize("allowed", [None, 1, "true"])
async def test_an_answer_that_is_neither_yes_nor_no_is_no_verdict(make_run: MakeRun, allowed: Any) -> None:
    with pytest.raises(VerificationFailed) as refused:
        await perform(make_run(), verdict(allowed=allowed), ADMIT)
    assert refused.value.why[0].startswith("allowed: ")


async def test_a_verdict_that_contradicts_itself_is_a_denial(make_run: MakeRun) -> None:
    with pytest.raises(PolicyDenied):
        await perform(make_run(), verdict(REASON, allowed=True), ADMIT)
