"""Each alert fires where it has to and stays silent where it has not, by promtool's own tests of rules."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s import alert_cases, standing, watched
from tests.k8s.alert_cases import Case

FAILED = re.compile(r'expr: ("(?:[^"\\]|\\.)*"), time: (\S+),')
CASES = tuple(alert_cases.cases())
ALERTS = sorted({rule["alert"] for rule in watched.each_rule(watched.rules()) if "alert" in rule})


def wrong(groups: Any, cases: tuple[Case, ...], work: Path) -> set[tuple[str, str]]:
    """Return alert and time of the cases that are not as promtool found them."""
    ended = watched.judged(groups, [case.test() for case in cases], work)
    found = {(json.loads(expr), at) for expr, at in FAILED.findall(ended.stdout + ended.stderr)}
    assert (ended.returncode == 0) == (not found), ended.stdout + ended.stderr
    return {(re.findall(r'alertname="(\w+)"', expr)[0], at) for expr, at in found}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    return wrong(watched.rules(), CASES, tmp_path_factory.mktemp("alerts"))


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_where_it_has_to_and_else_is_silent(alert: str, judged: set[tuple[str, str]]) -> None:
    fires = [case.fires for case in CASES if case.alert == alert]
    assert 0 in fires
    assert set(fires) - {0}
    assert not [each for each in judged if each[0] == alert]


def test_each_case_speaks_of_an_alert_that_there_is() -> None:
    assert {case.alert for case in CASES} == set(ALERTS)


def test_each_alert_says_what_it_is_about_and_how_urgent() -> None:
    for rule in watched.each_rule(watched.rules()):
        if "alert" in rule:
            assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]
            assert rule["labels"].keys() == {"severity"}
            assert rule["labels"]["severity"] in {"page", "ticket"}


def test_the_cases_use_metrics_that_are_really_given(service: str) -> None:
    text = service + standing.text() + watched.CLUSTER.read_text()
    given = set(re.findall(r"^([a-z_]+)", text, re.MULTILINE))
    assert {name.partition("{")[0] for case in CASES for name in case.series} - given == set()


@pytest.mark.parametrize(
    ("old", "new", "alert"),
    [
        ("for: 5m", "for: 50m", "SimpleTimeServiceErrorRate"),
        ("14.4 * 0.001", "144 * 0.001", "SimpleTimeServiceErrorBudgetBurnsFast"),
        ("_accept_failures_total", "_failures_total", "SimpleTimeServiceRefusesConnections"),
        ('status="5xx"', 'status="500"', "SimpleTimeServiceErrorRate"),
        (',route!~"/(health|livez|readyz|startupz)"', "", "SimpleTimeServiceErrorRate"),
        ("14 * 86400", "1 * 86400", "ShipsealVexStatementEnds"),
    ],
)
def test_a_rule_that_is_altered_fails_its_cases(old: str, new: str, alert: str, tmp_path: Path) -> None:
    text = (watched.MONITORING / "prometheusrule.yaml").read_text()
    assert old in text
    mine = tuple(case for case in CASES if case.alert == alert)
    altered = yaml.safe_load(text.replace(old, new))["spec"]
    assert {each[0] for each in wrong(altered, mine, tmp_path)} == {alert}
