"""Each rule of a policy denies what it names, lets the rest pass, and is off where a project does not set it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.documents.sbom import CycloneDxDocument
from shipseal.documents.smoke import SmokeDocument
from shipseal.documents.verdict import RuleOutcome
from shipseal.errors import ConfigError
from shipseal.judging.case import read, suite_of
from shipseal.judging.catalogue import RULES
from shipseal.judging.image_facts import LicensedPackage, Observed, Tests, packages
from shipseal.judging.ledger import LedgerInputs, ledger
from shipseal.judging.licences import canonical, declared, satisfied
from shipseal.judging.policy import VulnerabilityDatabase, judge
from shipseal.judging.rules import Rules, read_rules
from shipseal.judging.verdict import Verdict
from shipseal.project.config import HOME
from shipseal.purl import Purl
from shipseal.scanning.findings import Finding, Fix, Severity
from tests import measured
from tests.cases import IMAGE, PLATFORM, case
from tests.statements import NOW, finding
from tests.statements import RULES as SHIPPED

OLD = SHIPPED.replace("version = 2\n", "").partition("# What is exploited")[0]
"""The shipped rules as a file of version 1 had them."""
OTHER = f"sha256:{'1' * 64}"
FRESH = VulnerabilityDatabase(NOW - timedelta(days=1), sample=False, providers=frozenset({"kev", "epss"}))
HIGH = finding(severity=Severity.HIGH, fix=Fix.FIXED, fixed_in=("1.3",))


def rules(more: str = "") -> Rules:
    return read_rules(f"version = 2\n{OLD}\n{more}")


def judged(*findings: Finding, more: str = "", observed: Observed | None = None, **database: Any) -> Verdict:
    known = observed or Observed()
    return judge(findings, (), (), rules(more), replace(FRESH, **database), NOW, observed=known)


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.denied]


def package(name: str, licence: str | None) -> LicensedPackage:
    return LicensedPackage(Purl.parse(f"pkg:pypi/{name}@1.0"), licence, licence or "")


def table() -> Iterator[tuple[str, ...]]:
    """Yield the rows of the list of rules that people read."""
    text = (
        (HOME / "docs" / "policy.md").read_text(encoding="utf-8").partition("## The rules\n")[2].partition("\n## ")[0]
    )
    for line in text.splitlines():
        if line.startswith("| `"):
            yield tuple(cell.strip().strip("`") for cell in line.strip("|").split("|"))


def test_the_documents_list_each_rule_with_its_code_its_setting_its_message_and_its_remedy() -> None:
    assert [(each.code, each.setting or "always on", each.says, each.remedy) for each in RULES] == list(table())


def test_a_verdict_uses_no_code_that_the_list_of_rules_has_not() -> None:
    """Codes are written where a rule is applied: whoever adds one there has to say what it means."""
    written = set()
    for name in ("policy", "exceptions", "image_facts"):
        source = (HOME / "shipseal" / "judging" / f"{name}.py").read_text(encoding="utf-8")
        written |= set(re.findall(r'(?:Reason|RuleResult|reason)(?:\.of_image)?\(\s*"([a-z-]+)"', source))
    assert {"vex-expired", "database-too-old", "licence"} <= written
    assert written - {rule.code for rule in RULES} == {"vex", "waiver", "noted"}


def test_a_file_of_the_first_version_is_read_and_all_that_is_newer_is_off() -> None:
    old = read_rules(OLD)
    verdict = judge((HIGH,), (), (), old, FRESH, NOW)
    lines = ledger(verdict, LedgerInputs(old, (HIGH,), FRESH, Observed()), ())
    off = ["known-exploited", "epss", "severity-medium", "severity-low", "severity-negligible"]
    off += ["licence", "licence-unknown", "base-package", "tests", "source-dirty"]
    assert [line.code for line in lines if line.decision == "off"] == off
    assert [line.code for line in lines if line.decision == "denied"] == ["severity-high"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"{OLD}\n[source]\nclean = true", "[source] takes version = 2"),
        (f"version = 3\n{OLD}", "knows the versions 1 and 2"),
        (f"version = true\n{OLD}", "knows the versions 1 and 2"),
        (f"version = 2\n{OLD}\n[leeway]\nhihg = 3", "did you mean high"),
        (f"version = 2\n{OLD}\n[leeway]\nhigh = 0", "leeway.high"),
        (f'version = 2\n{OLD}\n[exploitation]\nepss-at-least = nan\nknown = "deny"', "epss-at-least"),
        (f'version = 2\n{OLD}\n[licences]\nallow = ["MIT"]\ndeny = ["MIT"]', "give allow or deny"),
        (f'version = 2\n{OLD}\n[licences]\nallow = ["MIT"]', "say what becomes of a licence that nobody knows"),
        (f'version = 2\n{OLD}\n[licences]\nallow = ["Free"]', "Unknown license: 'free'"),
        (f'version = 2\n{OLD}\n[licences]\nallow = ["MIT OR Zlib"]', "one licence at a time"),
        (f'version = 2\n{OLD}\n[base]\npackages = ["../etc"]', "another form"),
        (f"version = 2\n{OLD}\n[tests]\nminimum-passed = 0", "below 1"),
    ],
)
def test_rules_that_mean_nothing_are_refused_and_named(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_rules(text)
    assert complaint in refused.value.explain()


@pytest.mark.parametrize(
    ("age", "denied"),
    [(0, []), (7, []), (8, ["severity-high"]), (-1, ["severity-high"]), (None, ["severity-high"])],
)
def test_a_fix_may_wait_for_the_days_of_leeway_since_it_came_out_and_for_none_that_nobody_dates(
    age: int | None, denied: list[str]
) -> None:
    came_out = None if age is None else NOW.date() - timedelta(days=age)
    assert codes(judged(replace(HIGH, fixed_on=came_out), more="[leeway]\nhigh = 7")) == denied


def test_a_finding_that_passes_for_a_while_says_until_when() -> None:
    (reason,) = judged(replace(HIGH, fixed_on=date(2026, 11, 20)), more="[leeway]\nhigh = 7").noted
    assert reason.message.endswith("; the fix has to be taken by 2026-11-27")


def test_leeway_is_no_way_around_a_severity_that_never_ships() -> None:
    worst = replace(HIGH, severity=Severity.CRITICAL, fixed_on=NOW.date())
    assert codes(judged(worst, more="[leeway]\ncritical = 300")) == ["severity-critical"]


@pytest.mark.parametrize(("setting", "denied"), [('known = "deny"', ["known-exploited"]), ('known = "allow"', [])])
def test_what_is_exploited_is_denied_whatever_its_severity(setting: str, denied: list[str]) -> None:
    low = finding(severity=Severity.LOW, exploited=True)
    assert codes(judged(low, finding("CVE-2", severity=Severity.LOW), more=f"[exploitation]\n{setting}")) == denied


@pytest.mark.parametrize(("epss", "denied"), [(None, []), (0.4999, []), (0.5, ["epss"]), (1.0, ["epss"])])
def test_what_is_likely_to_be_exploited_is_denied_from_the_threshold_on(epss: float | None, denied: list[str]) -> None:
    low = finding(severity=Severity.LOW, epss=epss)
    assert codes(judged(low, more="[exploitation]\nepss-at-least = 0.5")) == denied


def test_a_rule_that_the_database_has_no_data_for_says_that_it_could_deny_nothing() -> None:
    more = '[exploitation]\nknown = "deny"\nepss-at-least = 0.5'
    assert judged(more=more).notices == ()
    notices = judged(more=more, providers=frozenset({"debian"})).notices
    assert [each.partition(" is set")[0] for each in notices] == [
        "[exploitation] known",
        "[exploitation] epss-at-least",
    ]


@pytest.mark.parametrize(
    ("setting", "licence", "denied"),
    [
        ('allow = ["MIT", "Zlib"]', "MIT", []),
        ('allow = ["MIT", "Zlib"]', "MIT AND Zlib", []),
        ('allow = ["MIT", "Zlib"]', "MIT AND GPL-3.0-only", ["licence"]),
        ('allow = ["MIT", "Zlib"]', "GPL-3.0-only OR Zlib", []),
        ('allow = ["MIT"]', "GPL-2.0-only WITH Classpath-exception-2.0", ["licence"]),
        ('allow = ["GPL-2.0-only WITH Classpath-exception-2.0"]', "GPL-2.0-only", ["licence"]),
        ('allow = ["GPL-2.0-only WITH Classpath-exception-2.0"]', "GPL-2.0-only WITH Classpath-exception-2.0", []),
        ('deny = ["AGPL-3.0-only"]', "(MIT OR BSD-3-Clause) AND AGPL-3.0-only", ["licence"]),
        ('deny = ["AGPL-3.0-only"]', "MIT OR AGPL-3.0-only", []),
        ('deny = ["AGPL-3.0-only"]', None, []),
        ('unknown = "deny"', None, ["licence-unknown"]),
        ('unknown = "allow"', None, []),
        ('unknown = "deny"\n[licences.clarified]\n"pkg:pypi/one" = "MIT"', None, []),
        ('allow = ["Zlib"]\n[licences.clarified]\n"pkg:pypi/one" = "MIT"', None, ["licence"]),
        ('unknown = "deny"\n[licences.clarified]\n"pkg:pypi/other" = "MIT"', None, ["licence-unknown"]),
    ],
)
def test_a_licence_is_judged_by_what_its_expression_leaves_to_choose(
    setting: str, licence: str | None, denied: list[str]
) -> None:
    seen = Observed(packages=(package("one", licence),))
    ruled = setting if "unknown" in setting else f'unknown = "allow"\n{setting}'
    assert codes(judged(more=f"[licences]\n{ruled}", observed=seen)) == denied


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (None, None),
        ([], None),
        ([{"license": {"id": "MIT"}}], "MIT"),
        ([{"expression": "mit or zlib"}], "MIT OR Zlib"),
        ([{"license": {"id": "MIT"}}, {"expression": "Zlib OR MIT"}], "MIT AND (Zlib OR MIT)"),
        ([{"license": {"name": "ZPL 2.1"}}], None),
        ([{"license": {"id": "MIT"}}, {"license": {"name": "sha256:00"}}], None),
        ([{"license": {}}], None),
        ("MIT", None),
        ([5], None),
        ([{"expression": "(" * 5000 + "MIT" + ")" * 5000}], None),
        ([{"license": {"name": "__import__('os')"}}], None),
    ],
)
def test_what_an_sbom_says_of_a_licence_is_one_expression_or_unknown(licences: Any, expected: str | None) -> None:
    assert declared(licences)[0] == expected


def test_and_binds_before_or_and_parentheses_before_both() -> None:
    def mit(one: str) -> bool:
        return one == "MIT"

    assert satisfied(canonical("MIT OR Zlib AND ISC"), mit)
    assert not satisfied(canonical("(MIT OR Zlib) AND ISC"), mit)


def test_a_package_that_two_platforms_list_is_judged_once() -> None:
    on_one = {"components": [{"purl": "pkg:deb/debian/a@1?arch=amd64"}, {"name": "a file"}]}
    on_other = {"components": [{"purl": "pkg:deb/debian/a@1?arch=arm64"}]}
    both = [CycloneDxDocument.parse(json.dumps(each).encode()) for each in (on_one, on_other)]
    assert [str(each.purl) for each in packages(both)] == ["pkg:deb/debian/a@1"]


def test_a_package_of_the_distribution_that_is_not_on_the_list_is_denied_by_name() -> None:
    verdict = judged(more='[base]\npackages = ["libc6"]', observed=Observed(base=("libc6", "perl")))
    assert [(each.code, each.package) for each in verdict.denied] == [("base-package", "perl")]


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (None, "nobody knows whether"),
        (Tests(500, of_this_image=False), "another image than this one"),
        (Tests(9, of_this_image=True), "9 tests have passed in this image; rules.toml asks for 10"),
        (Tests(10, of_this_image=True), ""),
    ],
)
def test_tests_count_when_enough_of_them_passed_in_this_very_image(tests: Tests | None, said: str) -> None:
    denied = judged(more="[tests]\nminimum-passed = 10", observed=Observed(tests=tests)).denied
    assert [said in reason.message for reason in denied] == ([True] if said else [])


@pytest.mark.parametrize(("dirty", "denied"), [(False, []), (True, ["source-dirty"]), (None, ["source-dirty"])])
def test_files_that_are_not_as_committed_are_denied_and_not_to_know_is_no_excuse(
    dirty: bool | None, denied: list[str]
) -> None:
    assert codes(judged(more="[source]\nclean = true", observed=Observed(dirty=dirty))) == denied


def test_a_line_of_each_rule_says_to_what_it_was_set_what_was_seen_and_on_what_it_rests() -> None:
    whole = rules("[leeway]\nhigh = 7\n[exploitation]\nepss-at-least = 0.5\n[tests]\nminimum-passed = 3")
    known = Observed(tests=Tests(2, of_this_image=True))
    found = (HIGH, finding("CVE-2", severity=Severity.LOW, epss=0.25))
    verdict = judge(found, (), (), whole, FRESH, NOW, observed=known)
    inputs = ("scan/grype.json", "policy/rules.toml", "smoke/tests.json", "vex/evidence.json")
    lines = {line.code: line for line in ledger(verdict, LedgerInputs(whole, found, FRESH, known), inputs)}
    assert lines["severity-high"] == RuleOutcome(
        code="severity-high",
        setting="[severity] high, [leeway] high",
        threshold="deny-unless-unfixable, 7 days after a fix",
        observed="1 denied, 0 excused, 0 noted",
        decision="denied",
        denied=1,
        inputs=("policy/rules.toml", "scan/grype.json"),
    )
    likely = lines["epss"]
    assert (likely.threshold, likely.observed) == ("below 0.5", "0.25 at most, of 1 findings that have one")
    assert (lines["tests"].decision, lines["tests"].observed) == ("denied", "2 passed")
    assert lines["database-too-old"].observed == "built 2026-11-24T12:00:00+00:00"


@pytest.mark.parametrize(
    ("smoke", "expected"),
    [
        (measured.smoke(PLATFORM, Digest.parse(IMAGE), 5), Tests(5, of_this_image=True)),
        (measured.smoke(PLATFORM, Digest.of(b"another"), 5), Tests(5, of_this_image=False)),
        (measured.smoke("linux/s390x", Digest.parse(IMAGE), 5), Tests(5, of_this_image=False)),
        (measured.smoke(PLATFORM, Digest.parse(IMAGE)), Tests(0, of_this_image=True)),
    ],
)
def test_how_the_suite_went_is_bound_to_the_manifest_that_it_ran_on(smoke: SmokeDocument, expected: Tests) -> None:
    whole = f"{SHIPPED}\n[tests]\nminimum-passed = 3\n"
    assert expected == read(case(rules=whole, more={"smoke/tests.json": suite_of(smoke)})).observed.tests


@pytest.mark.parametrize(("providers", "came_out"), [({"kev"}, "passed"), ({"debian"}, "blind"), (None, "passed")])
def test_a_rule_that_could_not_see_is_written_down_as_blind_and_not_as_passed(
    providers: set[str] | None, came_out: str
) -> None:
    whole = rules('[exploitation]\nknown = "deny"')
    database = replace(FRESH, providers=None if providers is None else frozenset(providers))
    verdict = judge((), (), (), whole, database, NOW)
    lines = {line.code: line for line in ledger(verdict, LedgerInputs(whole, (), database, Observed()), ())}
    assert came_out == lines["known-exploited"].decision
