"""Notice when what runs in a sandbox becomes too much, where no control group keeps it small.

The kernel's own limit of processes does not hold for a user whom it takes for root (RLIMIT_NPROC, setrlimit(2)), as a
container's is, and one of memory counts a process alone. So what there is gets counted from outside, in the sandbox's
own /proc: some twenty looks a second, at no more processes than there are in it.
"""

import os
import time
from pathlib import Path

import anyio

from shipseal.smoke.inside import Bounds

_LOOK = 0.05  # seconds between two looks
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIB = 1 << 20


async def until_too_much(started: int, root: Path, mounts: tuple[str, ...], bounds: Bounds) -> str:
    """Return what there is too much of, as soon as there is; else do not return.

    Args:
        started: the process of bubblewrap, whose only child is the first process in the sandbox.
        root: what the sandbox has as its root.
        mounts: the file systems in memory that it has.
    """
    inside: Path | None = None
    while True:
        began = time.monotonic()
        try:
            inside = inside or _inside(started, root)
            if inside and (found := _too_much(inside, mounts, bounds)):
                return found
        except OSError:  # it is only beginning, or has just ended
            inside = None
        await anyio.sleep(max(_LOOK, 4 * (time.monotonic() - began)))  # whoever counts may not be too much either


def _inside(started: int, root: Path) -> Path | None:
    """Return the sandbox as seen from here, once its root is what it is to be (proc(5), /proc/PID/root)."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _parent(process) == started:
            seen = process / "root"
            return seen if os.path.samestat(seen.stat(), root.stat()) else None
    return None


def _parent(process: Path) -> int:
    try:
        stat = (process / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])  # the name before it may hold anything


def _too_much(inside: Path, mounts: tuple[str, ...], bounds: Bounds) -> str:
    """Add up processes, threads and memory by the /proc inside; return what is beyond a bound, or nothing."""
    processes = [path for path in (inside / "proc").iterdir() if path.name.isdigit()]
    if len(processes) > bounds.tasks or sum(map(_threads, processes)) > bounds.tasks:
        return f"more than {bounds.tasks} processes and threads at a time"
    left = bounds.memory - sum(_used(inside, mount) for mount in mounts)
    # What processes share counts for each of them at first, which is quick; once only where that would be too much.
    if sum(map(_resident, processes)) > left and sum(map(_share, processes)) > left:
        return f"more than {bounds.memory // _MIB} MiB of memory, files in memory included"
    return ""


def _threads(process: Path) -> int:
    """Count the threads of a process by the links of its task directory; one that has ended has none."""
    try:
        return (process / "task").stat().st_nlink - 2  # one directory each
    except OSError:
        return 0


def _resident(process: Path) -> int:
    """Return the resident bytes of a process, shared ones included; one that has ended has none."""
    try:
        return int((process / "statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _share(process: Path) -> int:
    """Return the resident memory, where each page counts by the number of those that share it (proc(5))."""
    try:
        lines = (process / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)


def _used(inside: Path, mount: str) -> int:
    """Return the bytes that are used of a file system in memory."""
    found = os.statvfs(inside / mount.strip("/"))
    return (found.f_blocks - found.f_bfree) * found.f_frsize
