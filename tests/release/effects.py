"""Stand between a release and what it writes to, count each effect, and kill the release right after one of them."""

import http.client
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_HOP = {"connection", "transfer-encoding", "keep-alive"}
_EFFECTS = (
    ("certificate", re.compile(r"POST .*/api/v2/signingCert")),
    ("log entry", re.compile(r"POST .*/api/v1/log/entries")),
    ("blob", re.compile(r"PUT /v2/.*/blobs/uploads/")),
    ("manifest", re.compile(r"PUT /v2/.*/manifests/sha256:")),
    ("list of referrers", re.compile(r"PUT /v2/.*/manifests/sha256-")),
    ("tag", re.compile(r"PUT /v2/.*/manifests/")),
)


def effect_of(request: str) -> str | None:
    """Return which effect a request has, by its method and path; None for one that only asks, or only begins."""
    return next((name for name, pattern in _EFFECTS if pattern.match(request)), None)


Deadly = Callable[[Sequence[str]], bool]
"""Says of the effects of an attempt whether the newest is the last one."""


@dataclass(frozen=True)
class Request:
    """What was asked for, and answered well: how many bytes came with it."""

    method: str
    path: str
    size: int

    @property
    def effect(self) -> str | None:
        """Which effect it has."""
        return effect_of(f"{self.method} {self.path}")

    @property
    def thing(self) -> str:
        """What it is about: the digest of a blob, the name or the digest of a manifest."""
        url = urlsplit(self.path)
        return parse_qs(url.query).get("digest", [url.path.rpartition("/")[2]])[0]


@dataclass
class Effects:
    """What was written, in order, and who is killed when.

    Args:
        attempts: the effects of each attempt.
        log: each request of the attempt that is going on.
        meanwhile: what others do right after a request.
        deadly: when the one that is going on ends.
        process: whom to kill.
    """

    attempts: list[list[str]] = field(default_factory=list)
    log: list[Request] = field(default_factory=list)
    meanwhile: Callable[[Request], None] = lambda _: None
    deadly: Deadly = lambda _: False
    process: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def attempt(self, deadly: Deadly) -> None:
        """Begin another attempt."""
        self.deadly = deadly
        self.attempts.append([])
        self.log = []

    def had(self, effect: str) -> bool:
        """Take note of an effect; return whether it was the last one, and nobody is left to hear of it."""
        with self.lock:
            self.attempts[-1].append(effect)
            if not self.deadly(self.attempts[-1]):
                return False
            os.kill(self.process, signal.SIGKILL)
            self.deadly = lambda _: False
        while Path(f"/proc/{self.process}").exists():
            time.sleep(0.01)
        time.sleep(0.1)  # what it has started ends with it, and asks nobody again
        return True


@dataclass
class Between:
    """A server in front of another, which can be exchanged; its own address stays."""

    host: str
    behind: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, between: Between, effects: Effects, *args: Any) -> None:
        self._between, self._effects = between, effects
        super().__init__(*args)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        other = http.client.HTTPConnection(self._between.behind, timeout=60)
        try:
            other.request(self.command, self.path, body, dict(self.headers))
            answer = other.getresponse()
            data = answer.read()
        finally:
            other.close()
        request = Request(self.command, self.path, len(body))
        effect = request.effect
        if answer.status < 300:
            with self._effects.lock:
                self._effects.log.append(request)
            self._effects.meanwhile(request)
        if effect and answer.status < 300 and self._effects.had(effect):
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP and (name.lower() != "content-length" or self.command == "HEAD"):
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _pass  # noqa: N815 - the base class names them


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: whoever was killed has left in the middle of a sentence."""


@contextmanager
def between(effects: Effects, behind: str = "") -> Iterator[Between]:
    """Stand on a free port of loopback for as long as the block runs."""
    found = Between("", behind)
    server = _Server(("127.0.0.1", 0), partial(_Handler, found, effects))
    found.host = f"127.0.0.1:{server.server_port}"
    threading.Thread(target=partial(server.serve_forever, 0.02), daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
