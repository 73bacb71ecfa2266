"""Say things about an image in in-toto statements (version 1), one function a predicate. Values in, values out. Pure.

Statement and resource descriptors: in-toto attestation, spec/v1. Every predicate names its own specification.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree

from shipseal.digest import Digest
from shipseal.documents.scan import DatabaseParts, GrypeMatch, GrypeReport
from shipseal.documents.verdict import VerdictDocument
from shipseal.errors import VerificationFailed
from shipseal.times import timestamp

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
# Where the terms that we had to coin are described: docs/provenance.md. The name is reserved (RFC 2606), so it is
# nobody's, and a fork of the pipeline need not change it.
VOCABULARY = "https://supply-chain-pipeline.example"
RULES_PASSED = "SUPPLY_CHAIN_PIPELINE_RULES_PASSED"
VERDICT_FIELD = f"{VOCABULARY}/verdict/v1"


class PredicateType(StrEnum):
    """What a statement may be about. The values are the URIs that consumers look for."""

    PROVENANCE = "https://slsa.dev/provenance/v1"
    CYCLONEDX = "https://cyclonedx.org/bom"
    SPDX = "https://spdx.dev/Document"
    OPENVEX = "https://openvex.dev/ns"
    VULNS = "https://in-toto.io/attestation/vulns/v0.2"
    TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
    VERDICT = "https://in-toto.io/attestation/svr/v0.2"
    SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
    SUMMARY = "https://slsa.dev/verification_summary/v1"
    RENDERED_SET = f"{VOCABULARY}/rendered-set/v1"
    DEPLOYMENT = f"{VOCABULARY}/deployment/v1"
    REVOCATION = f"{VOCABULARY}/revocation/v1"
    REBUILD = f"{VOCABULARY}/rebuild/v1"


@dataclass(frozen=True)
class Subject:
    """What a statement speaks of: a name for people, a digest for everybody else."""

    name: str
    digest: Digest


@dataclass(frozen=True, order=True)
class SignerIdentity:
    """An identity, and the issuer that vouches for it. Both are compared exactly."""

    identity: str
    issuer: str


@dataclass(frozen=True)
class Signed:
    """What a verified bundle proves: these bytes were signed, by whom, when, and what the certificate says."""

    statement: bytes
    who: SignerIdentity
    signed_at: datetime
    claims: Mapping[str, str]

    @property
    def digest(self) -> Digest:
        """The digest of the statement."""
        return Digest.of(self.statement)


def statement(kind: PredicateType, subjects: Sequence[Subject], predicate: Mapping[str, Any]) -> dict[str, Any]:
    """Return a statement; raise `VerificationFailed` when it would speak of nothing."""
    if not subjects:
        raise VerificationFailed(f"a statement of type {kind} would have no subject")
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": item.name, "digest": {item.digest.algorithm: item.digest.hex}} for item in subjects],
        "predicateType": str(kind),
        "predicate": dict(predicate),
    }


def signature() -> dict[str, Any]:
    """Return the predicate of a plain signature, as `cosign sign` makes it: it says nothing but "this one"."""
    return {}


def test_result(junit: bytes, configuration: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a JUnit report says (test-result v0.1); a skipped test is a warning, and no test is a failure.

    Args:
        junit: the report, as pytest writes it.
        configuration: resource descriptors of what decided how the tests ran.

    Raises:
        VerificationFailed: the report cannot be read.
    """
    passed: list[str] = []
    warned: list[str] = []
    failed: list[str] = []
    try:
        cases = list(ElementTree.fromstring(junit).iter("testcase"))  # noqa: S314 - written by our own test stage
    except ElementTree.ParseError as error:
        raise VerificationFailed("the test report is not JUnit", why=str(error)) from error
    for case in cases:
        bad = case.find("failure") is not None or case.find("error") is not None
        outcome = failed if bad else passed if case.find("skipped") is None else warned
        outcome.append(f"{case.get('classname', '')}::{case.get('name', '')}")
    return {
        "result": "FAILED" if failed or not passed else "WARNED" if warned else "PASSED",
        "configuration": [dict(item) for item in configuration],
        "passedTests": sorted(passed),
        "warnedTests": sorted(warned),
        "failedTests": sorted(failed),
    }


def vulnerabilities(report: GrypeReport, database: DatabaseParts, *, started: str, finished: str) -> dict[str, Any]:
    """Return what Grype found on one platform (vulns v0.2).

    Args:
        report: what it says of that platform.
        database: what the scan recorded of its database.
        started: when the scan began, RFC 3339.
        finished: when it ended.
    """
    version = report.descriptor.version
    return {
        "scanner": {
            "uri": f"pkg:golang/github.com/anchore/grype@v{version}",
            "version": version,
            "db": {
                "uri": database.source,
                "version": database.schema_version,
                "lastUpdate": database.built,
                "annotations": {"checksum": str(database.checksum), "sample": database.sample},
            },
            "result": [_finding(match) for match in report.matches],
        },
        "metadata": {"scanStartedOn": started, "scanFinishedOn": finished},
    }


def _finding(match: GrypeMatch) -> dict[str, Any]:
    found = match.vulnerability
    scores = [{"method": f"CVSS {score.version}", "score": str(score.metrics.base_score)} for score in found.cvss]
    return {
        "id": found.id,
        "severity": [{"method": "grype", "score": found.severity.capitalize()}, *scores],  # as Grype spells it
        "annotations": [{"package": match.artifact.purl}],
    }


def verdict(
    verdict: VerdictDocument, *, verifier: str, policies: Sequence[Mapping[str, Any]], now: datetime
) -> dict[str, Any]:
    """Return the verdict as a simple verification result (SVR v0.2).

    A result lists what holds and cannot say "denied": when the verdict is not to allow, the list is empty. The whole
    verdict stands beside it, under a name of ours.
    """
    return {
        "verifier": {"id": verifier, "policies": [dict(policy) for policy in policies]},
        "timeCreated": timestamp(now),
        "properties": [RULES_PASSED] if verdict.allowed else [],
        VERDICT_FIELD: verdict.as_json(),
    }
