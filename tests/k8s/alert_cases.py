"""For each alert, series on which it has to fire, and series close to them on which it has to stay silent.

Values are promtool's: `a+bxn` rises n times by b, `axn` stays n times. A sample and a look at the rules a minute, where
nothing else is said; time begins at 1970, so an end that is 14 days off is the number 1209600.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Series = Mapping[str, str]
POD = 'namespace="n",pod="one"'
JOB = f'job="simpletimeservice",{POD}'
PROCESS = f'{JOB},process="worker-0"'
OF = 'cluster_uid="u",k8s_namespace="n"'
DAY = 86400


@dataclass(frozen=True)
class Case:
    """One alert, the time at which it is looked at, and the series; `fires` is how often, 0 for silent."""

    alert: str
    at: str
    series: Series
    fires: int
    step: str = "1m"

    def test(self) -> dict[str, Any]:
        """Return it as promtool reads it."""
        firing = f'count(ALERTS{{alertname="{self.alert}",alertstate="firing"}})'
        expected = [{"labels": "{}", "value": self.fires}] if self.fires else []
        return {
            "interval": self.step,
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "promql_expr_test": [{"expr": firing, "eval_time": self.at, "exp_samples": expected}],
        }


def _answers(good: str, bad: str, *, route: str = "/") -> Series:
    labels = f'{POD},route="{route}",method="GET"'
    name = "simpletimeservice_http_requests_total"
    return {f'{name}{{{labels},status="2xx"}}': good, f'{name}{{{labels},status="5xx"}}': bad}


def _durations(*counts: tuple[str, str], route: str = "/") -> Series:
    name = "simpletimeservice_http_request_duration_seconds_bucket"
    return {f'{name}{{{POD},route="{route}",le="{bound}"}}': values for bound, values in counts}


def _limits() -> Series:
    name = "kube_pod_container_resource_limits"
    return {
        f'{name}{{{POD},container="app",resource="cpu"}}': "0.5x400",
        f'{name}{{{POD},container="app",resource="memory"}}': f"{256 << 20}x400",
    }


def _replicas(now: int) -> Series:
    labels, name = 'namespace="n",horizontalpodautoscaler="simpletimeservice"', "kube_horizontalpodautoscaler_"
    return {
        f"{name}status_current_replicas{{{labels}}}": f"{now}x400",
        f"{name}spec_max_replicas{{{labels}}}": "10x400",
    }


def _increase(metric: str, before: int, after: int) -> Series:
    return {f"{metric}{{{POD}}}": f"{before}x10 {after}x10"}


def _given() -> Series:
    """Return one series of each metric that a pod has to give."""
    labels = f'{POD},route="/"'
    names = (
        f"simpletimeservice_build_info{{{POD}}}",
        f'simpletimeservice_http_requests_total{{{labels},method="GET",status="2xx"}}',
        f'simpletimeservice_http_request_duration_seconds_bucket{{{labels},le="0.005"}}',
        f"simpletimeservice_http_connections_active{{{POD}}}",
        f"process_cpu_seconds_total{{{PROCESS}}}",
        f"process_resident_memory_bytes{{{PROCESS}}}",
    )
    return {f"up{{{JOB}}}": "1x30", **dict.fromkeys(names, "1x30")}


def _without(series: Series, name: str) -> Series:
    return {key: values for key, values in series.items() if key != name}


def cases() -> Iterator[Case]:
    """Yield all of them."""
    yield from _requests()
    yield from _availability()
    yield from _saturation()
    yield from _presence()
    yield from _supply_chain()


def _pair(alert: str, at: str, firing: Series, silent: Series) -> Iterator[Case]:
    yield Case(alert, at, firing, 1)
    yield Case(alert, at, silent, 0)


def _requests() -> Iterator[Case]:
    probes = _answers("0+60000000x20", "0+60000000x20", route="/readyz")
    slow = _durations(("0.005", "0+0x20"), ("+Inf", "0+100x20"), route="/health")
    few, many = _answers("0+5940000x20", "0x20"), _answers("0+6060000x20", "0x20")
    yield from _pair("SimpleTimeServiceRequestRate", "15m", many, {**few, **probes})
    late = _durations(("0.005", "0+98x20"), ("0.01", "0+100x20"), ("+Inf", "0+100x20"))
    early = _durations(("0.0025", "0+50x20"), ("0.005", "0+100x20"), ("+Inf", "0+100x20"))
    yield from _pair("SimpleTimeServiceResponseTime", "15m", late, {**early, **slow})
    failing, well = _answers("0+980x20", "0+20x20"), _answers("0+995x20", "0+5x20")
    yield from _pair("SimpleTimeServiceErrorRate", "15m", failing, {**well, **probes})
    name = "simpletimeservice_http_connections_active"
    above, below = ({f'{name}{{namespace="n",pod="{pod}"}}': f"{each}x20" for pod in "ab"} for each in (5001, 5000))
    yield from _pair("SimpleTimeServiceActiveConnections", "15m", above, below)


def _availability() -> Iterator[Case]:
    fast, slowly = "SimpleTimeServiceErrorBudgetBurnsFast", "SimpleTimeServiceErrorBudgetBurnsSlowly"
    # An hour of 2 % after half a day without any: of six hours that is little.
    yield Case(fast, "13h", _answers("0+1000x144 144980+980x14", "0x144 20+20x14"), 1, "5m")
    yield Case(fast, "6h30m", _answers("0+9930x80", "0+70x80"), 1, "5m")
    # Ten minutes in which nothing worked, 40 minutes ago: nobody is woken for what has ended.
    yield Case(fast, "70m", _answers("0+100x20 2000x9 2000+100x60", "0x20 100+100x9 1000x60"), 0)
    yield Case(fast, "6h30m", _answers("0+9950x80", "0+50x80"), 0, "5m")
    yield Case(slowly, "26h", _answers("0+9960x120", "0+40x120"), 1, "15m")
    yield Case(slowly, "74h", _answers("0+99850x150", "0+150x150"), 1, "30m")
    yield Case(slowly, "75h", _answers("0+99920x150", "0+80x150"), 0, "30m")


def _saturation() -> Iterator[Case]:
    cpu, memory = f"process_cpu_seconds_total{{{PROCESS}}}", f"process_resident_memory_bytes{{{PROCESS}}}"
    first = f'process_resident_memory_bytes{{{JOB},process="supervisor"}}'
    used = [{cpu: f"0+{seconds}x30", **_limits()} for seconds in (25, 21)]  # of 30 in a minute
    yield from _pair("SimpleTimeServiceCpuNearLimit", "20m", *used)
    held = [{memory: f"{each << 20}x30", first: f"{14 << 20}x30", **_limits()} for each in (196, 14)]
    yield from _pair("SimpleTimeServiceMemoryNearLimit", "20m", *held)
    yield from _pair("SimpleTimeServiceScaledOut", "20m", _replicas(10), _replicas(9))
    for alert, metric in (
        ("SimpleTimeServiceRefusesConnections", "simpletimeservice_accept_failures_total"),
        ("SimpleTimeServiceLosesLogs", "simpletimeservice_log_lines_dropped_total"),
    ):
        yield from _pair(alert, "15m", _increase(metric, 5, 6), _increase(metric, 5, 5))
    died, hung = "simpletimeservice_worker_restarts_total", "simpletimeservice_worker_hangs_total"
    often, seldom = ({**_increase(died, 0, each), **_increase(hung, 0, 1)} for each in (3, 0))
    yield from _pair("SimpleTimeServiceWorkersEnd", "15m", often, seldom)


def _presence() -> Iterator[Case]:
    up, missing = f"up{{{JOB}}}", "SimpleTimeServiceMetricMissing"
    yield Case("SimpleTimeServiceDown", "10m", {}, 1)
    yield Case("SimpleTimeServiceDown", "10m", {up: "0x30"}, 1)
    yield Case("SimpleTimeServiceDown", "10m", {up: "1x30"}, 0)
    yield from _pair("SimpleTimeServicePodUnseen", "10m", {up: "0x30"}, {up: "1x30"})
    for name in _given():
        if name != up:
            yield Case(missing, "10m", _without(_given(), name), 1)
    yield Case(missing, "10m", _given(), 0)
    cluster = {**_limits(), **_replicas(2)}
    for name in cluster:
        yield Case("SimpleTimeServiceClusterMetricMissing", "30m", _without(cluster, name), 1)
    yield Case("SimpleTimeServiceClusterMetricMissing", "30m", cluster, 0)


def _supply_chain() -> Iterator[Case]:
    looked = f"shipseal_status_timestamp_seconds{{{OF}}}"
    yield from _pair("ShipsealStatusMissing", "30m", {}, {looked: "0x400"})
    yield Case("ShipsealStatusOld", "6h5m", {looked: "0x400"}, 1, "5m")
    yield Case("ShipsealStatusOld", "5h55m", {looked: "0x400"}, 0, "5m")
    right, wrong = "ShipsealRunsWhatDoesNotVerify", f"shipseal_refusals{{{OF}}}"
    pods = [f'shipseal_pods{{{OF},match="{each}"}}' for each in ("equal", "different", "unproven")]
    yield Case(right, "5m", {wrong: "2x10", pods[0]: "3x10", pods[1]: "0x10"}, 1)
    yield Case(right, "5m", {wrong: "0x10", pods[0]: "2x10", pods[1]: "1x10"}, 1)
    yield Case(right, "5m", {wrong: "0x10", pods[0]: "2x10", pods[1]: "0x10", pods[2]: "1x10"}, 0)
    drift, receipt = f"shipseal_drift{{{OF}}}", f"shipseal_deploy_receipt_sequence{{{OF}}}"
    yield from _pair("ShipsealDrifted", "40m", {drift: "1x60"}, {drift: "1x20 0x40"})
    yield from _pair("ShipsealNoReceipt", "70m", {receipt: "0x90"}, {receipt: "1x90"})
    signed, most = f"shipseal_deploy_receipt_timestamp_seconds{{{OF}}}", f"shipseal_policy_maximum_age_seconds{{{OF}}}"
    old = {signed: "0x400", most: "18000x400"}
    yield Case("ShipsealReceiptOlderThanPolicy", "5h5m", old, 1, "5m")
    yield Case("ShipsealReceiptOlderThanPolicy", "4h55m", old, 0, "5m")
    yield from _ends(
        "ShipsealVexStatementEnds", 'shipseal_vex_statement_end_timestamp_seconds{file="f",finding="c"}', 14
    )
    yield from _ends("ShipsealWaiverEnds", 'shipseal_waiver_end_timestamp_seconds{of="c"}', 14)
    yield from _ends("ShipsealTrustRootEnds", 'shipseal_trust_root_end_timestamp_seconds{authorities="a"}', 30)
    public = 'probe_ssl_earliest_cert_expiry{job="simpletimeservice-public"}'
    yield from _ends("SimpleTimeServiceCertificateEnds", public, 14)


def _ends(alert: str, series: str, days: int) -> Iterator[Case]:
    yield from _pair(alert, "10m", {series: f"{days * DAY}x20"}, {series: f"{days * DAY + 3600}x20"})
