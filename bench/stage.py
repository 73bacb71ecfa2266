"""Measure the whole stage `image` for a small service with one large locked wheel: `python -m bench.stage`.

Each time is that of a process of its own, for one platform; memory is the highest peak of any process that it started
and of itself. "With reuse" the run directory holds the image that was written before.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio

from bench.writer import MB, SIZES, sources
from pipeline.digest import Digest
from pipeline.locked.debian import Lock
from pipeline.locked.store import Store, default_root
from tests import archives
from tests.stages.services import IMAGE, PROGRAM, Service

_SERVICE = {**PROGRAM, "sample/server.py": "import heavy\n\ndef main():\n    print(heavy)\n"}
_BOTH = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN


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
    """Do the stage, and return seconds and MB."""
    run = service(next(work.glob("*.whl"))).run(Store(work / "store"), work / "project")
    began = time.perf_counter()
    anyio.run(run.perform, IMAGE)
    seconds = time.perf_counter() - began
    memory = max(resource.getrusage(whose).ru_maxrss for whose in _BOTH) * 1024 / MB
    return f"{seconds:.1f} s | {memory:.0f} MB"


def apart(*arguments: str) -> str:
    """Run a part of this program in a process of its own, and return what it prints."""
    command = [sys.executable, "-m", "bench.stage", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main(arguments: list[str]) -> None:
    """Print the table; with `make DIRECTORY MB` or `once DIRECTORY` do that part of it."""
    match arguments:
        case ["make", work, megabytes]:
            make(Path(work), int(megabytes))
        case ["once", work]:
            print(once(Path(work)))
        case _:
            print("The stage `image`, one platform\n")
            print(
                "| locked wheel | without reuse | memory | with reuse | memory |\n| ---: | ---: | ---: | ---: | ---: |"
            )
            for size in SIZES:
                with tempfile.TemporaryDirectory(prefix="bench-stage-") as work:
                    apart("make", work, str(size))
                    print(f"| {size} MB | {apart('once', work)} | {apart('once', work)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
