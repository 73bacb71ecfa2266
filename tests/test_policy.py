"""The verdict follows from findings, rules, statements, waivers and an injected clock, and says why."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shipseal.errors import ConfigError, PolicyDenied, VerificationFailed
from shipseal.judging.claims import Claim, match_statements
from shipseal.judging.policy import VulnerabilityDatabase, judge, require_fresh
from shipseal.judging.rules import read_rules
from shipseal.judging.verdict import Verdict
from shipseal.judging.waivers import Waiver, read_waivers
from shipseal.project.config import HOME
from shipseal.scanning.findings import Finding, Fix, Severity
from shipseal.times import read_time
from tests.statements import NOW, RULES, finding, parsed, rules, statement

FRESH = VulnerabilityDatabase(NOW - timedelta(days=1), sample=False)
WAIVER = """
[[waiver]]
finding = "CVE-2026-1"
package = "pkg:deb/debian/zlib1g"
reason = "the service never compresses anything"
owner = "A Tester"
since = 2026-11-01
until = {until}
"""


def claims(*statements: dict[str, Any], files: tuple[str, ...] = ()) -> tuple[Claim, ...]:
    return match_statements({"policy/vex/test.json": parsed(*statements)}, [finding().subject], {}, files, NOW)


def waivers(until: str = "2027-02-01") -> tuple[Waiver, ...]:
    return read_waivers(WAIVER.format(until=until), rules())


def verdict(*findings: Finding, **changes: Any) -> Verdict:
    values: dict[str, Any] = {"claims": (), "waivers": (), "rules": rules(), "database": FRESH, "now": NOW, **changes}
    return judge(findings, **values)


def codes(judged: Verdict) -> list[str]:
    return [reason.code for reason in judged.denied]


@pytest.mark.parametrize(
    ("severity", "fix", "denied"),
    [
        (Severity.CRITICAL, Fix.NOT_FIXED, ["severity-critical"]),
        (Severity.CRITICAL, Fix.FIXED, ["severity-critical"]),
        (Severity.HIGH, Fix.FIXED, ["severity-high"]),
        (Severity.HIGH, Fix.UNKNOWN, ["severity-high"]),
        (Severity.HIGH, Fix.WONT_FIX, []),
        (Severity.HIGH, Fix.NOT_FIXED, []),
        (Severity.MEDIUM, Fix.FIXED, []),
        (Severity.NEGLIGIBLE, Fix.FIXED, []),
        (Severity.UNKNOWN, Fix.NOT_FIXED, ["severity-unknown"]),
    ],
)
def test_the_shipped_rules_rule_on_severity_and_fix(severity: Severity, fix: Fix, denied: list[str]) -> None:
    judged = verdict(finding(severity=severity, fix=fix, fixed_in=("1.3",)))
    assert codes(judged) == denied
    assert judged.allowed == (not denied)
    assert len(judged.noted) == 1 - len(denied)


def test_a_denial_says_what_and_where_and_what_to_do() -> None:
    (reason,) = verdict(finding(fix=Fix.FIXED, fixed_in=("1.3", "1.4"))).denied
    assert reason.message == "CVE-2026-1 (critical) in zlib1g 1.2, fixed in 1.3, 1.4"
    assert reason.remedy.startswith("upgrade zlib1g to 1.3 or 1.4, or add a VEX statement")


def test_no_findings_are_allowed() -> None:
    assert verdict().allowed


@pytest.mark.parametrize("ruling", ["deny", "deny-unless-unfixable"])
def test_a_project_may_be_stricter(ruling: str) -> None:
    lax = finding(severity=Severity.LOW, fix=Fix.FIXED)
    assert codes(verdict(lax, rules=rules(low=ruling))) == ["severity-low"]


def test_a_statement_that_applies_excuses_and_says_so() -> None:
    judged = verdict(finding(), claims=claims(statement()))
    assert judged.allowed
    assert [reason.code for reason in judged.excused] == ["vex"]
    assert (
        "vulnerable_code_not_present, the vulnerable part is not built (until 2027-02-01" in judged.excused[0].message
    )


@pytest.mark.parametrize("severity", [Severity.CRITICAL, Severity.LOW])
def test_an_expired_statement_is_a_denial_of_its_own(severity: Severity) -> None:
    (reason,) = verdict(finding(severity=severity), claims=claims(statement(valid_until="2026-11-24"))).denied
    assert reason.code == "vex-expired"
    assert "the VEX statement in policy/vex/test.json ended on 2026-11-24" in reason.message
    assert "renew" in reason.remedy


def test_a_refuted_statement_is_a_denial_of_its_own() -> None:
    refuted = claims(statement(conditions=[{"no_file": "*libz*"}]), files=("lib/libz.so.1",))
    (reason,) = verdict(finding(), claims=refuted).denied
    assert reason.code == "vex-refuted"
    assert "the image has lib/libz.so.1" in reason.message
    assert "waiver" in reason.remedy


def test_a_refuted_statement_names_what_speaks_against_it_and_no_endless_list() -> None:
    files = tuple(f"lib/libz.so.{number}" for number in range(9))
    (reason,) = verdict(finding(), claims=claims(statement(conditions=[{"no_file": "*libz*"}]), files=files)).denied
    assert reason.message.count("the image has") == 3
    assert reason.message.endswith("; and 6 more")


@pytest.mark.parametrize("status", ["affected", "under_investigation"])
def test_a_statement_that_does_not_excuse_changes_nothing(status: str) -> None:
    stated = claims(statement(status=status, justification=None, action_statement="upgrade"))
    assert codes(verdict(finding(), claims=stated)) == ["severity-critical"]


def test_a_statement_about_one_finding_excuses_no_other() -> None:
    assert codes(verdict(finding("CVE-2026-2"), claims=claims(statement()))) == ["severity-critical"]


def test_a_waiver_excuses_by_name_and_owner() -> None:
    (reason,) = verdict(finding(), waivers=waivers()).excused
    assert "accepted by A Tester until 2027-02-01: the service never compresses anything" in reason.message


def test_a_waiver_that_has_ended_is_a_denial_of_its_own() -> None:
    assert codes(verdict(finding(), waivers=waivers("2026-11-24"))) == ["waiver-expired"]


def test_a_waiver_that_still_holds_stands_in_for_an_expired_statement() -> None:
    expired = claims(statement(valid_until="2026-11-24"))
    assert verdict(finding(), claims=expired, waivers=waivers()).allowed


@pytest.mark.parametrize(("until", "said"), [("2026-12-24", True), ("2026-12-25", False)])
def test_an_end_within_thirty_days_is_said_aloud(until: str, said: bool) -> None:
    by_statement = verdict(finding(), claims=claims(statement(valid_until=until))).notices
    by_waiver = verdict(finding(), waivers=waivers(until)).notices
    assert [any("ends in 29 days" in each for each in notices) for notices in (by_statement, by_waiver)] == [said] * 2


def test_a_waiver_for_nothing_is_said_aloud() -> None:
    assert verdict(waivers=waivers()).notices == ("the waiver for CVE-2026-1 covers nothing that the scan found",)


def test_a_statement_about_nothing_that_was_found_is_said_to_be_published_all_the_same() -> None:
    stated = claims(statement(vulnerability={"name": "CVE-2020-1"}))
    said = (
        "the VEX statement for CVE-2020-1 in policy/vex/test.json is published, and covers nothing that the scan found"
    )
    assert verdict(finding(severity=Severity.LOW), claims=stated).notices == (said,)
    assert verdict(finding(severity=Severity.LOW), claims=claims(statement())).notices == ()


def test_a_database_on_its_last_day_is_young_enough_and_one_second_later_is_not() -> None:
    last = VulnerabilityDatabase(NOW - timedelta(days=5), sample=False)
    assert verdict(database=last).allowed
    (reason,) = verdict(database=replace(last, built=last.built - timedelta(seconds=1))).denied
    assert reason.code == "database-too-old"
    assert "5 days ago; rules.toml allows 5" in reason.message


def test_a_sample_has_no_age_and_says_that_it_is_a_sample() -> None:
    judged = verdict(database=VulnerabilityDatabase(NOW - timedelta(days=4000), sample=True))
    assert judged.allowed
    assert "SAMPLE" in judged.notices[0]


def test_a_sample_judges_no_release() -> None:
    assert codes(verdict(database=VulnerabilityDatabase(NOW, sample=True, release=True))) == ["database-sample"]


def test_a_database_that_is_not_built_yet_is_denied_and_does_not_stay_young_for_ever() -> None:
    assert verdict(database=VulnerabilityDatabase(NOW, sample=False)).allowed
    assert codes(verdict(database=VulnerabilityDatabase(NOW + timedelta(seconds=1), sample=False))) == [
        "database-from-the-future"
    ]


@pytest.mark.parametrize("hours", [-24, 0, 24])
def test_a_verdict_of_the_last_day_is_fresh(hours: int) -> None:
    require_fresh(NOW, NOW + timedelta(hours=hours))


@pytest.mark.parametrize("seconds", [-86401, 86401])
def test_an_older_verdict_is_refused_and_one_of_days_to_come_too(seconds: int) -> None:
    said = r"the verdict was given at 2026-11-25T12:00\+00:00, and it is 2026-11-2[46]"
    with pytest.raises(PolicyDenied, match=said):
        require_fresh(NOW, NOW + timedelta(seconds=seconds))


_FINDINGS = some.builds(
    finding,
    some.sampled_from(["CVE-2026-1", "CVE-2026-2", "CVE-2026-3"]),
    severity=some.sampled_from(Severity),
    fix=some.sampled_from(Fix),
)


@given(some.lists(_FINDINGS, max_size=6))
def test_every_finding_is_ruled_on_once_and_allowed_means_nothing_denied(found: list[Finding]) -> None:
    judged = verdict(*found, claims=claims(statement()))
    assert len(judged.denied) + len(judged.excused) + len(judged.noted) == len(found)
    assert judged.allowed == (judged.denied == ())
    assert not any(reason.finding == "CVE-2026-1" for reason in (*judged.denied, *judged.noted))


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('unknown = "deny"', "", "severity.unknown: it is missing"),
        ('high = "deny-unless-unfixable"', 'high = "sometimes"', "severity.high"),
        ("warn-days", "warn-day", "did you mean warn-days"),
        ("maximum-age-days = 5", "maximum-age-days = 0", "database.maximum-age-days"),
        ("[severity]", "[severity", "is not TOML"),
    ],
)
def test_rules_that_mean_nothing_are_refused(before: str, after: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_rules(RULES.replace(before, after))
    assert complaint in refused.value.explain()


def test_no_rules_are_no_policy() -> None:
    with pytest.raises(ConfigError, match=r"rules\.toml"):
        read_rules("")


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("owner", "# owner", "owner: it is missing"),
        ("the service never compresses anything", "trust me", "reason"),
        ("pkg:deb/debian/zlib1g", "zlib1g", "not a package URL"),
        ("since = 2026-11-01", "since = 2026-01-01", "allows 180 days at most"),
    ],
)
def test_a_waiver_that_says_too_little_is_refused(before: str, after: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_waivers(WAIVER.format(until="2027-02-01").replace(before, after), rules())
    assert complaint in refused.value.explain()


def test_the_same_waiver_twice_is_refused() -> None:
    with pytest.raises(ConfigError) as refused:
        read_waivers(WAIVER.format(until="2027-02-01") * 2, rules())
    assert "waived twice" in refused.value.explain()


def test_the_waivers_that_we_ship_can_be_read() -> None:
    assert read_waivers((HOME / "policy" / "waivers.toml").read_text(), rules()) == ()


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-25T00:00:00"])
def test_a_time_without_a_zone_is_no_time(text: str) -> None:
    with pytest.raises(VerificationFailed):
        read_time(text)
