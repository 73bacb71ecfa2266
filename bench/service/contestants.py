"""Who is measured: the service, the same application under other Python servers, and Go."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

WSGI = "service.app:app"
ASGI = "bench.service.asgi:app"


@dataclass(frozen=True)
class Contestant:
    """A server: its name in the table, its command, and its environment; `{port}` is filled in."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    python: bool = True


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)


def _service(name: str, workers: int, **environment: str) -> Contestant:
    settings = {"HOST": "127.0.0.1", "PORT": "{port}", "METRICS_PORT": "0", "WORKERS": str(workers), **environment}
    return Contestant(name, _python("-m", "service"), settings)


def contestants(go: Path) -> list[Contestant]:
    """Return all that are measured; `go` is the built Go service."""
    gunicorn = _python("-m", "gunicorn", "-w", "1", "-b", "127.0.0.1:{port}", "--log-level", "warning")
    uvicorn = _python("-m", "uvicorn", "--port", "{port}", "--no-access-log", "--log-level", "warning", ASGI)
    granian = ("--interface", "wsgi", "--port", "{port}", "--workers", "1", "--no-ws", "--log-level", "warning", WSGI)
    waitress = _python("-m", "waitress", "--listen=127.0.0.1:{port}", WSGI)
    return [
        _service("service, 1 worker", 1, ACCESS_LOG="off"),
        _service("service, 1 worker, access log on", 1),
        _service("service, 2 workers", 2, ACCESS_LOG="off"),
        Contestant("Waitress, 4 threads", waitress),
        Contestant("gunicorn sync, 1 worker", (*gunicorn, WSGI)),
        Contestant("gunicorn gthread, 4 threads", (*gunicorn, "-k", "gthread", "--threads", "4", WSGI)),
        Contestant("uvicorn, minimal ASGI", uvicorn),
        Contestant("granian, WSGI", _python("-m", "granian", *granian)),
        Contestant("Go net/http, GOMAXPROCS=1", (str(go),), {"PORT": "{port}", "GOMAXPROCS": "1"}, python=False),
        Contestant("Go net/http, GOMAXPROCS=2", (str(go),), {"PORT": "{port}", "GOMAXPROCS": "2"}, python=False),
    ]
