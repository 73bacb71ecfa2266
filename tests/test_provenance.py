"""Statements say what their specifications ask for, from the records and from nothing else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.documents.scan import DatabaseDocument, ScanDocument
from shipseal.errors import VerificationFailed
from shipseal.statements import builders
from shipseal.statements.builders import RULES_PASSED, PredicateType, Subject, statement
from shipseal.statements.provenance import BUILD_TYPE, Source, provenance, verification_summary
from tests import documents

IMAGE = Digest.of(b"an image")
WHEEL = Digest.of(b"a wheel")
TOOL = Digest.of(b"a tool")
NOON = datetime(2026, 11, 25, 12, 0, 0, 900_000, tzinfo=UTC)
SOURCE = Source("https://git.example/a/b", "refs/heads/main", "4b825dc6", Digest.of(b"a tree"), dirty=False)


@dataclass(frozen=True)
class Stage:
    """A record, as far as provenance reads it."""

    stage: str
    started: str = "2026-11-25T12:00:00Z"
    finished: str = "2026-11-25T12:00:01Z"
    run_id: str = "this run"
    tools: Mapping[str, Digest] = field(default_factory=dict)
    materials: Mapping[str, Digest] = field(default_factory=dict)
    products: Mapping[str, Digest] = field(default_factory=dict)


BUILD = Stage("build", materials={"pkg:pypi/waitress@3.0.2": WHEEL}, tools={"syft": TOOL})


def made(*records: Stage, source: Source = SOURCE) -> dict[str, Any]:
    return provenance(
        builder="https://builder.invalid", source=source, parameters={"port": 8080}, records=records, world="dry-run"
    )


def dependencies(predicate: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(predicate["buildDefinition"]["resolvedDependencies"])


def test_a_statement_names_its_subjects_by_digest() -> None:
    assert statement(PredicateType.SIGNATURE, [Subject("a/b", IMAGE)], {}) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "a/b", "digest": {"sha256": IMAGE.hex}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    }


def test_a_statement_about_nothing_is_not_made() -> None:
    with pytest.raises(VerificationFailed, match="no subject"):
        statement(PredicateType.SIGNATURE, [], {})


def test_provenance_names_the_builder_the_source_and_what_was_asked_for() -> None:
    predicate = made(BUILD)
    assert predicate["buildDefinition"]["buildType"] == BUILD_TYPE
    assert predicate["runDetails"]["builder"] == {"id": "https://builder.invalid"}
    assert predicate["buildDefinition"]["externalParameters"] == {
        "source": {"uri": "https://git.example/a/b", "ref": "refs/heads/main"},
        "configuration": {"port": 8080},
    }


def test_the_source_is_a_dependency_by_its_commit() -> None:
    source = dependencies(made(BUILD))[0]
    assert source["uri"] == "git+https://git.example/a/b@refs/heads/main"
    assert source["digest"] == {"gitCommit": "4b825dc6"}


def test_a_dirty_tree_is_on_record() -> None:
    dirty = Source(SOURCE.uri, SOURCE.ref, SOURCE.revision, SOURCE.tree, dirty=True)
    assert dependencies(made(BUILD, source=dirty))[0]["annotations"] == {"tree": str(SOURCE.tree), "dirty": True}


def test_every_material_and_tool_of_every_record_is_a_dependency_once() -> None:
    package = Stage("image", materials={"pkg:deb/debian/zlib1g@1": IMAGE, "pkg:pypi/waitress@3.0.2": WHEEL})
    found = [item for item in dependencies(made(BUILD, package)) if item.get("name") != "source"]
    assert found == [
        {"uri": "pkg:deb/debian/zlib1g@1", "digest": {"sha256": IMAGE.hex}},
        {"uri": "pkg:pypi/waitress@3.0.2", "digest": {"sha256": WHEEL.hex}},
        {"name": "syft", "digest": {"sha256": TOOL.hex}, "annotations": {"role": "tool"}},
    ]


def test_a_locked_tool_says_where_it_came_from() -> None:
    other = Stage("smoke", tools={"bwrap": IMAGE})
    found = provenance(
        builder="b",
        source=SOURCE,
        parameters={},
        records=[BUILD, other],
        world="release",
        origins={TOOL: "oci://a.b/c"},
    )
    annotations = {item["name"]: item["annotations"] for item in dependencies(found)[2:]}
    assert annotations == {"bwrap": {"role": "tool"}, "syft": {"role": "tool", "origin": "oci://a.b/c"}}


def test_a_material_of_two_digests_is_named_with_both() -> None:
    other = Stage("test", materials={"pkg:pypi/waitress@3.0.2": IMAGE})
    assert {
        item["digest"]["sha256"]
        for item in dependencies(made(BUILD, other))
        if "uri" in item and item["uri"].startswith("pkg:")
    } == {WHEEL.hex, IMAGE.hex}


def test_provenance_without_materials_is_not_made() -> None:
    with pytest.raises(VerificationFailed, match="no material"):
        made(Stage("build", tools={"syft": TOOL}))


def test_times_span_all_records_and_the_last_names_the_run() -> None:
    kept = Stage("facts", started="2026-11-24T08:00:00Z", finished="2026-11-24T08:00:01Z", run_id="yesterday's run")
    assert made(kept, BUILD)["runDetails"]["metadata"] == {
        "invocationId": "this run",
        "startedOn": "2026-11-24T08:00:00Z",
        "finishedOn": "2026-11-25T12:00:01Z",
    }


def test_where_and_in_which_run_it_was_built_are_what_the_certificate_will_say() -> None:
    claims = {"run_invocation_uri": "https://git.example/a/runs/1", "runner_environment": "github-hosted"}
    found = provenance(builder="b", source=SOURCE, parameters={}, records=[BUILD], world="release", certified=claims)
    assert found["runDetails"]["metadata"]["invocationId"] == "https://git.example/a/runs/1"
    assert found["buildDefinition"]["internalParameters"] == {"world": "release", "runner": "github-hosted"}


def test_evidence_is_a_byproduct_and_the_images_own_blobs_are_not() -> None:
    image = Stage("image", products={"image.json": IMAGE, "layout/blobs/sha256/00": WHEEL})
    assert made(BUILD, image)["runDetails"]["byproducts"] == [
        {"name": "image/image.json", "digest": {"sha256": IMAGE.hex}}
    ]


def junit(*inside: str) -> bytes:
    cases = "".join(f'<testcase classname="t" name="n{n}">{text}</testcase>' for n, text in enumerate(inside))
    return f"<testsuites><testsuite>{cases}</testsuite></testsuites>".encode()


@pytest.mark.parametrize(
    ("report", "result"),
    [
        (junit(""), "PASSED"),
        (junit("", "<skipped/>"), "WARNED"),
        (junit("", "<failure/>"), "FAILED"),
        (junit("", "<error/>"), "FAILED"),
        (junit("<skipped/>"), "FAILED"),
        (junit(), "FAILED"),
    ],
)
def test_tests_passed_only_when_one_did_and_none_failed(report: bytes, result: str) -> None:
    assert builders.test_result(report, [])["result"] == result


def test_each_test_is_named_under_its_outcome() -> None:
    found = builders.test_result(junit("", "<failure/>", "<skipped/>"), [{"name": "configuration"}])
    assert (found["passedTests"], found["failedTests"], found["warnedTests"]) == (["t::n0"], ["t::n1"], ["t::n2"])
    assert found["configuration"] == [{"name": "configuration"}]


def test_a_report_that_is_no_junit_is_refused() -> None:
    with pytest.raises(VerificationFailed, match="not JUnit"):
        builders.test_result(b"<testsuites>", [])


DATABASE = DatabaseDocument(
    built="2026-11-20T00:00:00Z", schema_version="6.1.7", checksum=WHEEL, source="s", sample=True
)


def scanned(*matches: Mapping[str, Any]) -> dict[str, Any]:
    database = {"status": {"built": "2026-11-20T00:00:00Z", "schemaVersion": "6.1.7"}}
    report = {"descriptor": {"version": "0.115.0", "db": database}, "matches": matches}
    (found,) = ScanDocument.parse(json.dumps({"linux/amd64": report}).encode()).root.values()
    return builders.vulnerabilities(found, DATABASE, started="a", finished="b")


def test_findings_are_never_given_without_the_age_of_the_database() -> None:
    scanner = scanned()["scanner"]
    assert scanner["result"] == []
    assert scanner["db"]["lastUpdate"] == "2026-11-20T00:00:00Z"
    assert scanner["db"]["annotations"]["sample"] is True


def test_a_finding_keeps_its_package_and_every_score() -> None:
    scores = [{"version": version, "metrics": {"baseScore": score}} for version, score in (("3.1", 9.8), ("4.0", 9))]
    fix = {"state": "", "versions": []}
    match = {
        "vulnerability": {"id": "CVE-1", "severity": "Critical", "fix": fix, "cvss": scores},
        "relatedVulnerabilities": [],
        "artifact": {"name": "zlib1g", "version": "1", "purl": "pkg:deb/debian/zlib1g@1"},
    }
    by = [("grype", "Critical"), ("CVSS 3.1", "9.8"), ("CVSS 4.0", "9")]
    assert scanned(match)["scanner"]["result"] == [
        {
            "id": "CVE-1",
            "severity": [{"method": method, "score": score} for method, score in by],
            "annotations": [{"package": "pkg:deb/debian/zlib1g@1"}],
        }
    ]


@pytest.mark.parametrize(("allowed", "properties"), [(True, [RULES_PASSED]), (False, [])])
def test_only_a_verdict_that_allows_has_the_property(allowed: bool, properties: list[str]) -> None:
    given = documents.verdict(f"docker.io/example/app@{IMAGE}", NOON, {}, allowed=allowed)
    found = builders.verdict(given, verifier="v", policies=[], now=NOON)
    assert found["properties"] == properties
    assert found["timeCreated"] == "2026-11-25T12:00:00Z"


def test_the_summary_names_the_policy_the_inputs_and_the_level() -> None:
    found = verification_summary(
        resource=f"a/b@{IMAGE}", policy=("p", WHEEL), inputs=[("z", TOOL), ("a", IMAGE)], level=1, now=NOON
    )
    assert found["policy"] == {"uri": "p", "digest": {"sha256": WHEEL.hex}}
    assert [item["uri"] for item in found["inputAttestations"]] == ["a", "z"]
    assert (found["verificationResult"], found["verifiedLevels"]) == ("PASSED", ["SLSA_BUILD_LEVEL_1"])
