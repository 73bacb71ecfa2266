"""Start, signals and exit status of the real process."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.service.client import PATIENCE, QUICK, Start, read_all, spawn

KEPT = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


# The service, and a signal as soon as it imports anything of its own. PID 1 would lose one that nobody handles.
SIGNALLED = """
import os, runpy, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "service.listen":
            os.kill(os.getpid(), {0})

sys.meta_path.insert(0, Finder())
sys.argv = ["service"]
runpy.run_module("service", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_before_the_imports_is_not_lost(number: int) -> None:
    process = spawn("-c", SIGNALLED.format(int(number)))
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, b"")
    assert [json.loads(line)["message"] for line in out.splitlines()] == ["stopped"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_service_with_status_0(start: Start, number: int) -> None:
    running = start(DRAIN_SECONDS="0" if number == signal.SIGTERM else "60")
    assert running.ask("/").status == 200
    assert running.stop(number) == 0


def test_sigterm_fails_readiness_first_and_keeps_serving(start: Start) -> None:
    running = start(DRAIN_SECONDS="2")
    began = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    running.wait_for("draining")
    time.sleep(0.1)
    assert running.ask("/readyz").status == 503
    assert [running.ask(path).status for path in ("/health", "/livez", "/")] == [200, 200, 200]
    assert running.process.wait(PATIENCE) == 0
    assert 2 <= time.monotonic() - began < 5  # which is how long it drains when nobody says


def test_while_draining_each_answer_closes_its_connection(start: Start) -> None:
    running = start(DRAIN_SECONDS="2")
    with closing(running.connect()) as connection:
        connection.sendall(KEPT)
        assert b"Connection:" not in connection.recv(4096)
        running.process.send_signal(signal.SIGTERM)
        running.wait_for("draining")
        time.sleep(0.1)
        connection.sendall(KEPT)
        assert b"Connection: close\r\n" in read_all(connection)


def test_a_request_in_flight_is_finished_and_an_idle_connection_closed(start: Start) -> None:
    running = start()
    with closing(running.connect()) as idle, closing(running.connect()) as flying:
        idle.sendall(KEPT)
        assert idle.recv(4096)
        flying.sendall(KEPT[:20])
        time.sleep(0.1)
        running.process.send_signal(signal.SIGTERM)
        assert idle.recv(4096) == b""
        assert running.process.poll() is None
        flying.sendall(KEPT[20:])
        assert read_all(flying).startswith(b"HTTP/1.1 200")
    assert running.process.wait(PATIENCE) == 0


def test_a_connection_made_just_before_the_stop_gets_its_first_answer(start: Start) -> None:
    running = start()
    with closing(running.connect()) as late:
        running.process.send_signal(signal.SIGTERM)
        running.wait_for("draining")
        time.sleep(0.2)
        late.sendall(KEPT)
        assert read_all(late).startswith(b"HTTP/1.1 200")
    assert running.process.wait(PATIENCE) == 0


def test_a_request_that_never_ends_is_cut_off_after_the_stop_time(start: Start) -> None:
    running = start(STOP_SECONDS="0.5")
    with closing(running.connect()) as flying:
        flying.sendall(KEPT[:20])
        time.sleep(0.1)
        began = time.monotonic()
        assert running.stop() == 0
        assert 0.4 < time.monotonic() - began < 8  # ten is how long it waits when nobody says


def test_connections_that_wait_in_the_queue_are_answered(start: Start) -> None:
    running = start(CONNECTION_LIMIT="16")
    with ExitStack() as stack:
        waiting = [stack.enter_context(closing(running.connect())) for _ in range(60)]
        for connection in waiting:
            connection.sendall(KEPT)
        time.sleep(0.1)
        running.process.send_signal(signal.SIGTERM)
        answers = [read_all(connection) for connection in waiting]
    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 60
    assert running.process.wait(PATIENCE) == 0


def test_a_second_signal_ends_it(start: Start) -> None:
    running = start(DRAIN_SECONDS="60")
    running.process.send_signal(signal.SIGTERM)
    running.wait_for("draining")
    assert running.stop(signal.SIGTERM) == 128 + signal.SIGTERM


def test_a_worker_that_dies_is_replaced_and_its_queue_kept(start: Start) -> None:
    running = start()
    (pid,) = running.worker_pids()
    os.kill(pid, signal.SIGSTOP)
    with closing(running.connect()) as waiting:
        waiting.sendall(KEPT)
        os.kill(pid, signal.SIGKILL)
        assert running.wait_for("worker died")["pid"] == pid
        assert waiting.recv(4096).startswith(b"HTTP/1.1 200")
    assert running.worker_pids() != [pid]
    assert running.stop() == 0


def test_a_worker_that_dies_while_draining_is_replaced_by_one_that_drains(start: Start) -> None:
    running = start(DRAIN_SECONDS="3")
    (pid,) = running.worker_pids()
    time.sleep(1)  # one that dies sooner is replaced only later
    running.process.send_signal(signal.SIGTERM)
    running.wait_for("draining")
    os.kill(pid, signal.SIGKILL)
    running.wait_for("worker died")
    response = running.ask("/readyz")
    assert (response.status, response.headers["connection"]) == (503, "close")
    assert running.process.wait(PATIENCE) == 0


def test_workers_end_when_the_supervisor_is_killed(start: Start) -> None:
    running = start(WORKERS="2")
    pids = running.worker_pids()
    assert len(pids) == 2
    running.process.kill()
    end = time.monotonic() + PATIENCE
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_signal_to_the_whole_group_is_one_signal(start: Start) -> None:
    running = start(WORKERS="2")
    for pid in running.worker_pids():
        os.kill(pid, signal.SIGINT)
    assert running.ask("/").status == 200
    assert running.stop(signal.SIGINT) == 0


def test_it_listens_on_ipv4_too_when_the_host_is_all_of_ipv6(start: Start) -> None:
    running = start(HOST="::")
    assert running.ask("/").json()["ip"] == "127.0.0.1"


def test_a_port_in_use_is_one_line_and_status_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = spawn(PORT=str(taken.getsockname()[1]))
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (2, b"")
    assert err.count(b"\n") == 1
    assert b"PORT: cannot listen on 127.0.0.1 port" in err


@pytest.mark.parametrize("name", [name for name in QUICK if name != "HOST"])
def test_a_bad_setting_is_one_line_that_names_it_and_status_2(name: str) -> None:
    process = spawn(**{name: "many\nlines"})
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert err.startswith(f"error: {name}='many\\nlines': expected".encode())
    assert err.count(b"\n") == 1
