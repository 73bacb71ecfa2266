"""Start, signals and exit status of the real process."""

from __future__ import annotations

import signal
import socket
import time

import pytest

from tests.service.client import QUICK, Start, spawn


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_service_with_status_0(start: Start, number: int) -> None:
    running = start(DRAIN_SECONDS="0" if number == signal.SIGTERM else "60")
    assert running.ask("/").status == 200
    assert running.stop(number) == 0


def test_sigterm_fails_readiness_first_and_keeps_serving(start: Start) -> None:
    running = start(DRAIN_SECONDS="1")
    running.process.send_signal(signal.SIGTERM)
    running.wait_for("draining")
    time.sleep(0.1)
    assert running.ask("/readyz").status == 503
    assert running.ask("/livez").status == 200
    assert running.ask("/").status == 200
    assert running.stop() != -signal.SIGKILL


def test_a_port_in_use_is_one_line_and_status_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = spawn(PORT=str(taken.getsockname()[1]))
        out, err = process.communicate(timeout=5)
    assert (process.returncode, out) == (2, b"")
    assert err.count(b"\n") == 1
    assert b"PORT: cannot listen on 127.0.0.1 port" in err


@pytest.mark.parametrize("name", [name for name in QUICK if name != "HOST"])
def test_a_bad_setting_is_one_line_that_names_it_and_status_2(name: str) -> None:
    process = spawn(**{name: "many\nlines"})
    _, err = process.communicate(timeout=5)
    assert process.returncode == 2
    assert err.startswith(f"error: {name}='many\\nlines': expected".encode())
    assert err.count(b"\n") == 1
