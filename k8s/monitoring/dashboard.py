"""Write the Grafana dashboard, `dashboard.json`: `python -m k8s.monitoring.dashboard`, after every change here.

The names in its queries are those of `prometheusrule.yaml` and of the service; tests ask the running service for them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef, Threshold, ThresholdsMode

FILE = Path(__file__).with_name("dashboard.json")
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
ERRORS = "namespace:simpletimeservice_http_errors:ratio_rate"
SECONDS = "namespace:simpletimeservice_http_request_duration_seconds:"
REQUESTS = "namespace:simpletimeservice_http_requests:rate5m"
SATURATED = "namespace_pod:simpletimeservice_"
HPA = 'horizontalpodautoscaler="simpletimeservice"'
MONTHLY_USD = "234"  # the architecture's; a test holds it against `shipseal cost`


@dataclass(frozen=True)
class Graph:
    """Lines over time, each a query and its legend; red from `limit` on, where an alert rings."""

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    text: str
    limit: float | None = None

    def build(self) -> timeseries.Panel:
        """Return the panel."""
        panel = timeseries.Panel().title(self.title).unit(self.unit).description(self.text).datasource(SOURCE)
        panel = panel.span(8).height(8).thresholds(_levels("green", self.limit, "red"))
        for letter, (expr, legend) in zip("ABCDE", self.lines, strict=False):
            panel = panel.with_target(prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(letter))
        return panel


@dataclass(frozen=True)
class Number:
    """One figure, as of now; red below `least`, or from `most` on."""

    title: str
    unit: str
    expr: str
    text: str
    least: float | None = None
    most: float | None = None

    def build(self) -> stat.Panel:
        """Return the panel."""
        levels = _levels("green", self.most, "red") if self.least is None else _levels("red", self.least, "green")
        panel = stat.Panel().title(self.title).unit(self.unit).description(self.text).datasource(SOURCE)
        panel = panel.thresholds(levels).span(6).height(5)
        panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        return panel.with_target(prometheus.Dataquery().expr(self.expr).instant().ref_id("A"))


def _levels(below: str, step: float | None, above: str) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value=None, color=below)]
    if step is not None:
        steps.append(Threshold(value=step, color=above))
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _days(seconds: str) -> str:
    return f"({seconds}) / 86400"


ROWS: dict[str, tuple[Graph | Number, ...]] = {
    "Requests": (
        Graph(
            "Requests by status",
            "reqps",
            (("sum by (status) (namespace_route_status:simpletimeservice_http_requests:rate5m)", "{{status}}"),),
            "Of all routes, probes too.",
        ),
        Graph(
            "Requests by route",
            "reqps",
            (("sum by (route) (namespace_route_status:simpletimeservice_http_requests:rate5m)", "{{route}}"),),
            "A path that is no route of the service counts as `other`.",
            100_000,
        ),
        Graph(
            "Response time",
            "s",
            ((f"{SECONDS}p50_5m", "p50"), (f"{SECONDS}p99_5m", "p99")),
            "By the service itself, without probes; promised are 1 ms and 5 ms.",
            0.005,
        ),
        Graph("Errors", "percentunit", ((f"{ERRORS}5m", "5xx"),), "Answers of 5xx, of all requests but probes.", 0.01),
        Graph(
            "p99 by route",
            "s",
            (
                (
                    "histogram_quantile(0.99, sum by (route, le) "
                    "(rate(simpletimeservice_http_request_duration_seconds_bucket[5m])))",
                    "{{route}}",
                ),
            ),
            "A route without requests has none.",
            0.005,
        ),
        Graph(
            "Connections",
            "short",
            (("namespace:simpletimeservice_http_connections_active:sum", "open"),),
            "As of the last second.",
            10_000,
        ),
    ),
    "Availability: 99.9 % in 30 days": (
        Number("Availability", "percentunit", f"1 - {ERRORS}30d", "Of 30 days, as the pods see it.", least=0.999),
        Number("SLA kept", "bool_yes_no", f"1 - {ERRORS}30d >= bool 0.999", "Of 30 days.", least=1),
        Number("Error budget left", "percentunit", f"1 - {ERRORS}30d / 0.001", "Of 30 days.", least=0.1),
        Number(
            "Dollars for a million requests",
            "currencyUSD",
            f"$monthly_usd / (avg_over_time({REQUESTS}[30d]) * 30 * 86400) * 1e6",
            "What is entered above as a month's cost, over the requests of 30 days.",
        ),
        Graph(
            "Burn rate",
            "none",
            tuple((f"{ERRORS}{window} / 0.001", window) for window in ("5m", "1h", "6h", "1d", "3d")),
            "1 uses up the budget in just 30 days; 14.4 for an hour pages.",
            14.4,
        ),
    ),
    "Saturation": (
        Graph("Processor", "percentunit", ((f"{SATURATED}cpu:limit_ratio", "{{pod}}"),), "Of the limit.", 0.8),
        Graph("Memory", "percentunit", ((f"{SATURATED}memory:limit_ratio", "{{pod}}"),), "Of the limit.", 0.8),
        Graph(
            "Replicas",
            "short",
            (
                (f"kube_horizontalpodautoscaler_status_current_replicas{{{HPA}}}", "now"),
                (f"kube_horizontalpodautoscaler_spec_max_replicas{{{HPA}}}", "at most"),
                ('sum(up{job="simpletimeservice"})', "seen"),
            ),
            "What the autoscaler made, and what Prometheus sees of it.",
        ),
        Graph(
            "Workers replaced",
            "short",
            (
                ("sum by (pod) (increase(simpletimeservice_worker_restarts_total[30m]))", "{{pod}}, died"),
                ("sum by (pod) (increase(simpletimeservice_worker_hangs_total[30m]))", "{{pod}}, hung"),
            ),
            "In half an hour.",
            3,
        ),
        Graph(
            "Refused and lost",
            "short",
            (
                ("sum by (pod) (increase(simpletimeservice_accept_failures_total[10m]))", "{{pod}}, pauses"),
                ("sum by (pod) (increase(simpletimeservice_log_lines_dropped_total[10m]))", "{{pod}}, log lines"),
            ),
            "In ten minutes: pauses for want of descriptors, and log lines that nobody read.",
            1,
        ),
        Graph(
            "New connections",
            "cps",
            (("sum by (namespace) (rate(simpletimeservice_http_connections_total[5m]))", "accepted"),),
            "The nearest thing to sessions: the balancer's connections to pods, not people.",
        ),
    ),
    "Supply chain, by `shipseal status`": (
        Number("Receipt", "none", "shipseal_deploy_receipt_sequence", "0: nothing was deployed by one.", least=1),
        Number("Reasons against it", "none", "shipseal_refusals", "Why what runs no longer verifies.", most=1),
        Number("Drift", "none", "shipseal_drift", "Changes that no deploy has made.", most=1),
        Number(
            "Last looked",
            "s",
            "time() - shipseal_status_timestamp_seconds",
            "`shipseal status` runs hourly.",
            most=21600,
        ),
        Graph(
            "Days until it is too old",
            "d",
            (
                (
                    _days(
                        "shipseal_deploy_receipt_timestamp_seconds + on (cluster_uid, k8s_namespace) "
                        "shipseal_policy_maximum_age_seconds - time()"
                    ),
                    "receipt",
                ),
                (_days("shipseal_vex_statement_end_timestamp_seconds - time()"), "{{finding}}"),
                (_days("shipseal_waiver_end_timestamp_seconds - time()"), "waiver of {{of}}"),
                (_days("shipseal_trust_root_end_timestamp_seconds - time()"), "{{authorities}}"),
            ),
            "The receipt, by the policy; VEX statements, waivers, and the authorities of the trust root.",
        ),
        Graph("Pods by image", "short", (("sum by (match) (shipseal_pods)", "{{match}}"),), "Against the receipt."),
        Graph(
            "What runs",
            "short",
            (
                ("count by (version, revision) (simpletimeservice_build_info)", "{{version}} of {{revision}}"),
                ("sum by (image) (shipseal_deploy_image_info)", "{{image}}"),
            ),
            "Versions by the pods, and the image of the newest receipt.",
        ),
    ),
}


def built() -> str:
    """Return the dashboard as it is committed."""
    board = dashboard.Dashboard("SimpleTimeService").uid("simpletimeservice").tags(["simpletimeservice"])
    board = board.time("now-6h", "now").refresh("1m").timezone("utc").readonly()
    board = board.with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
    cost = dashboard.TextBoxVariable("monthly_usd").label("Dollars a month").default_value(MONTHLY_USD)
    board = board.with_variable(cost)
    for title, panels in ROWS.items():
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(panel.build())
    return json.dumps(board.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(built(), encoding="utf-8")
