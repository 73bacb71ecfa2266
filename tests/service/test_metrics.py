"""What the metrics port says, with one worker and with several."""

from __future__ import annotations

import os
import re
import time

import pytest

from service.board import BOUNDS, ROUTES, Board
from service.clock import Clock
from service.handlers import Handlers
from service.settings import Settings
from tests.service.client import Running, Start

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="[^"\n\\]*",?)+)\})? ([0-9.e+-]+)')


def scrape(service: Running) -> dict[str, float]:
    response = service.ask("/metrics", port=service.metrics_port)
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = {}
    for line in response.body.decode("ascii").splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            samples[match[1] + (f"{{{match[2]}}}" if match[2] else "")] = float(match[3])
    return samples


def requests(samples: dict[str, float], **labels: str) -> float:
    wanted = [f'{name}="{value}"' for name, value in labels.items()]
    return sum(
        value
        for name, value in samples.items()
        if name.startswith("simpletimeservice_http_requests_total") and all(label in name for label in wanted)
    )


def test_requests_are_counted_by_route_method_and_status_class(start: Start) -> None:
    service = start()
    for _ in range(3):
        service.ask("/")
    service.ask("/?tz=No/Where")
    service.ask("/health", "HEAD")
    service.ask("/livez", "DELETE")
    service.ask("/client/input", "BREW")
    service.raw(b"nonsense\r\n\r\n")
    samples = scrape(service)
    assert requests(samples) == 8
    assert requests(samples, route="/", method="GET", status="2xx") == 3
    assert requests(samples, route="/", method="GET", status="4xx") == 1
    assert requests(samples, route="/health", method="HEAD", status="2xx") == 1
    assert requests(samples, route="/livez", method="other", status="4xx") == 1
    assert requests(samples, route="other", method="other", status="4xx") == 2


def test_no_label_holds_what_a_client_wrote(start: Start) -> None:
    service = start()
    service.ask("/EVIL", "EVIL", "X-Forwarded-For: EVIL", "X-Request-Id: EVIL")
    service.ask("/?tz=EVIL")
    assert b"EVIL" not in service.ask("/metrics", port=service.metrics_port).body


def test_the_histogram_is_cumulative_and_can_show_1_and_5_milliseconds(start: Start) -> None:
    service = start()
    for _ in range(20):
        service.ask("/")
    samples = scrape(service)
    name = "simpletimeservice_http_request_duration_seconds"
    buckets = [samples[f'{name}_bucket{{route="/",le="{bound:g}"}}'] for bound in BOUNDS]
    assert {0.001, 0.005} <= set(BOUNDS)
    assert buckets == sorted(buckets)
    assert samples[f'{name}_bucket{{route="/",le="+Inf"}}'] == samples[f'{name}_count{{route="/"}}'] == 20
    assert 0 < samples[f'{name}_sum{{route="/"}}'] < 1


def test_each_known_route_has_a_histogram_of_its_own_and_all_others_share_one(start: Start) -> None:
    service = start()
    for target in ("/health", "/health", "/client/input", "/more/input", "/?tz=No/Where"):
        service.ask(target)
    service.raw(b"nonsense\r\n\r\n")
    name = "simpletimeservice_http_request_duration_seconds_count"
    counts = {key: value for key, value in scrape(service).items() if key.startswith(name)}
    assert counts.keys() == {f'{name}{{route="{route}"}}' for route in ROUTES}
    assert {key: value for key, value in counts.items() if value} == {
        f'{name}{{route="{route}"}}': value for route, value in {"/": 1, "/health": 2, "other": 3}.items()
    }


def test_a_series_is_there_before_its_first_request_so_that_the_first_error_is_an_increase(start: Start) -> None:
    samples = scrape(start())
    for route in ROUTES:
        assert samples[f'simpletimeservice_http_requests_total{{route="{route}",method="GET",status="5xx"}}'] == 0


def test_counters_are_the_sum_over_all_workers(start: Start) -> None:
    service = start(WORKERS="3")
    for _ in range(60):
        assert service.ask("/").status == 200
    samples = scrape(service)
    assert requests(samples, route="/") == 60
    assert samples["simpletimeservice_http_connections_total"] == 60
    assert samples["simpletimeservice_workers"] == 3
    assert sum(name.startswith("process_resident_memory_bytes") for name in samples) == 4


def test_connections_memory_cpu_and_build_are_told(start: Start) -> None:
    service = start(REVISION='a"b\\c')
    held = [service.connect() for _ in range(5)]
    for connection in held:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert connection.recv(4096)
    time.sleep(1.2)
    for connection in held:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert connection.recv(4096)
    body = service.ask("/metrics", port=service.metrics_port).body.decode()
    assert "simpletimeservice_http_connections_active 5\n" in body
    assert 'revision="a\\"b\\\\c"' in body
    assert 'process_cpu_seconds_total{process="worker-0"} 0.' in body
    memory = re.search(r'process_resident_memory_bytes\{process="worker-0"\} (\d+)', body)
    assert memory
    assert 4e6 < int(memory[1]) < 60e6
    for connection in held:
        connection.close()


def test_a_dead_workers_counts_are_kept(start: Start) -> None:
    service = start()
    service.ask("/")
    os.kill(service.worker_pids()[0], 9)
    service.wait_for("worker died")
    assert service.ask("/").status == 200
    samples = scrape(service)
    assert requests(samples, route="/") == 2
    assert samples["simpletimeservice_worker_restarts_total"] == 1


@pytest.mark.parametrize(("target", "method", "status"), [("/", "GET", 404), ("/metrics", "POST", 405)])
def test_the_metrics_port_answers_metrics_only(start: Start, target: str, method: str, status: int) -> None:
    service = start()
    assert service.ask(target, method, port=service.metrics_port).status == status


def test_metrics_are_not_on_the_public_port(running: Running) -> None:
    assert running.ask("/metrics").status == 404


def test_every_route_has_its_label() -> None:
    handlers = Handlers(Settings.from_environment({"DEBUG_IP": "on"}), Clock())
    assert sorted(handlers.routes) == sorted(set(ROUTES) - {"other"})


def test_a_column_holds_its_own_cells_only() -> None:
    board = Board(2)
    board.columns[0].count("/", "GET", 200, 0.001)
    board.columns[1].count("/", "GET", 200, 99.0)
    assert [sum(1 for cell in column.cells if cell) for column in board.columns] == [3, 3]
