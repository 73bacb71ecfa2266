"""Run wrk, and read what it says."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from tests.service_edge.proxies import program

UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


@dataclass(frozen=True)
class Load:
    """What a run of wrk did: requests, those that failed, the 99th percentile in milliseconds, its report."""

    requests: int
    failed: int
    p99: float
    report: str


def begin(port: int, connections: int, seconds: float) -> subprocess.Popen[str]:
    """Start wrk on `/` of a loopback port, with keep-alive."""
    wrk = program("wrk", "Debian's wrk")
    url = f"http://127.0.0.1:{port}/"
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency", "--timeout", "5s", url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str]) -> Load:
    """Wait for wrk, and read its report."""
    report, _ = process.communicate(timeout=300)
    assert process.returncode == 0, report
    done = re.search(r"(\d+) requests in", report)
    p99 = re.search(r"99%\s+([0-9.]+)(us|ms|s|m)", report)
    assert done, report
    assert p99, report
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", report)
    other = re.search(r"Non-2xx or 3xx responses: (\d+)", report)
    failed = sum(map(int, errors.groups())) if errors else 0
    return Load(int(done[1]), failed + (int(other[1]) if other else 0), float(p99[1]) * UNITS[p99[2]], report)
