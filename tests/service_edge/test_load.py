"""Clients that misbehave cost the others nothing, and memory does not grow."""

from __future__ import annotations

from pathlib import Path

from tests.service.client import Running, launch
from tests.service_edge.load import begin, finish
from tests.service_edge.slow import held, times


def resident(service: Running) -> int:
    """Return the resident memory of the only worker, in kilobytes."""
    (pid,) = service.worker_pids()
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def test_500_slow_or_idle_connections_keep_nobody_else_from_an_answer() -> None:
    """How little they cost the others is measured by `make bench-service`."""
    service = launch(ACCESS_LOG="off", REQUEST_TIMEOUT="60")
    try:
        with held(service.port, 500):
            assert len(times(service.port, 3)) == 1500
    finally:
        service.end()


def test_memory_stays_flat_over_a_million_requests() -> None:
    service = launch(ACCESS_LOG="off")
    try:
        done = finish(begin(service.port, 64, 3)).requests
        before = resident(service)
        while done < 1_000_000:
            load = finish(begin(service.port, 64, 1))
            assert load.failed == 0
            done += load.requests
        assert resident(service) - before < 512
    finally:
        service.end()


def test_a_thousand_connections_fit_in_memory_and_are_given_back() -> None:
    service = launch(ACCESS_LOG="off", METRICS_PORT="off")
    try:
        finish(begin(service.port, 64, 2))
        before = resident(service)
        for _ in range(3):
            assert finish(begin(service.port, 1000, 2)).requests > 1000
        assert resident(service) - before < 3 * 1024
    finally:
        service.end()
