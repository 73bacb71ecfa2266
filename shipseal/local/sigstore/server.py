"""Listen on loopback for the requests that signing clients make, and pass them to whoever answers."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidSignature

_LARGEST_REQUEST = 64 << 20  # bytes; an envelope with a large bill of materials is a few million
_CLOSE_WITHIN = 0.02  # seconds between the looks that the server takes at whether to stop


class Response:
    """What a route answers: a status, a JSON value and headers."""

    def __init__(self, status: int, value: object, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.data = json.dumps(value).encode()
        self.headers = {"Content-Type": "application/json", "Content-Length": str(len(self.data)), **(headers or {})}


Route = Callable[[dict[str, Any], str], Response]
"""Takes the request's JSON body and its bearer token (empty when there is none)."""


@contextmanager
def serve(routes: Mapping[str, Route]) -> Iterator[str]:
    """Serve `POST` on a free loopback port for as long as the block runs; yield the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, routes))
    server.daemon_threads = True
    thread = threading.Thread(target=partial(server.serve_forever, _CLOSE_WITHIN), name="local-sigstore", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, routes: Mapping[str, Route], *args: Any) -> None:
        self._routes = routes
        super().__init__(*args)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: clients report their own failures."""

    def do_POST(self) -> None:
        """Answer one request."""
        answer = self._answer()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.data)

    def _answer(self) -> Response:
        route = self._routes.get(self.path)
        if route is None:
            return Response(404, {"code": 404, "message": f"the local stand-in has no {self.path}"})
        size = int(self.headers.get("Content-Length", "0"))
        if size > _LARGEST_REQUEST:
            return Response(413, {"code": 413, "message": f"{size} bytes are too many"})
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            return route(json.loads(self.rfile.read(size)), token)
        except InvalidSignature:
            return Response(400, {"code": 400, "message": "the signature does not match"})
        except (KeyError, TypeError, ValueError) as failure:
            return Response(400, {"code": 400, "message": f"{type(failure).__name__}: {failure}"})
