"""Measure the layer writer beside `tar` and `gzip` on the same files: `python -m bench.writer`.

Throughput is in MB of uncompressed files a second, ours on two cores; memory is the peak of a process of its own.
"""

import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import anyio

from shipseal.digest import Digest
from shipseal.oci.blobs import Blobs, is_sound
from shipseal.oci.documents import Layer
from shipseal.oci.layer import Entry

MB = 1_000_000
SIZES = (25, 100, 200)
"""How much to write, in MB: a large runtime, a large service, and far more than either."""
_BOTH = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN


@dataclass(frozen=True)
class Row:
    """One way to write the same files."""

    way: str
    seconds: float
    size: int
    bytes_in: int

    def __str__(self) -> str:
        """Return a line of the table."""
        rate, ratio = self.bytes_in / MB / self.seconds, self.size / self.bytes_in
        return f"| {self.way:<38} | {self.seconds:7.2f} s | {rate:7.1f} MB/s | {ratio:6.3f} |"


def sources(megabytes: int) -> Iterator[Path]:
    """Yield this interpreter's own modules and libraries, again and again, until there is enough of them."""
    files = [path for path in Path(sysconfig.get_path("stdlib")).rglob("*") if path.is_file() and not path.is_symlink()]
    files = sorted(path for path in files if path.suffix in {".py", ".so"})
    left = megabytes * MB
    while left > 0:
        for path in files:
            yield path
            left -= path.stat().st_size
            if left <= 0:
                return


def fill(directory: Path, megabytes: int) -> list[Entry]:
    """Copy files into a directory, and return them as entries of a layer."""
    numbers, entries = count(), []
    for source in sources(megabytes):
        name = f"{next(numbers):06}-{source.name}"
        (directory / name).write_bytes(source.read_bytes())
        entries.append(Entry(f"srv/{name}", directory / name))
    return entries


def timed(way: str, bytes_in: int, action: Callable[[], Path]) -> Row:
    """Do it once, and return how long it took and how large the result is."""
    began = time.perf_counter()
    written = action()
    return Row(way, time.perf_counter() - began, written.stat().st_size, bytes_in)


def write(layout: Path, entries: list[Entry]) -> Layer:
    """Write one layer into a layout of its own."""
    blobs, name = Blobs(layout), Digest.of(b"")
    blobs.begin()
    return anyio.run(blobs.write, {name: entries})[name]


def measure(megabytes: int) -> list[Row]:
    """Write the same files in each way."""
    with tempfile.TemporaryDirectory(prefix="bench-writer-") as temporary:
        work = Path(temporary)
        files, plain = work / "files", work / "by-tar.tar"
        files.mkdir()
        entries = fill(files, megabytes)
        bytes_in = sum(entry.size for entry in entries)

        written: list[Layer] = []

        def by_us() -> Path:
            written.append(write(work / "ours", entries))
            return work / "ours/blobs/sha256" / written[0].descriptor.digest.hex

        def again() -> Path:
            assert is_sound(written[0], work / "ours")
            return work / "ours/blobs/sha256" / written[0].descriptor.digest.hex

        def by_tar() -> Path:
            subprocess.run(["tar", "-C", work, "-cf", plain, "files"], check=True)
            return plain

        def by_gzip(level: int) -> Path:
            target = work / f"by-gzip-{level}.gz"
            with target.open("wb") as file:
                subprocess.run(["gzip", f"-{level}", "--no-name", "--stdout", plain], check=True, stdout=file)
            return target

        return [
            timed("tar, nothing compressed", bytes_in, by_tar),
            timed("gzip -1 of that tar", bytes_in, lambda: by_gzip(1)),
            timed("gzip -9 of that tar", bytes_in, lambda: by_gzip(9)),
            timed("ours: tar, digests, libdeflate", bytes_in, by_us),
            timed("ours, the layer is there already", bytes_in, again),
        ]


def peak_memory(megabytes: int) -> float:
    """Return the peak memory, in MB, of a process that writes one layer of that size and does nothing else."""
    answer = subprocess.run(
        [sys.executable, "-m", "bench.writer", "--memory", str(megabytes)], check=True, capture_output=True, text=True
    )
    return float(answer.stdout)


def write_once(megabytes: int) -> float:
    """Write one layer, and return this process's peak memory in MB."""
    with tempfile.TemporaryDirectory(prefix="bench-writer-") as temporary:
        work = Path(temporary)
        (work / "files").mkdir()
        write(work / "layout", fill(work / "files", megabytes))
    return max(resource.getrusage(whose).ru_maxrss for whose in _BOTH) * 1024 / MB


def main(arguments: list[str]) -> None:
    """Print the tables; with `--memory MB` only what one process needed."""
    if arguments[:1] == ["--memory"]:
        print(write_once(int(arguments[1])))
        return
    for megabytes in SIZES[:2]:
        print(f"\n{megabytes} MB of Python modules and libraries in one layer\n")
        print(f"| {'way':<38} |      time |   throughput |  ratio |\n| --- | ---: | ---: | ---: |")
        print(*measure(megabytes), sep="\n")
    print("\nPeak memory of the writer's process, its imports included\n\n| layer | memory |\n| ---: | ---: |")
    for megabytes in SIZES:
        print(f"| {megabytes} MB | {peak_memory(megabytes):.0f} MB |")


if __name__ == "__main__":
    main(sys.argv[1:])
