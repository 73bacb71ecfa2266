"""Hold the results against what was aimed for."""

from __future__ import annotations

from collections.abc import Sequence

from bench.service.halfcore import HalfCore
from bench.service.rounds import Result

ROUNDS = {"plain": "64 connections", "balancer": "a balancer's heads", "many": "1,000 connections"}


def judge(results: Sequence[Result], half: Sequence[HalfCore]) -> list[str]:
    """Return one line for each aim, met or missed, with the number; both arguments are in the benchmark's order."""
    ours, go = results[0], next(result for result in results if "GOMAXPROCS=1" in result.name)
    others = [result for result in results[3:] if result.python]
    lines = []
    for name, heading in ROUNDS.items():
        own, best = _per_core(ours, name), max(_per_core(other, name) for other in others)
        lines.append(_line(f"ahead of every Python server, {heading}", own > best, f"{own / best:.1f} times the best"))
        ratio = own / _per_core(go, name)
        lines.append(_line(f"at least half of Go per core, {heading}", ratio >= 0.5, f"{ratio:.2f}"))
    worker, pod = ours.memory.worker, ours.memory.together / 1.048576
    lines.append(_line("a worker under 14 MB", worker < 14, f"{worker:.1f} MB with 1,000 connections"))
    lines.append(_line("the pod under 51 MiB", pod < 51, f"{pod:.1f} MiB with 1,000 connections"))
    lines.append(_line("start under 0.3 s", ours.start < 0.3, f"{ours.start:.2f} s"))
    if half:
        first, last = half[0], half[-1]
        lines.append(_line("10,000 requests/s in half a core", first.rate >= 10_000, f"{first.rate:,.0f}"))
        ratio = first.paced / max(1, last.paced)
        lines.append(_line("half of Go's paced rate in half a core", ratio >= 0.5, f"{ratio:.2f}"))
    return lines


def _per_core(result: Result, name: str) -> float:
    return float(getattr(result, name).per_core)


def _line(aim: str, met: bool, number: str) -> str:
    return f"{'met   ' if met else 'MISSED'}  {aim}: {number}"
