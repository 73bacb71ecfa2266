"""Too few descriptors or processes: one line at the start, a pause later on, and never a loop that spins."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.service.client import Running, Start, launch, spawn

ASKED = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture
def start() -> Iterator[Start]:
    """Start services with settings of their own; all are gone after the test."""
    with ExitStack() as stack:

        def begin(**environment: str) -> Running:
            running = launch(**environment)
            stack.callback(running.end)
            return running

        yield begin


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_a_descriptor_left_clients_wait_and_are_served_when_there_is_one(start: Start) -> None:
    scarce = start(ACCESS_LOG="off")
    (pid,) = scarce.worker_pids()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (16, 16))
    with ExitStack() as stack:
        held = [stack.enter_context(closing(scarce.connect())) for _ in range(20)]
        assert scarce.wait_for("no connection can be accepted: Too many open files")["level"] == "warning"
        late = stack.enter_context(closing(scarce.connect()))
        late.settimeout(30)  # it waits for those before it
        late.sendall(ASKED)
        before = cpu_seconds(pid)
        time.sleep(1)
        assert cpu_seconds(pid) - before < 0.3
        for connection in held:
            connection.close()
        assert late.recv(4096).startswith(b"HTTP/1.1 200")
    metrics = scarce.ask("/metrics", port=scarce.metrics_port).body.decode().splitlines()
    (count,) = [int(line.split()[1]) for line in metrics if line.startswith("simpletimeservice_accept_failures_total ")]
    assert 0 < count < 20


@pytest.mark.parametrize("descriptors", [20, 40, 62, 64, 70])
def test_too_few_descriptors_at_the_start_are_one_line_and_status_2(descriptors: int) -> None:
    process = spawn(DESCRIPTORS=str(descriptors), WORKERS="30")
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (2, b""), err
    assert err.count(b"\n") == 1
    assert b"Too many open files" in err


def test_as_many_descriptors_as_the_workers_need_are_enough() -> None:
    running = launch(DESCRIPTORS="80", WORKERS="30")
    try:
        assert [running.ask("/").status for _ in range(60)] == [200] * 60
        assert running.stop() == 0
    finally:
        running.end()


def listening(pid: int) -> int:
    """Return how many listening sockets a process holds."""
    inodes = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines() if line.split()[3] == "0A"}
    links = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
    return len({link[8:-1] for link in links if link.startswith("socket:[")} & inodes)


def test_a_worker_holds_no_listener_but_its_own(start: Start) -> None:
    """A copy would keep a queue open from which nobody takes."""
    running = start(WORKERS="4")
    running.ask("/")
    os.kill(running.worker_pids()[1], 9)
    running.wait_for("worker died")
    end = time.monotonic() + 5
    while (held := [listening(pid) for pid in running.worker_pids()]) != [1] * 4:
        assert time.monotonic() < end, held
        time.sleep(0.05)
