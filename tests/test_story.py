"""A report tells what the evidence says, and where there is none it says that there is none."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from shipseal.errors import PolicyDenied
from shipseal.reporting import story
from shipseal.reporting.documents import Documents, Unreadable
from shipseal.reporting.page import ReportSection
from shipseal.reporting.summary import Row, RunSummary, StageOutcome
from tests.report import runs
from tests.report.written import DIGEST, DOCUMENTS, KINDS


def summary(documents: Mapping[str, Any], **changes: Any) -> RunSummary:
    values: dict[str, Any] = {
        "rows": (Row("assess", StageOutcome.DONE, 1.0, "denied"),),
        "failures": (),
        "products": {},
    }
    return RunSummary("dry-run", "run", documents=runs.read(documents), **{**values, **changes})


def told(run: RunSummary) -> dict[str, ReportSection]:
    return {section.title: section for section in story.sections(run)}


def words(section: ReportSection) -> str:
    return " ".join([*section.paragraphs, *(cell for row in section.rows for cell in row)])


def test_the_title_names_the_world_and_the_image_by_digest() -> None:
    assert story.title(summary(DOCUMENTS)) == f"dry-run: docker.io/example/app@{DIGEST}"


def test_without_an_image_the_title_says_so() -> None:
    assert story.title(summary({})) == "dry-run: no image"


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("Source", "Revision abc of a repository that names no origin, with changes that are in no commit."),
        ("Image", "4,700,000 bytes"),
        ("Image", "2 packages"),
        ("Smoke test", "Started on linux/amd64 by bubblewrap, answered after 120 ms."),
        ("Smoke test", "Isolation: no memory limit."),
        ("Smoke test", "/ 500 NOT as expected"),
        ("Verdict", "Denied, for 1 reason."),
        ("Verdict", "CVE-2023-45853"),
        ("Verdict", "add a VEX statement"),
        ("Vulnerability database", "A SAMPLE of a few advisories, built 2026-11-01T00:00:00Z"),
        ("Publication", "9 blobs and 2 referrers at here"),
        ("Verification", f"{DIGEST}, read back from the registry alone."),
        ("Verification", "Accepted by sigstore-python and by cosign, by the policy dry-run"),
        ("Verification", "Refused: sha256:bb: signed by a stranger"),
        ("Verification", "provenance/v1 me it sha256:cc"),
        ("Who finds the evidence", "registry.example keeps what is attached by referrers API."),
        ("Who finds the evidence", "cosign tree measured 3 of 3 types"),
        ("Who finds the evidence", f"Kyverno emulated 1 of 3 types not {KINDS[1]}; not {KINDS[2]}; it says so"),
        ("Tags", "1.0.0"),
        ("Deployment", "Checked, not applied: a dry run has no cluster."),
        ("Deployment", "Pod a"),
    ],
)
def test_each_document_is_told(section: str, expected: str) -> None:
    assert expected in words(told(summary(DOCUMENTS))[section])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_not_there_is_told_as_not_known(name: str) -> None:
    stage = name.partition("/")[0]
    without = summary({key: value for key, value in DOCUMENTS.items() if key != name})
    assert f"Not known: {stage} has left nothing in this run." in [words(each) for each in told(without).values()]


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("value", [None, [], {}, "text", 3])
def test_a_document_of_an_unknown_shape_is_never_told_as_an_empty_one(name: str, value: Any) -> None:
    sections = [words(each) for each in told(summary({**DOCUMENTS, name: value})).values()]
    assert any(f"Not known: {name} is of an unknown shape" in text for text in sections)


def test_a_document_that_could_not_be_read_is_told_with_the_reason() -> None:
    unread = Documents.of([("assess/verdict.json", Unreadable("PermissionError"))])
    verdict = words(told(replace(summary({}), documents=unread))["Verdict"])
    assert verdict == "Not known: assess/verdict.json cannot be read (PermissionError)."


def test_what_ended_the_run_comes_first_with_reasons_and_remedy() -> None:
    failure = PolicyDenied("1 finding is not allowed", why="CVE-2023-45853", remedy="upgrade")
    failure.stage = "admit"
    first = next(story.sections(summary(DOCUMENTS, failures=(failure,))))
    assert first == ReportSection("admit: 1 finding is not allowed", ("Exit code 3.", "CVE-2023-45853", "upgrade"))


def test_evidence_is_listed_by_digest_without_the_blobs_it_is_made_of() -> None:
    products = {"attest/bundles/provenance.sigstore.json": DIGEST, "image/layout/blobs/sha256/aa": DIGEST}
    rows = told(summary(DOCUMENTS, products=products))["Evidence"].rows
    assert rows == (("attest/bundles/provenance.sigstore.json", DIGEST),)
