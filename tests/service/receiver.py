"""A receiver of spans: what it was sent, and an answer that the test chooses."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What came: path, header fields and body of each request; and what is answered, after `hold` is set."""

    port: int = 0
    status: int = 200
    answer: bytes = b"{}"
    hold: threading.Event = field(default_factory=threading.Event)
    came: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return what names it to a service."""
        return f"http://127.0.0.1:{self.port}"

    def spans(self) -> list[dict[str, Any]]:
        """Return all spans of all requests that were answered well."""
        scopes = [scope for _, _, body in self.came for each in body["resourceSpans"] for scope in each["scopeSpans"]]
        return [span for scope in scopes for span in scope["spans"]]

    def await_spans(self, count: int) -> list[dict[str, Any]]:
        """Wait until there are as many."""
        assert until(lambda: len(self.spans()) >= count), self.came
        return self.spans()


def until(true: Callable[[], object], seconds: float = 30) -> bool:
    """Wait for something, and say whether it came to be."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def attributes(of: dict[str, Any]) -> dict[str, str]:
    """Return the attributes of a span or a resource."""
    return {each["key"]: next(iter(each["value"].values())) for each in of["attributes"]}


@contextmanager
def receiving(port: int = 0, *, answers: bool = True, **chosen: Any) -> Iterator[Receiver]:
    """Run a receiver until the block ends; without `answers` it takes requests and says nothing."""
    receiver = Receiver(**chosen)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not receiver.hold.wait(60):
                return
            if receiver.status == 200:
                receiver.came.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(receiver.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(receiver.answer)))
            self.end_headers()
            self.wfile.write(receiver.answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of a service that has gone."""

    if answers:
        receiver.hold.set()
    with Server(("127.0.0.1", port), Handler) as server:
        receiver.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.hold.set()
            server.shutdown()
            thread.join()
