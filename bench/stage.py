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
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio

from bench.writer import MB, SIZES, sources
from shipseal.digest import Digest
from shipseal.documents.inputs import InputWheel
from shipseal.locked.debian import Lock
from shipseal.locked.store import Store, default_root
from shipseal.project.config import HOME
from tests import archives
from tests.stages.services import PROGRAM, Service

_SERVICE = {**PROGRAM, "sample/server.py": "import heavy\n\ndef main():\n    print(heavy)\n"}
_EVERY = 0.02  # seconds
_LARGE = 10 * MB


def service(wheel: Path) -> Service:
    """Return the service; its wheel needs the large one."""
    locked = InputWheel(name="heavy", version="1.0", filename=wheel.name, digest=Digest.of_file(wheel))
    return Service(files=_SERVICE, wheels=[locked])


def contents(megabytes: int, least: int) -> Iterator[bytes]:
    """Yield the contents of files of at least that many bytes."""
    joined = b""
    for path in sources(megabytes):
        joined += b"#" + path.read_bytes()  # with a byte before it, a library is none, and asks for no others
        if len(joined) >= least:
            yield joined
            joined = b""


def make(work: Path, megabytes: int, least: int) -> None:
    """Make the wheel, a store that has it and the Debian packages, and a run that is ready for the stage."""
    files = {f"heavy/{number}.bin": content for number, content in enumerate(contents(megabytes, least))}
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
    command = [sys.executable, "-m", "shipseal", "stage", "image", "--run-dir", ".run", "--store", f"{work}/store"]
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


def row(megabytes: int, least: int) -> str:
    """Measure a wheel of that size without reuse and with it, and return a line of the table."""
    with tempfile.TemporaryDirectory(prefix="bench-stage-") as temporary:
        command = [sys.executable, "-m", "bench.stage", "make", temporary, str(megabytes), str(least)]
        subprocess.run(command, check=True)  # what it takes is no part of what is measured
        name = f"{megabytes} MB" + (f" in files of {least / MB:.0f} MB" if least else "")
        return f"| {name} | {once(Path(temporary))} | {once(Path(temporary))} |"


def main(arguments: list[str]) -> None:
    """Print the table; with `make DIRECTORY MB BYTES` only make what is measured."""
    match arguments:
        case ["make", work, megabytes, least]:
            make(Path(work), int(megabytes), int(least))
        case _:
            print("The stage `image`, one platform\n")
            print("| locked wheel | without reuse | memory | with reuse | memory |")
            print("| ---: | ---: | ---: | ---: | ---: |")
            for size in SIZES:
                print(row(size, 0), flush=True)
            print(row(SIZES[-1], _LARGE))


if __name__ == "__main__":
    main(sys.argv[1:])
