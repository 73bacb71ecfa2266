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
    """Answer one request after the other, and one that is sent again as it was answered first.

    moto's memory is not made for threads. A client that has lost an answer sends the request again under the same
    invocation id, and a lock that it took at the first attempt would be somebody else's at the second.
    """

    _KEPT = 500

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application, self._lock = application, Lock()
        self._answered: dict[str, tuple[tuple[Any, ...], list[bytes]]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            head, body = self._answer(environ)
        start_response(*head)
        return body

    def _answer(self, environ: dict[str, Any]) -> tuple[tuple[Any, ...], list[bytes]]:
        request, invocation = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}", "HTTP_AMZ_SDK_INVOCATION_ID"
        identity = f"{environ.get(invocation)} {request} {environ.get('HTTP_X_AMZ_TARGET')}"
        if identity in self._answered:
            sys.stderr.write(f"asked again, and answered as before: {identity}\n")
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return self._answered[identity]
        heads: list[tuple[Any, ...]] = []
        body = list(self._application(environ, lambda *head: heads.append(head)))
        if str(heads[-1][0]).startswith("5"):
            sys.stderr.write(f"answered {heads[-1][0]}: {identity}\n{b''.join(body)[:2000]!r}\n")
        elif invocation in environ:
            self._answered[identity] = heads[-1], body
            while len(self._answered) > self._KEPT:
                del self._answered[next(iter(self._answered))]
        return heads[-1], body


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
