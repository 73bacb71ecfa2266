"""Start the real service as a process of its own, and talk to it over sockets."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import service

# Seconds that a test waits for what takes moments: a busy machine may need them. They are fewer than REQUEST_TIMEOUT,
# so that what waits for a limit that nobody set is seen.
PATIENCE = 15
QUICK = {"HOST": "127.0.0.1", "PORT": "0", "METRICS_PORT": "0", "WORKERS": "1", "DRAIN_SECONDS": "0"}


@dataclass
class Response:
    """A response as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)


@dataclass
class Running:
    """A service that runs: its ports, its process, and what it has logged so far."""

    process: subprocess.Popen[bytes]
    port: int = 0
    metrics_port: int = 0
    log: list[dict[str, Any]] = field(default_factory=list)

    def next_line(self) -> dict[str, Any]:
        """Wait for the next line of the log."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the service ended with {self.process.wait(5)}"
        self.log.append(json.loads(line))
        return self.log[-1]

    def wait_for(self, message: str) -> dict[str, Any]:
        """Wait for a line with this message."""
        while self.next_line()["message"] != message:
            pass
        return self.log[-1]

    def connect(self, port: int = 0) -> socket.socket:
        """Open a connection to the service, or to its metrics port."""
        return socket.create_connection(("127.0.0.1", port or self.port), timeout=PATIENCE)

    def raw(self, data: bytes) -> bytes:
        """Send bytes, and return all that comes back until the service closes the connection."""
        with closing(self.connect()) as connection:
            connection.sendall(data)
            return read_all(connection)

    def ask(self, target: str = "/", method: str = "GET", *fields: str, port: int = 0) -> Response:
        """Send one request with further header lines, and return its response."""
        head = "\r\n".join((f"{method} {target} HTTP/1.1", "Host: test", "Connection: close", *fields, "", ""))
        with closing(self.connect(port)) as connection:
            connection.sendall(head.encode("latin-1"))
            return parse(read_all(connection))

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(15)

    def end(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def read_all(connection: socket.socket) -> bytes:
    """Read until the other side closes."""
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def parse(data: bytes) -> Response:
    """Take one response apart."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return Response(int(first.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}, body)


Start = Callable[..., Running]


def spawn(*command: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start `python -m service`, or another command for the interpreter, from wherever the tests import it.

    Args:
        command: what to give the interpreter.
        environment: settings besides `QUICK`; DESCRIPTORS is how many file descriptors the process may have.
    """
    most = int(environment.pop("DESCRIPTORS", "0"))
    limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (most, most)) if most else None
    path = os.pathsep.join(filter(None, (str(Path(service.__file__).parent.parent), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, *(command or ("-m", "service"))],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **QUICK, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        preexec_fn=limit,  # noqa: PLW1509 no test that limits them has threads
    )


def launch(*command: str, **environment: str) -> Running:
    """Start a service and wait until it listens."""
    running = Running(spawn(*command, **environment))
    line = running.wait_for("listening")
    running.port, running.metrics_port = line["port"], line["metrics_port"] or 0
    return running
