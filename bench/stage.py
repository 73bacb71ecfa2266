"""Measure the whole stage `image` for a small service with one large locked wheel: `python -m bench.stage`.

Each time is that of the command, start of the interpreter included, for one platform. Memory is the highest sum of the
proportional set sizes (proc(5), smaps_rollup) of the command and all that it started, looked at 50 times a second.
"With reuse" the run directory holds the image that was written before.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import anyio

from bench.writer import MB, SIZES, sources
from pipeline.config import HOME
from pipeline.digest import Digest
from pipeline.locked.debian import Lock
from pipeline.locked.store import Store, default_root
from tests import archives
from tests.stages.services import PROGRAM, Service

_SERVICE = {**PROGRAM, "sample/server.py": "import heavy\n\ndef main():\n    print(heavy)\n"}
_EVERY = 0.02  # seconds


def service(wheel: Path) -> Service:
    """Return the service; its wheel needs the large one."""
    locked = {"name": "heavy", "version": "1.0", "digest": str(Digest.of_file(wheel))}
    return Service(files=_SERVICE, wheels=[locked])


def make(work: Path, megabytes: int) -> None:
    """Make the wheel, a store that has it and the Debian packages, and a run that is ready for the stage."""
    # With a byte before it, a library is none, and asks for no others.
    files = {f"heavy/{number}.bin": b"#" + path.read_bytes() for number, path in enumerate(sources(megabytes))}
    wheel = archives.wheel(work, "heavy", {"heavy/__init__.py": b"", **files})
    store, everything = Store(work / "store"), Store(default_root(os.environ))
    store.add(wheel, Digest.of_file(wheel))
    run = service(wheel).run(store, work / "project")
    lock = run.config.image.package_lock
    for package in Lock.parse(lock.read_text(encoding="utf-8"), lock.name).select("linux/amd64", ()):
        store.add(everything.get(package.digest), package.digest)
    for stage in service(wheel).stages():
        anyio.run(run.perform, stage)


def once(work: Path) -> str:
    """Do the stage by its command, and return seconds and MB."""
    command = [sys.executable, "-m", "pipeline", "stage", "image", "--run-dir", ".run", "--store", f"{work}/store"]
    environment, began, peak = {**os.environ, "PYTHONPATH": str(HOME)}, time.perf_counter(), 0
    with subprocess.Popen(command, cwd=work / "project", env=environment, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(_EVERY)
    assert process.returncode == 0
    return f"{time.perf_counter() - began:.1f} s | {peak / MB:.0f} MB"


def memory(process: int) -> int:
    """Return the bytes that a process and all below it have to themselves now."""
    proc, own = Path("/proc", str(process)), 0
    with suppress(OSError, StopIteration):  # it has ended meanwhile
        lines = (proc / "smaps_rollup").read_text().splitlines()
        own = 1024 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])
        tasks = [task.read_text().split() for task in proc.glob("task/*/children")]
        return own + sum(memory(int(child)) for children in tasks for child in children)
    return own


def main(arguments: list[str]) -> None:
    """Print the table; with `make DIRECTORY MB` only make what is measured."""
    match arguments:
        case ["make", work, megabytes]:
            make(Path(work), int(megabytes))
        case _:
            print("The stage `image`, one platform\n")
            print(
                "| locked wheel | without reuse | memory | with reuse | memory |\n| ---: | ---: | ---: | ---: | ---: |"
            )
            for size in SIZES:
                with tempfile.TemporaryDirectory(prefix="bench-stage-") as work:
                    command = [sys.executable, "-m", "bench.stage", "make", work, str(size)]
                    subprocess.run(command, check=True)  # what it takes is no part of what is measured
                    print(f"| {size} MB | {once(Path(work))} | {once(Path(work))} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
