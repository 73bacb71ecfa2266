"""Write the results as tables and ratios."""

from __future__ import annotations

from collections.abc import Sequence

from bench.service.halfcore import LIMIT, HalfCore
from bench.service.rounds import Result, Round

COLUMNS = ("server", "req/s", "req/s per core", "p50 ms", "p99 ms", "p99.9 ms", "failed")


def table(heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with its heading."""
    widths = [max(len(row[number]) for row in (columns, *rows)) for number in range(len(columns))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (columns, ["-" * width for width in widths], *rows)
    ]
    return f"\n{heading}\n\n" + "\n".join(lines)


def round_table(heading: str, results: Sequence[Result], name: str) -> str:
    """Return the table of one round."""
    rows = []
    for result in results:
        found: Round = getattr(result, name)
        latencies = (f"{value:.2f}" for value in (found.p50, found.p99, found.p999))
        rows.append([result.name, f"{found.rate:,.0f}", f"{found.per_core:,.0f}", *latencies, str(found.failed)])
    return table(heading, COLUMNS, rows)


def process_table(results: Sequence[Result]) -> str:
    """Return the table of memory and start."""
    columns = ("server", "worker MB", "first process MB", "all processes MB (shared once)", "start ms")
    rows = [
        [result.name, *(f"{each:.1f}" for each in vars(result.memory).values()), f"{result.start * 1000:.0f}"]
        for result in results
    ]
    return table("Memory after 1,000 connections, and start to first answer", columns, rows)


def ratio_lines(results: Sequence[Result]) -> list[str]:
    """Return what the service reaches beside Go, and beside the best other Python server, per core."""
    ours, logged = results[0], results[1]
    go = next(result for result in results if "GOMAXPROCS=1" in result.name)
    others = [result for result in results[3:] if result.python]
    lines = []
    for heading, name in (
        ("64 connections", "plain"),
        ("a balancer's heads", "balancer"),
        ("1,000 connections", "many"),
    ):
        base = getattr(go, name).per_core
        best = max(others, key=lambda result: float(getattr(result, name).per_core))
        own, own_logged = getattr(ours, name).per_core, getattr(logged, name).per_core
        lines.append(
            f"{heading}: {own / base:.2f} of Go per core ({own_logged / base:.2f} with the access log on); "
            f"{own / getattr(best, name).per_core:.1f} times {best.name}"
        )
    return lines


def half_core_table(found: Sequence[HalfCore]) -> str:
    """Return the table of the half-core case; the first row is the service, the last Go."""
    columns = ("server", "req/s, 64 connections", f"highest paced rate with p99 < {LIMIT:.0f} ms", "of Go")
    base = found[-1]
    rows = [[one.name, f"{one.rate:,.0f}", f"{one.paced:,}", f"{one.paced / max(1, base.paced):.2f}"] for one in found]
    return table("In half a core (docker run --cpus .5)", columns, rows)
