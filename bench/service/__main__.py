"""Run the benchmark: `python -m bench.service [--seconds N] [--only WORD] [--no-docker]`."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

from bench.service import aims, halfcore, held, rounds, tables
from bench.service.contestants import Contestant, contestants
from bench.service.programs import MissingError, build_go, program


def main() -> int:
    """Measure everything and print the tables; 2 when a program is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.service", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="length of each round (default 5)")
    parser.add_argument("--only", default="", help="measure contestants whose name holds this word; no ratios then")
    parser.add_argument("--no-docker", action="store_true", help="leave out the half-core case")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-service-") as folder:
            _run(Path(folder), options.seconds, options.only, docker=not options.no_docker)
    except MissingError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


def _run(folder: Path, seconds: int, only: str, *, docker: bool) -> None:
    wrk = program("wrk", "install Debian's wrk")
    field = contestants(build_go("goserver", ".", folder / "goserver"))
    chosen = [one for one in field if only in one.name]
    print(f"{os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()}")
    results = []
    for contestant in chosen:
        print(f"  measuring {contestant.name}", file=sys.stderr)
        results.append(rounds.measure(contestant, wrk, seconds))
    print(tables.round_table("64 connections, keep-alive", results, "plain"))
    print(tables.round_table("64 connections, a balancer's heads, no two the same", results, "balancer"))
    print(tables.round_table("1,000 connections, keep-alive", results, "many"))
    print(tables.process_table(results))
    print("\n" + held.line(field[0], seconds))
    found = _half_core([field[0], field[1], field[8]], folder, wrk, seconds) if docker else []
    if not only:
        print("\n" + "\n".join([*tables.ratio_lines(results), "", *aims.judge(results, found)]))


def _half_core(chosen: list[Contestant], folder: Path, wrk: str, seconds: int) -> list[halfcore.HalfCore]:
    vegeta = build_go("vegeta", "github.com/tsenart/vegeta/v12", folder / "vegeta")
    with halfcore.docker() as address:
        print("  measuring in half a core", file=sys.stderr)
        found = halfcore.measure(chosen, address, wrk, vegeta, seconds)
    print(tables.half_core_table(found))
    return found


if __name__ == "__main__":
    sys.exit(main())
