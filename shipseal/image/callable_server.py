"""Serve a WSGI callable by Waitress: `python -m serve_callable package.module:app PORT`.

The pipeline copies this file into an image whose service is a callable and no program. HOST and PORT of the
environment count before what the command says. On SIGTERM it takes no more connections, finishes what it has begun, and
ends with exit code 0.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import tempfile  # noqa: F401 - Waitress imports it for a body over 512 KiB: too late to find that it is not there
import time

from waitress import wasyncore
from waitress.server import create_server

TYPE_CHECKING = False  # `typing` would be another 100 KB of the image
if TYPE_CHECKING:
    from typing import Any

GRACE = 20.0
"""Seconds that requests in flight get after SIGTERM; Kubernetes kills after 30."""
LOOK = 1.0
"""Seconds between two looks whether a signal has come: one that comes right before a wait does not end it, nor does one
that the kernel gives to another thread."""
LEAST = 1.0
"""Seconds that threads get to end in all the same."""


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    name, port = arguments
    module, _, attribute = name.partition(":")
    application: Any = importlib.import_module(module)
    for part in attribute.split("."):
        application = getattr(application, part)
    sockets: dict[int, Any] = {}
    host = os.environ.get("HOST", "0.0.0.0")  # a container's only network is the one that it serves  # noqa: S104
    server: Any = create_server(application, map=sockets, host=host, port=int(os.environ.get("PORT", port)), ident=None)
    stopping: list[int] = []

    def stop(number: int, _: object) -> None:
        stopping.append(number)
        server.pull_trigger()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"serving {name} on {host} port {port}", flush=True)  # noqa: T201 - a container's log is its output
    while not stopping:
        wasyncore.loop(timeout=LOOK, count=1, map=sockets, use_poll=True)
    drain(server, sockets)
    return 0


def drain(server: Any, sockets: dict[int, Any]) -> None:
    """Take no more connections and serve those that are busy, for at most `GRACE` seconds and a little."""
    wasyncore.dispatcher.close(server)
    end = time.monotonic() + GRACE
    while time.monotonic() < end and any(_busy(channel) for channel in server.active_channels.values()):
        wasyncore.loop(timeout=0.1, count=1, map=sockets, use_poll=True)
    # Joined, because a thread that is alive while the interpreter ends aborts it where libgcc_s is missing.
    server.task_dispatcher.shutdown(timeout=max(LEAST, end - time.monotonic()))


def _busy(channel: Any) -> bool:
    return bool(channel.requests or channel.request is not None or channel.total_outbufs_len)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
