"""A real collector of OpenTelemetry reads the spans, and under more than it takes the service drops spans alone."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

import pytest

from tests.service.client import Running, launch
from tests.service.receiver import until
from tests.service_edge.load import begin, finish
from tests.service_edge.proxies import free_port, from_lock, serving

CONFIG = Template("""
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:$port"}}}}
exporters: {debug: {verbosity: detailed, use_internal_logger: false, output_paths: [$output]}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
""")
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@dataclass(frozen=True)
class Collector:
    """Where one listens, and what it says of spans."""

    port: int
    output: Path

    def spans(self) -> list[str]:
        """Return what it says of each span."""
        return re.split(r"^Span #[0-9]+$", self.output.read_text(), flags=re.MULTILINE)[1:]

    def received(self) -> int:
        """Return how many spans it has counted."""
        return sum(map(int, re.findall(r'^Traces\t.*"spans": ([0-9]+)', self.output.read_text(), re.MULTILINE)))


@contextmanager
def collecting(folder: Path, port: int = 0) -> Iterator[Collector]:
    port = port or free_port()
    config, output = folder / "otelcol.yaml", folder / "spans.txt"
    output.touch()
    config.write_text(CONFIG.substitute(port=port, output=output))
    with serving([from_lock("bin/otelcol", "otelcol"), f"file:{config}"], port, folder):
        yield Collector(port, output)


@contextmanager
def traced(port: int, host: str = "127.0.0.1", **environment: str) -> Iterator[Running]:
    """Run a service that sends its spans to a port."""
    url = f"http://{host}:{port}"
    service = launch(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_BSP_SCHEDULE_DELAY="100", ACCESS_LOG="off", **environment)
    try:
        yield service
    finally:
        service.end()


def counts(service: Running) -> tuple[int, int, int]:
    """Return how many spans there were, were sent, and were dropped."""
    body = service.ask("/metrics", port=service.metrics_port).body.decode()
    found = [re.search(rf"^simpletimeservice_spans_{name} ([0-9]+)$", body, re.MULTILINE) for name in NAMES]
    total, sent, dropped = (int(each[1]) for each in found if each)
    return total, sent, dropped


NAMES = ("total", "sent_total", "dropped_total")


def test_a_collector_found_by_name_reads_each_field_as_it_is_meant(tmp_path: Path) -> None:
    with (
        collecting(tmp_path) as collector,
        traced(collector.port, "localhost", OTEL_RESOURCE_ATTRIBUTES="k8s.pod.name=one") as service,
    ):
        service.ask("/?tz=No/Where", "GET", f"traceparent: 00-{TRACE}-{CALLER}-01", "X-Forwarded-For: 203.0.113.7")
        assert until(lambda: counts(service) == (1, 1, 0))
        assert until(collector.spans)
        said = re.sub(r" +", " ", collector.output.read_text())
    for line in (
        "-> service.name: Str(simpletimeservice)",
        "-> k8s.pod.name: Str(one)",
        f"Trace ID : {TRACE}",
        f"Parent ID : {CALLER}",
        "Name : GET /\n",
        "Kind : Server",
        "Status code : Unset",
        "-> http.request.method: Str(GET)",
        "-> http.response.status_code: Int(400)",
        "-> http.route: Str(/)",
        "-> url.query: Str(tz=No/Where)",
        "-> client.address: Str(203.0.113.7)",
    ):
        assert line in said


def test_a_name_that_nobody_knows_is_told_and_costs_no_answer() -> None:
    with traced(4318, "nobody.invalid") as service:
        service.ask("/")
        assert service.wait_for("spans not taken")["problem"] == "its name is not known"
        assert service.ask("/").status == 200
        assert service.stop() == 0


def test_under_more_than_the_collector_takes_spans_are_dropped_and_counted_and_no_request_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with collecting(tmp_path) as collector, traced(collector.port) as service:
        load = finish(begin(service.port, 64, 4))
        assert load.failed == 0
        assert until(lambda: sum(counts(service)[1:]) == counts(service)[0] >= load.requests, 60)
        total, sent, dropped = counts(service)
        assert until(lambda: collector.received() == sent, 60)
        assert sent > 1000
        assert dropped > 0
        with capsys.disabled():
            figures = f"{total} of {load.requests} requests, {sent} sent and received, {dropped} dropped"
            sys.stdout.write(f"\nspans: {figures}\n")
        assert service.stop() == 0
