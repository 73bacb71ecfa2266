"""A report tells what the evidence says, and where there is none it says that there is none."""

from typing import Any

import pytest

from shipseal.errors import PolicyDenied
from shipseal.reporting import story
from shipseal.reporting.page import Section
from shipseal.reporting.summary import Outcome, Row, Summary

DIGEST = "sha256:" + "a" * 64
DENIAL: dict[str, Any] = {
    "code": "severity-critical",
    "finding": "CVE-2023-45853",
    "package": "pkg:deb/debian/zlib1g@1.2.13",
    "message": "critical, no fix known",
    "remedy": "add a VEX statement",
}
DOCUMENTS: dict[str, Any] = {
    "facts/facts.json": {"revision": "abc", "repository": "", "dirty": True},
    "tools/tools.json": {"syft": {"version": "1.46.0", "from": "oci://mirror.example/inputs", "digest": DIGEST}},
    "image/image.json": {
        "reference": f"docker.io/example/app@{DIGEST}",
        "platforms": {"linux/amd64": {"digest": DIGEST, "size": 4700000, "packages": [{}, {}]}},
    },
    "smoke/smoke.json": {
        "platform": "linux/amd64",
        "isolation": "bubblewrap",
        "limits": "no memory limit",
        "start_ms": 120,
        "requests": [{"path": "/health", "status": 200, "passed": True}, {"path": "/", "status": 500, "passed": False}],
    },
    "scan/database.json": {"built": "2026-11-01", "schema": "6.1.7", "sample": True},
    "assess/verdict.json": {"allowed": False, "denied": [DENIAL], "excused": [], "noted": [], "notices": ["a sample"]},
    "publish/receipt.json": {"reference": "app", "registry": "here", "blobs": 9, "referrers": {DIGEST: ["x", "y"]}},
    "verify/verification.json": {
        "digest": DIGEST,
        "policy": {"name": "dry-run", "digest": DIGEST},
        "slsa_build_level": 1,
        "verifiers": ["sigstore-python", "cosign"],
        "refused": {"sha256:bb": "signed by a stranger"},
        "statements": [{"type": "provenance/v1", "signer": "me", "issuer": "it", "bundle": "sha256:cc"}],
    },
    "verify/discovery.json": {
        "registry": {"host": "registry.example", "keeps": "referrers API"},
        "ways": [
            {"way": "cosign tree", "measured": True, "found": ["a", "b"], "missing": [], "says": ""},
            {"way": "Kyverno", "measured": False, "found": ["a"], "missing": ["b"], "says": "it says so"},
        ],
    },
    "promote/tags.json": {"digest": DIGEST, "tags": ["1.0.0"], "before": {"1.0.0": None}},
    "deploy/receipt.json": {
        "state": "checked, not applied",
        "reason": "a dry run has no cluster",
        "objects": ["Pod a"],
    },
}


def summary(documents: dict[str, Any], **changes: Any) -> Summary:
    values = {"rows": (Row("assess", Outcome.DONE, 1.0, "denied"),), "unreadable": {}, "failures": (), "products": {}}
    return Summary("dry-run", "run", documents=documents, **{**values, **changes})


def told(run: Summary) -> dict[str, Section]:
    return {section.title: section for section in story.sections(run)}


def words(section: Section) -> str:
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
        ("Vulnerability database", "A SAMPLE of a few advisories, built 2026-11-01"),
        ("Publication", "9 blobs and 2 referrers at here"),
        ("Verification", f"{DIGEST}, read back from the registry alone."),
        ("Verification", "Accepted by sigstore-python and by cosign, by the policy dry-run"),
        ("Verification", "Refused: sha256:bb: signed by a stranger"),
        ("Verification", "provenance/v1 me it sha256:cc"),
        ("Who finds the evidence", "registry.example keeps what is attached by referrers API."),
        ("Who finds the evidence", "cosign tree measured 2 of 2 types"),
        ("Who finds the evidence", "Kyverno emulated 1 of 2 types not b; it says so"),
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
    run = summary({}, unreadable={"assess/verdict.json": "JSONDecodeError"})
    assert words(told(run)["Verdict"]) == "Not known: assess/verdict.json cannot be read (JSONDecodeError)."


def test_what_ended_the_run_comes_first_with_reasons_and_remedy() -> None:
    failure = PolicyDenied("1 finding is not allowed", why="CVE-2023-45853", do="upgrade")
    failure.stage = "admit"
    first = next(story.sections(summary(DOCUMENTS, failures=(failure,))))
    assert first == Section("admit: 1 finding is not allowed", ("Exit code 3.", "CVE-2023-45853", "upgrade"))


def test_evidence_is_listed_by_digest_without_the_blobs_it_is_made_of() -> None:
    products = {"attest/bundles/provenance.sigstore.json": DIGEST, "image/layout/blobs/sha256/aa": DIGEST}
    rows = told(summary(DOCUMENTS, products=products))["Evidence"].rows
    assert rows == (("attest/bundles/provenance.sigstore.json", DIGEST),)
