"""Run a contestant, and read what its processes use."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.service.contestants import Contestant
from bench.service.programs import ROOT

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """In MB (10^6 bytes): resident in the largest worker, in the first process; and of all, what they share once."""

    worker: float
    first: float
    together: float


@dataclass(frozen=True)
class Running:
    """A server that answers: its port, the root of its process tree, and how long its start took in seconds."""

    port: int
    pid: int
    start: float

    def cpu_seconds(self) -> float:
        """Return the CPU time that all its processes have used."""
        return sum(_cpu(pid) for pid in _tree(self.pid))

    def memory(self) -> Memory:
        """Return what its processes hold now; where there are no workers, the first process is the one that serves."""
        first, *workers = _tree(self.pid)
        return Memory(
            max(_field(pid, "Rss") for pid in workers or [first]),
            _field(first, "Rss"),
            sum(_field(pid, "Pss") for pid in (first, *workers)),
        )


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def running(contestant: Contestant) -> Iterator[Running]:
    """Start a contestant, wait for its first answer, and end it afterwards."""
    port = free_port()
    environment = {key: value.format(port=port) for key, value in contestant.environment.items()}
    began = time.monotonic()
    process = subprocess.Popen(
        [word.format(port=port) for word in contestant.command],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    drain = subprocess.Popen(["/bin/cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)  # a reader of the log
    try:
        await_answer(port, process)
        yield Running(port, process.pid, time.monotonic() - began)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
        drain.wait(15)


def await_answer(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers 200."""
    end = time.monotonic() + 30
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
                if b" 200 " in connection.recv(4096):
                    return
        except OSError:
            pass
        if time.monotonic() > end:
            raise RuntimeError(f"{process.args!r} does not answer")
        time.sleep(0.005)


def _tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += _tree(int(child))
    return found


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _field(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"no {name} for process {pid}")
