"""A Grype report is read whole or refused; nothing in it is taken for an empty list."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shipseal.errors import ToolFailed
from shipseal.scanning.findings import Finding, Fix, Severity, merge, read

MATCH: dict[str, Any] = {
    "vulnerability": {
        "id": "GHSA-9298-4cf8-g4wj",
        "severity": "Critical",
        "fix": {"versions": ["3.0.1"], "state": "fixed"},
    },
    "relatedVulnerabilities": [{"id": "CVE-2024-49768"}],
    "artifact": {"name": "waitress", "version": "3.0.0", "purl": "pkg:pypi/waitress@3.0.0?package-id=1"},
}


def report(*matches: Any) -> dict[str, Any]:
    status = {"built": "2026-11-25T00:00:00Z", "schemaVersion": "v6.1.7"}
    return {"matches": list(matches), "descriptor": {"version": "0.121.3", "db": {"status": status}}}


def changed(*path: str, to: Any) -> dict[str, Any]:
    match = copy.deepcopy(MATCH)
    inner = match
    for key in path[:-1]:
        inner = inner[key]
    if to is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return match


def test_a_match_becomes_a_finding_with_all_its_names() -> None:
    (finding,) = read(report(MATCH)).findings
    assert finding == Finding(
        id="GHSA-9298-4cf8-g4wj",
        aliases=("CVE-2024-49768",),
        package="waitress",
        version="3.0.0",
        purl="pkg:pypi/waitress@3.0.0",
        severity=Severity.CRITICAL,
        fix=Fix.FIXED,
        fixed_in=("3.0.1",),
    )
    assert str(finding) == "GHSA-9298-4cf8-g4wj (critical) in waitress 3.0.0, fixed in 3.0.1"


def test_what_grype_left_out_is_kept_apart() -> None:
    value = report() | {"ignoredMatches": [MATCH]}
    assert (len(read(value).findings), len(read(value).suppressed)) == (0, 1)


def test_an_unknown_severity_and_an_unknown_fix_are_values() -> None:
    match = changed("vulnerability", "severity", to="Unknown")
    match["vulnerability"]["fix"] = {"versions": [], "state": ""}
    (finding,) = read(report(match)).findings
    assert (finding.severity, finding.fix) == (Severity.UNKNOWN, Fix.UNKNOWN)
    assert "not known whether there is a fix" in str(finding)


@pytest.mark.parametrize(
    "match",
    [
        changed("vulnerability", "severity", to="Dreadful"),
        changed("vulnerability", "severity", to=None),
        changed("vulnerability", "fix", to={"versions": [], "state": "perhaps"}),
        changed("vulnerability", "id", to=7),
        changed("artifact", "purl", to=""),
        changed("artifact", "version", to=None),
        changed("relatedVulnerabilities", to=None),
        "a text",
    ],
)
def test_a_match_of_unknown_shape_fails_the_tool(match: Any) -> None:
    with pytest.raises(ToolFailed, match="shape that this pipeline does not know"):
        read(report(match))


@pytest.mark.parametrize("value", [None, [], {}, "text", {"matches": []}, {"runs": []}, {**report(), "matches": None}])
def test_a_report_without_matches_or_database_is_no_clean_report(value: Any) -> None:
    with pytest.raises(ToolFailed):
        read(value)


_JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from(["matches", "a"]), inner),
)


@given(_JSON)
def test_no_value_at_all_is_read_as_a_report_by_accident(value: Any) -> None:
    with pytest.raises(ToolFailed):
        read(value)


def test_a_finding_on_two_platforms_is_one_finding() -> None:
    amd64, arm64 = read(report(MATCH)), read(report(MATCH, changed("vulnerability", "id", to="CVE-2026-1")))
    merged = merge({"linux/arm64": arm64, "linux/amd64": amd64})
    assert [(each.id, each.platforms) for each in merged] == [
        ("CVE-2026-1", ("linux/arm64",)),
        ("GHSA-9298-4cf8-g4wj", ("linux/amd64", "linux/arm64")),
    ]


def test_findings_come_worst_first_and_unknown_last() -> None:
    severities = ["Low", "Unknown", "Critical", "Negligible", "High", "Medium"]
    matches = [changed("vulnerability", "severity", to=severity) for severity in severities]
    assert [finding.severity for finding in read(report(*matches)).findings] == list(Severity)
