"""Serve the emulated AWS until the parent ends: ``python -m tests.cloud.emulator``."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from . import budgets, compute, eks, storage

_PR_SET_PDEATHSIG = 1


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *arguments: Any) -> None:
        """Say nothing: a run makes thousands of requests."""


class _OneAtATime:
    """Answer one request after the other: moto's memory is not made for threads."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application, self._lock = application, Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            return list(self._application(environ, start_response))


def main() -> None:
    """Listen on a free port of the loopback address and print the URL as the one line of output."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    eks.install()
    budgets.install()
    compute.install()
    storage.install()
    application = _OneAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
