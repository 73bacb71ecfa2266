"""One contestant's rounds: wrk at 64 connections, with a balancer's heads, and at 1,000 connections."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

from bench.service.contestants import Contestant
from bench.service.processes import Memory, Running, running
from bench.service.programs import HERE


@dataclass(frozen=True)
class Round:
    """What one run of wrk found: rates in requests/s, latencies in milliseconds."""

    rate: float
    per_core: float  # requests for each second of CPU that the server used: load by others does not change it
    failed: int
    p50: float
    p99: float
    p999: float


@dataclass(frozen=True)
class Result:
    """All rounds of one contestant; the start in seconds."""

    name: str
    python: bool
    start: float
    plain: Round
    balancer: Round
    many: Round
    memory: Memory


def measure(contestant: Contestant, wrk: str, seconds: int) -> Result:
    """Run every round against one contestant."""
    with running(contestant) as server:
        _wrk(wrk, server, 64, 1)
        plain = _wrk(wrk, server, 64, seconds)
        balancer = _wrk(wrk, server, 64, seconds, "balancer")
        many = _wrk(wrk, server, 1000, seconds)
        return Result(contestant.name, contestant.python, server.start, plain, balancer, many, server.memory())


def _wrk(wrk: str, server: Running, connections: int, seconds: int, *arguments: str) -> Round:
    url = f"http://127.0.0.1:{server.port}/"
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(HERE / "wrk.lua"), url]
    before = server.cpu_seconds()
    report = subprocess.run([*command, "--", *arguments], capture_output=True, text=True, check=True).stdout
    used = server.cpu_seconds() - before
    told = json.loads(report.splitlines()[-1])
    return Round(
        rate=told["requests"] / (told["microseconds"] / 1e6),
        per_core=told["requests"] / max(used, 0.01),
        failed=told["failed"],
        p50=told["p50"] / 1000,
        p99=told["p99"] / 1000,
        p999=told["p999"] / 1000,
    )
