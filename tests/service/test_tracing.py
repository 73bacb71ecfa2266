"""Spans of sampled requests reach a receiver, and one that is slow or away costs nothing but spans."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.board import SPANS, SPANS_DROPPED, Board
from service.handlers import Request
from service.settings import Settings
from service.spans import LONGEST, Sampler, Spans
from tests.service.client import Running, Start, spawn
from tests.service.receiver import Receiver, attributes, receiving, until

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, NOT_SAMPLED = (f"traceparent: 00-{TRACE}-{CALLER}-{flags}" for flags in ("01", "00"))
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
KEPT = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
NEVER = {"OTEL_BSP_SCHEDULE_DELAY": "60000"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as it:
        yield it


def counts(service: Running) -> dict[str, int]:
    body = service.ask("/metrics", port=service.metrics_port).body.decode()
    name = "simpletimeservice_spans_"
    lines = (line.removeprefix(name).split() for line in body.splitlines() if line.startswith(name))
    return {key.removesuffix("total").rstrip("_"): int(value) for key, value in lines}


def pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    return reading, writing


def test_a_span_tells_of_its_request_by_the_stable_names(start: Start, receiver: Receiver) -> None:
    service = start(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **SOON)
    service.ask("/?tz=No/Where", "GET", "X-Forwarded-For: 203.0.113.7")
    (span,) = receiver.await_spans(1)
    assert (span["name"], span["kind"], span["status"]) == ("GET /", 2, {})
    assert "parentSpanId" not in span
    assert (len(span["traceId"]), len(span["spanId"])) == (32, 16)
    began, ended = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    assert 0 < ended - began < 30e9
    assert abs(ended / 1e9 - time.time()) < 60
    assert attributes(span) == {
        "http.request.method": "GET",
        "http.response.status_code": "400",
        "http.route": "/",
        "url.scheme": "http",
        "url.path": "/",
        "url.query": "tz=No/Where",
        "client.address": "203.0.113.7",
        "network.peer.address": "127.0.0.1",
        "server.address": "test",
    }


def test_what_a_client_makes_up_is_no_name_and_no_route(start: Start, receiver: Receiver) -> None:
    service = start(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **SOON)
    service.ask("/client/%0A%22%FF" + "x" * 300, "BREW")
    (span,) = receiver.await_spans(1)
    told = attributes(span)
    assert span["name"] == "HTTP"
    assert (told["http.request.method"], told["http.request.method_original"]) == ("_OTHER", "BREW")
    assert told["url.path"].startswith("/client/%0A%22%FFxxx")
    assert len(told["url.path"]) < 300
    assert "http.route" not in told


def test_a_span_belongs_to_the_callers_trace(start: Start, receiver: Receiver) -> None:
    service = start(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **SOON)
    answer = service.ask("/livez", "GET", SAMPLED)
    (span,) = receiver.await_spans(1)
    assert (span["traceId"], span["parentSpanId"]) == (TRACE, CALLER)
    assert span["flags"] & 0x301 == 0x301
    assert answer.headers["traceparent"] == SAMPLED.split()[1]


def test_a_caller_who_does_not_sample_a_probe_and_nonsense_have_no_span(start: Start, receiver: Receiver) -> None:
    service = start(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **SOON)
    service.ask("/", "GET", NOT_SAMPLED)
    for probe in ("/health", "/livez", "/readyz", "/startupz"):
        service.ask(probe)
    service.raw(b"nonsense\r\n\r\n")
    service.ask("/version")
    (span,) = receiver.await_spans(1)
    assert span["name"] == "GET /version"
    assert counts(service)[""] == 1


def test_the_log_names_the_trace_that_was_begun_here(start: Start, receiver: Receiver) -> None:
    service = start(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **SOON)
    service.ask("/")
    (span,) = receiver.await_spans(1)
    assert service.wait_for("request")["trace_id"] == span["traceId"]


@pytest.mark.parametrize(
    ("name", "share", "trace", "flags", "taken"),
    [
        ("always_on", 0.0, "f" * 32, "00", True),
        ("always_off", 1.0, "0" * 32, "01", False),
        ("traceidratio", 0.25, "f" * 16 + "3" + "f" * 15, "00", True),
        ("traceidratio", 0.25, "0" * 16 + "4" + "0" * 15, "01", False),
        ("parentbased_traceidratio", 0.25, "f" * 16 + "3" + "f" * 15, None, True),
        ("parentbased_traceidratio", 0.25, "0" * 16 + "4" + "0" * 15, None, False),
        ("parentbased_traceidratio", 0.0, "f" * 32, "01", True),
        ("parentbased_traceidratio", 1.0, "0" * 32, "00", False),
        ("parentbased_always_on", 0.0, "f" * 32, None, True),
        ("parentbased_always_off", 1.0, "0" * 32, None, False),
        ("parentbased_always_off", 1.0, "0" * 32, "03", True),
    ],
)
def test_the_sampler_decides(name: str, share: float, trace: str, flags: str | None, taken: bool) -> None:
    assert Sampler(name, share).takes(trace, flags) is taken


def test_a_share_of_the_traces_is_a_share_of_the_requests() -> None:
    reading, writing = pipe()
    settings = Settings.from_environment(
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.05"}
    )
    spans = Spans(settings, writing, Board(1).columns[0])
    traces = [spans.ended(Request("GET", "/", "", "192.0.2.1"), 200, 0.001) for _ in range(4000)]
    taken = [trace for trace in traces if trace]
    assert 100 < len(taken) == len(set(taken)) < 320
    os.close(reading)
    os.close(writing)


def test_what_does_not_fit_into_the_pipe_is_dropped_and_counted_and_what_fits_is_whole() -> None:
    reading, writing = pipe()
    column = Board(1).columns[0]
    spans = Spans(Settings.from_environment({}), writing, column)
    long = Request("X" * 999, "\xff" * 999, "\xff" * 999, "192.0.2.1", {"HOST": "h" * 999})
    for _ in range(500):
        assert spans.ended(long, 200, 0.001)
    taken, dropped = column.cells[SPANS], column.cells[SPANS_DROPPED]
    assert taken > 5
    assert taken + dropped == 500
    lines = os.read(reading, 1 << 20).splitlines(keepends=True)
    assert len(lines) == taken
    assert max(map(len, lines)) <= LONGEST
    assert all(line.endswith(b"]\n") for line in lines)
    os.close(reading)
    assert spans.ended(long, 200, 0.001)
    assert column.cells[SPANS_DROPPED] == dropped + 1
    os.close(writing)


def test_many_spans_leave_in_few_requests_with_what_tells_of_the_instance(start: Start, receiver: Receiver) -> None:
    service = start(
        WORKERS="2",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_EXPORTER_OTLP_HEADERS="x-tenant=a%20b",
        OTEL_RESOURCE_ATTRIBUTES="service.name=other,deployment.environment.name=test%2C1",
        OTEL_SERVICE_NAME="time",
        OTEL_BSP_SCHEDULE_DELAY="1000",
    )
    for _ in range(600):
        assert service.ask("/", "GET").status == 200
    assert len(receiver.await_spans(600)) == 600
    assert len(receiver.came) < 60
    path, fields, body = receiver.came[0]
    assert (path, fields["content-type"], fields["x-tenant"]) == ("/v1/traces", "application/json", "a b")
    told = attributes(body["resourceSpans"][0]["resource"])
    assert (told["service.name"], told["deployment.environment.name"]) == ("time", "test,1")
    assert until(lambda: counts(service) == {"": 600, "sent": 600, "dropped": 0})


def test_the_last_spans_leave_before_the_service_does(start: Start, receiver: Receiver) -> None:
    service = start(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, METRICS_PORT="off", **NEVER)
    for _ in range(700):
        service.ask("/")
    assert service.stop() == 0
    assert len(receiver.spans()) == 700


def test_a_receiver_that_never_answers_is_the_supervisors_alone_and_nothing_waits_for_it(start: Start) -> None:
    with receiving(answers=False) as silent:
        service = start(OTEL_EXPORTER_OTLP_ENDPOINT=silent.url, **SOON)
        service.ask("/")
        supervisor, (worker,) = service.process.pid, service.worker_pids()
        assert until(lambda: connected(supervisor, silent.port))
        assert not connected(worker, silent.port)
        assert service.ask("/").status == 200
        assert counts(service) == {"": 2, "sent": 0, "dropped": 0}
        assert service.stop() == 0
        assert service.wait_for("spans lost")["spans"] == 2


def test_spans_wait_for_a_receiver_that_is_away_and_each_is_received_once_it_is_back(start: Start) -> None:
    with receiving() as gone:
        port = gone.port
    service = start(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}", **SOON)
    for _ in range(5):
        service.ask("/")
    assert "refused" in service.wait_for("spans not taken")["problem"].lower()
    with receiving(port) as back:
        assert len(back.await_spans(5)) == 5
        assert until(lambda: counts(service) == {"": 5, "sent": 5, "dropped": 0})


def test_a_receiver_that_is_late_is_asked_again_after_its_time(start: Start) -> None:
    with receiving(answers=False) as slow:
        service = start(OTEL_EXPORTER_OTLP_ENDPOINT=slow.url, OTEL_EXPORTER_OTLP_TIMEOUT="200", **SOON)
        service.ask("/")
        assert service.wait_for("spans not taken")["problem"] == "no answer in 0.2 s"
        slow.hold.set()
        assert slow.await_spans(1)


@pytest.mark.parametrize(
    ("status", "answer", "sent"),
    [(400, b"{}", 0), (200, b'{"partialSuccess": {"rejectedSpans": "2", "errorMessage": "no"}}', 1)],
)
def test_spans_that_the_receiver_rejects_are_dropped_counted_and_told(
    start: Start, status: int, answer: bytes, sent: int
) -> None:
    with receiving(status=status, answer=answer) as strict:
        service = start(OTEL_EXPORTER_OTLP_ENDPOINT=strict.url, OTEL_BSP_SCHEDULE_DELAY="1000")
        service.raw(KEPT + KEPT + KEPT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert f"it answered {status} and rejected {3 - sent} spans" in service.wait_for("spans not taken")["problem"]
        assert counts(service) == {"": 3, "sent": sent, "dropped": 3 - sent}


def test_of_an_answer_that_is_too_long_the_beginning_counts(start: Start) -> None:
    with receiving(answer=b" " * 4_000_000) as chatty:
        service = start(OTEL_EXPORTER_OTLP_ENDPOINT=chatty.url, OTEL_EXPORTER_OTLP_TIMEOUT="60000", **SOON)
        service.ask("/")
        assert until(lambda: counts(service) == {"": 1, "sent": 1, "dropped": 0})


def test_without_a_receiver_nothing_of_tracing_is_loaded_and_nothing_counted(start: Start) -> None:
    service = start()
    service.ask("/", "GET", SAMPLED)
    assert counts(service) == {"": 0, "sent": 0, "dropped": 0}
    tracing = "{f'service.{name}' for name in ('exporter', 'otlp', 'post', 'spans')}"
    command = f"import sys; from service import __main__, worker; sys.exit(bool({tracing} & set(sys.modules)))"
    process = spawn("-c", command)
    with closing(process.stdout), closing(process.stderr):  # type: ignore[type-var] # they are pipes
        assert process.wait(20) == 0


def connected(pid: int, port: int) -> bool:
    """Say whether a process holds a connection to a port of loopback."""
    remote = f":{port:04X} 01"  # the other end, and ESTABLISHED
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()
    sockets = {f"socket:[{line.split()[9]}]" for line in lines if remote in " ".join(line.split()[2:4])}
    held = (str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir())
    return any(each in sockets for each in held)
