"""Count the CPUs that this container may use."""

from __future__ import annotations

import os

CGROUP = "/sys/fs/cgroup"


def available_cpus(root: str = CGROUP) -> int:
    """Return how many workers can run at once: the affinity mask, cut by the cgroup's CPU quota, at least one.

    A quota of half a core gives one, of one and a half two (a worker too few leaves quota unused).
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        allowed = os.cpu_count() or 1
    quota = _quota(root)
    return max(1, allowed if quota is None else min(allowed, -(-quota[0] // quota[1])))


def _quota(root: str) -> tuple[int, int] | None:
    """Return (quota, period) in microseconds, by cgroup v2 (cpu.max) or v1 (cpu.cfs_*); None without a limit."""
    words = _words(f"{root}/cpu.max") or _words(f"{root}/cpu/cpu.cfs_quota_us") + _words(
        f"{root}/cpu/cpu.cfs_period_us"
    )
    if len(words) != 2 or not (words[0].isdigit() and words[1].isdigit()) or not int(words[1]):
        return None  # "max", "-1", or no cgroup at all
    return int(words[0]), int(words[1])


def _words(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123 pathlib costs 0.4 MB of memory
            return file.read().split()
    except OSError:
        return []
