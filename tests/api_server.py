"""A small HTTPS server on loopback that answers for an API server as badly as it is told to."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from shipseal.cluster.access import Access
from shipseal.local.cluster_keys import CertificateAuthority

Reply = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class ApiServer:
    """A server that is running: how it is reached, the replies to come (the last for all that follow), what was asked.

    Args:
        access: how it is reached.
        replies: each answers one request.
        asked: method and path of each request.
        headers: the headers of each.
    """

    access: Access
    replies: list[Reply] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


def reply(status: int = 200, body: Any = None, *headers: tuple[str, str]) -> Reply:
    """Answer with an object, or with bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body if body is not None else {}).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(status)
        for name, value in (("Content-Length", str(len(content))), *headers):
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def refusal(code: int, reason: str = "", message: str = "", **more: Any) -> Reply:
    """Answer with a Status."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    return reply(code, {**status, "reason": reason, "message": message, **more})


def cut(handler: BaseHTTPRequestHandler) -> None:
    """Cut the connection."""
    handler.close_connection = True
    socket.socket.shutdown(handler.connection, socket.SHUT_RDWR)


def cut_within(handler: BaseHTTPRequestHandler) -> None:
    """Cut the connection in the middle of an answer."""
    handler.send_response_only(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"kind": ')
    cut(handler)


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing until the other side has given up."""
    handler.connection.settimeout(20)
    with suppress(OSError):
        handler.connection.recv(1)
    handler.close_connection = True


def endless(piece: bytes, pause: float = 0) -> Reply:
    """Send a piece over and over, 100 MB of it at most, until the other side has had enough."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Length", str(100 << 20))
        handler.end_headers()
        for _ in range((100 << 20) // len(piece)):
            handler.wfile.write(piece)
            if threading.Event().wait(pause):
                return

    return answer


@contextmanager
def api_server(directory: Path, *replies: Reply) -> Iterator[ApiServer]:
    """Have a server whose certificate an authority of its own has made."""
    authority = CertificateAuthority(directory, "cluster")
    pair = authority.server("server")
    running = ApiServer(Access("", "test", "default", authority.certificate.read_text()), list(replies))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def parse_request(self) -> bool:
            parsed = super().parse_request()
            if parsed:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                running.asked.append(f"{self.command} {self.path}")
                running.headers.append({name.lower(): value for name, value in self.headers.items()})
                answer = running.replies.pop(0) if len(running.replies) > 1 else running.replies[0]
                setattr(self, f"do_{self.command}", lambda: answer(self))
            return parsed

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Keep quiet: the other side is meant to break connections off."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        running.access = Access(
            f"https://127.0.0.1:{server.server_port}", "test", "default", authority.certificate.read_text()
        )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()
