"""A worker that hangs is replaced, and one that is idle, busy, draining or paused with the supervisor is not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.service.client import Running, Start, launch

ASKED = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
# The service, with one fault: telling the time in a zone never ends.
ENDLESS = """
import sys
from service import __main__, handlers

def endless(zone):
    while True:
        pass

handlers.local_time = endless
sys.exit(__main__.main([]))
"""


@pytest.fixture
def start() -> Iterator[Start]:
    """Start services, and end them."""
    running: list[Running] = []

    def start_one(**environment: str) -> Running:
        running.append(launch(**environment))
        return running[-1]

    yield start_one
    for service in running:
        service.end()


@pytest.fixture
def faulty() -> Iterator[Running]:
    service = launch("-c", ENDLESS, WATCHDOG_SECONDS="0.5", WORKERS="2")
    yield service
    service.end()


def test_a_worker_that_is_stopped_is_replaced_and_its_queue_answered(start: Start) -> None:
    service = start(WATCHDOG_SECONDS="0.5")
    (pid,) = service.worker_pids()
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    with closing(service.connect()) as waiting:
        waiting.sendall(ASKED)
        assert waiting.recv(4096).startswith(b"HTTP/1.1 200")
    assert 0.4 < time.monotonic() - began < 10  # fifteen is when it looks when nobody says
    line = service.wait_for("worker hung")
    assert (line["level"], line["worker"], line["pid"], line["seconds"] >= 0.5) == ("error", 0, pid, True)
    metrics = service.ask("/metrics", port=service.metrics_port).body
    assert b"simpletimeservice_worker_hangs_total 1\n" in metrics
    assert b"simpletimeservice_worker_restarts_total 1\n" in metrics
    assert service.stop() == 0
    assert "worker died" not in remaining(service)


def test_a_worker_in_an_endless_loop_is_replaced_and_the_other_left_alone(faulty: Running) -> None:
    before = faulty.worker_pids()
    with closing(faulty.connect()) as asking:
        asking.sendall(ASKED.replace(b"/ ", b"/?tz=UTC "))
        hung = faulty.wait_for("worker hung")["pid"]
        assert asking.recv(4096) == b""
    assert all(faulty.ask("/").status == 200 for _ in range(8))
    after = faulty.worker_pids()
    assert len(after) == 2
    assert set(before) - set(after) == {hung}


def test_an_idle_or_a_draining_worker_does_not_hang(start: Start) -> None:
    service = start(WATCHDOG_SECONDS="0.5", DRAIN_SECONDS="1", STOP_SECONDS="1")
    pids = service.worker_pids()
    time.sleep(1)
    assert service.worker_pids() == pids
    with closing(service.connect()) as unfinished:
        unfinished.sendall(ASKED[:20])
        assert service.stop() == 0
    assert "worker hung" not in remaining(service)


def test_a_pause_of_the_whole_service_is_nobodys_fault(start: Start) -> None:
    service = start(WATCHDOG_SECONDS="1.6")
    (worker,) = service.worker_pids()
    os.kill(worker, signal.SIGSTOP)
    time.sleep(0.45)  # the supervisor has seen it stand still
    os.kill(service.process.pid, signal.SIGSTOP)
    time.sleep(1.9)
    os.kill(service.process.pid, signal.SIGCONT)
    time.sleep(0.05)
    os.kill(worker, signal.SIGCONT)
    time.sleep(0.5)
    assert service.worker_pids() == [worker]


def test_the_watchdog_can_be_switched_off(start: Start) -> None:
    service = start(WATCHDOG_SECONDS="0")
    (pid,) = service.worker_pids()
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.5)
    assert service.worker_pids() == [pid]
    os.kill(pid, signal.SIGCONT)
    assert service.ask("/").status == 200


def remaining(service: Running) -> str:
    """Return what the service has logged that nobody has read, until it ended."""
    assert service.process.stdout is not None
    return service.process.stdout.read().decode()
