"""What is watched is there: each name and label of rules and dashboard, in what the running service says of itself."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from k8s.monitoring import dashboard
from tests.k8s import standing, watched
from tests.k8s.test_values import K8S, ROOT, rendered

TERRAFORM = ROOT / "terraform"


@pytest.fixture(scope="module")
def scraped(service: str) -> list[Any]:
    """Everything that there is to ask for."""
    others = 'namespace="monitoring",pod="node-exporter",job="node-exporter"'
    return [
        *watched.series(service),
        *watched.series(standing.text(), others),
        *watched.series(watched.CLUSTER.read_text()),
    ]


@pytest.fixture(scope="module")
def board() -> Any:
    """The dashboard as it is committed."""
    return json.loads(dashboard.FILE.read_bytes())


def test_the_dashboard_is_the_one_that_its_python_makes() -> None:
    assert dashboard.FILE.read_text() == dashboard.built()


def test_every_name_and_label_of_rules_and_dashboard_is_in_what_is_scraped(
    scraped: list[Any], board: Any, tmp_path: Path
) -> None:
    assert watched.empty(watched.rules(), board, scraped, tmp_path) == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("simpletimeservice_http_requests_total", "simpletimeservice_http_answers_total"),
        ("simpletimeservice_worker_hangs_total", "simpletimeservice_hangs_total"),
        ("shipseal_drift", "shipseal_drifted"),
        ("kube_horizontalpodautoscaler_spec_max_replicas", "kube_hpa_spec_max_replicas"),
        ('route="', 'path="'),
        ('status="5xx"', 'status="500"'),
    ],
)
def test_what_the_service_or_another_calls_otherwise_is_told(
    old: str, new: str, scraped: list[Any], board: Any, tmp_path: Path
) -> None:
    renamed = [{**each, "series": each["series"].replace(old, new)} for each in scraped]
    told = watched.empty(watched.rules(), board, renamed, tmp_path)
    assert any(old.strip('="') in each for each in told), told


@pytest.mark.parametrize(
    ("expr", "legend", "told"),
    [
        ("sum by (client) (rate(simpletimeservice_http_requests_total[5m]))", "", 'requests_total{client!=""}'),
        ("simpletimeservice_workers", "{{zone}}", 'simpletimeservice_workers{zone!=""}'),
        ('simpletimeservice_http_requests_total{method="BREW"}', "", 'requests_total{method="BREW"}'),
        ("namespace:simpletimeservice_nothing:rate5m", "", "namespace:simpletimeservice_nothing:rate5m"),
    ],
)
def test_a_query_of_the_dashboard_for_what_is_not_there_is_told(
    expr: str, legend: str, told: str, scraped: list[Any], board: Any, tmp_path: Path
) -> None:
    panel = {"targets": [{"expr": expr, "legendFormat": legend}]}
    found = watched.empty(watched.rules(), {**board, "panels": [panel]}, scraped, tmp_path)
    assert any(told in each for each in found), found


def test_promtool_finds_nothing_wrong_with_the_rules_and_with_what_status_writes(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(watched.rules()))
    checked = watched.promtool("check", "rules", "--lint-fatal", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    checked = watched.promtool("check", "metrics", given=standing.text())
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("limit", "alert", "written"),
    [
        ("requests_per_second", "SimpleTimeServiceRequestRate", lambda value: value),
        ("connections", "SimpleTimeServiceActiveConnections", lambda value: value),
        ("p99_seconds", "SimpleTimeServiceResponseTime", lambda value: value),
        ("error_percent", "SimpleTimeServiceErrorRate", lambda value: value / 100),
    ],
)
def test_an_alert_rings_where_cloudwatchs_alarm_does(limit: str, alert: str, written: Any) -> None:
    [rule] = [each for each in watched.each_rule(watched.rules()) if each.get("alert") == alert]
    compared: Any = promql.parse(rule["expr"])
    assert compared.rhs.val == pytest.approx(written(_limit(limit)))


def test_the_budget_of_errors_is_what_the_availability_agreed_leaves() -> None:
    budget = f"{1 - _limit('availability') / 100:.3f}"
    rules = {each.get("alert"): each["expr"] for each in watched.each_rule(watched.rules())}
    for name, factors in (("Fast", ["14.4", "14.4", "6", "6"]), ("Slowly", ["3", "3", "1", "1"])):
        assert re.findall(r"> (\S+) \* (\S+?)\)?\s", rules[f"SimpleTimeServiceErrorBudgetBurns{name}"] + " ") == [
            (factor, budget) for factor in factors
        ]
    assert f"/ {budget}" in dashboard.built()


def _limit(name: str) -> float:
    text = (TERRAFORM / "modules" / "observability" / "variables.tf").read_text()
    [value] = re.findall(rf"{name} += optional\(number, ([0-9.]+)\)", text)
    return float(value)


def test_the_month_of_the_dashboard_costs_what_the_architecture_says() -> None:
    totals = tomllib.loads((TERRAFORM / "prices.toml").read_text())["totals"]
    assert float(dashboard.MONTHLY_USD) == totals["production"]


def test_the_pods_metrics_port_is_watched_under_the_name_that_the_rules_ask_for(kustomize: Path) -> None:
    monitor = rendered(kustomize, K8S / "monitoring")["PodMonitor", "simpletimeservice"]["spec"]
    template = rendered(kustomize, K8S / "overlays" / "production")["Deployment", "simpletimeservice"]["spec"][
        "template"
    ]
    [endpoint] = monitor["podMetricsEndpoints"]
    ports = [port["name"] for container in template["spec"]["containers"] for port in container["ports"]]
    assert endpoint["port"] in ports
    assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert f'job="{template["metadata"]["labels"][monitor["jobLabel"]]}"' in watched.TARGET


def test_a_pod_gives_a_third_of_the_series_that_its_monitor_lets_through(kustomize: Path, service: str) -> None:
    monitor = rendered(kustomize, K8S / "monitoring")["PodMonitor", "simpletimeservice"]["spec"]
    assert len(watched.series(service)) * 3 < monitor["sampleLimit"]


def test_the_manifests_carry_rules_and_dashboard_as_they_are_committed(kustomize: Path, board: Any) -> None:
    objects = rendered(kustomize, K8S / "monitoring")
    assert {kind for kind, _ in objects} == {"PodMonitor", "PrometheusRule", "ConfigMap"}
    assert objects["PrometheusRule", "simpletimeservice"]["spec"] == watched.rules()
    config = objects["ConfigMap", "simpletimeservice-dashboard"]
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert [json.loads(text) for text in config["data"].values()] == [board]
    assert {each["metadata"]["namespace"] for each in objects.values()} == {"monitoring"}


def test_the_page_tells_of_each_alert() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    alerts = {each["alert"] for each in watched.each_rule(watched.rules()) if "alert" in each}
    assert set(re.findall(r"`((?:SimpleTimeService|Shipseal)\w+)`", page)) == alerts


def test_the_page_shows_a_scrape_that_prometheus_takes(tmp_path: Path) -> None:
    """But for where its targets come from: Debian's promtool is built without Kubernetes."""
    [shown] = re.findall(r"```yaml\n(scrape_configs:.*?)```", (ROOT / "docs" / "monitoring.md").read_text(), re.DOTALL)
    config = yaml.safe_load(shown)
    [job] = config["scrape_configs"]
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod", "namespaces": {"names": [standing.NAMESPACE]}}]
    assert f'job="{job["job_name"]}"' in watched.TARGET
    file = tmp_path / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config))
    checked = watched.promtool("check", "config", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr
