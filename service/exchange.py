"""Turn a parsed request into the bytes of its response; count it and log it."""

from __future__ import annotations

import logging
import re
from time import perf_counter

from service.answer import Renderer, problem
from service.board import METHODS
from service.handlers import NO_HEADERS, Handlers, Request
from service.trace import RequestIds, trace_id, valid_request_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from service.answer import Answer
    from service.board import Column
    from service.clock import Clock
    from service.logs import Logs
    from service.settings import Settings

PLAIN_PATH = re.compile(r"/[A-Za-z0-9._~/-]{0,127}", re.ASCII)
CLOSE = b"Connection: close\r\n"
KEEP = b"Connection: keep-alive\r\n"
NO_OPTIONS: frozenset[str] = frozenset()

# The access line. Every value is ours or was checked: no byte of a request can break it.
ACCESS = (
    b'{"time":"%b","level":"%b","message":"request","request_id":"%b","trace_id":"%b","method":"%b","path":"%b",'
    b'"status":%d,"duration_ms":%.3f,"client":"%b","bytes":%d}\n'
)

# One fixed text for each error that Waitress finds: its own messages quote the client.
ERRORS = {
    400: problem(400, "The request is malformed."),
    413: problem(413, "The request's body is too large."),
    414: problem(414, "The request's target is too long."),
    431: problem(431, "The request's header is too large."),
    500: problem(500, "The service failed to answer; the fault is ours."),
    501: problem(501, "That transfer coding is not supported."),
}
SAFE_METHODS = {method: method.encode("ascii") for method in METHODS}


def connection_options(field: str) -> set[str]:
    """Return the options of a Connection field, in lower case (RFC 9110 section 7.6.1)."""
    return {option.strip(" \t") for option in field.lower().split(",")}


class Exchange:
    """Answers requests for one worker."""

    def __init__(
        self,
        settings: Settings,
        handlers: Handlers,
        clock: Clock,
        column: Column,
        logs: Logs,
        ended: Callable[[Request, int, float], str] | None = None,
    ) -> None:
        """Answer by `handlers`; `ended` is told of each request, its status and seconds, and returns its trace."""
        self.draining = False
        self._answer = handlers.answer
        self._client = handlers.client
        self._clock = clock
        self._count = column.count
        self._ended = ended
        self._logs = logs
        self._make_id = RequestIds().make
        self._render = Renderer().render
        self._due = 0.0  # a line is due whenever this reaches one
        self._share = settings.access_log if logs.level <= logging.INFO else 0.0

    def respond(self, request: Request, version: str, started: float) -> tuple[bytes, bool]:
        """Answer a good request.

        Args:
            request: what the client asked.
            version: "1.0" or "1.1".
            started: `perf_counter()` when it could be read.

        Returns:
            The bytes of the response, and whether to close the connection after it.
        """
        self._clock.timestamp()
        headers = request.headers
        wishes = connection_options(headers["CONNECTION"]) if "CONNECTION" in headers else NO_OPTIONS
        close = self.draining or "close" in wishes or (version != "1.1" and "keep-alive" not in wishes)
        try:
            request.client = self._client(request.peer, headers).address
            answer = self._answer(request)
        except Exception:
            logging.getLogger("service").exception("a handler failed")
            answer, close = ERRORS[500], True
        line = CLOSE if close else b"" if version == "1.1" else KEEP
        return self._finish(request, answer, line, started), close

    def refuse(self, status: int, peer: str, started: float) -> bytes:
        """Answer a request that could not be parsed; the connection is closed after it."""
        self._clock.timestamp()
        peer = self._client(peer, NO_HEADERS).address
        return self._finish(Request("", "", "", peer), ERRORS.get(status, ERRORS[400]), CLOSE, started)

    def _finish(self, request: Request, answer: Answer, connection: bytes, started: float) -> bytes:
        headers = request.headers
        request_id = headers.get("X_REQUEST_ID", "")
        identity = request_id.encode("ascii") if request_id and valid_request_id(request_id) else self._make_id()
        correlation = b"X-Request-Id: %b\r\n" % identity
        trace = b""
        if "TRACEPARENT" in headers:
            trace = trace_id(headers["TRACEPARENT"])
            if trace:
                correlation += b"traceparent: %b\r\n" % headers["TRACEPARENT"][:55].encode("ascii")
        clock = self._clock
        data = self._render(answer, clock.date, correlation, connection, request.method)
        seconds = perf_counter() - started
        self._count(request.path, request.method, answer.status, seconds)
        if self._ended is not None:
            trace = self._ended(request, answer.status, seconds).encode("ascii") or trace
        self._due += self._share
        if self._due >= 1 or (answer.status >= 500 and self._share):
            self._due %= 1
            path = request.path.encode("ascii") if PLAIN_PATH.fullmatch(request.path) else b"-"
            method = SAFE_METHODS.get(request.method, b"other")
            level = b"info" if answer.status < 500 or answer.status == 503 else b"error"
            client, milliseconds = request.client.encode("ascii"), seconds * 1000
            self._logs.line(
                ACCESS
                % (clock.now, level, identity, trace, method, path, answer.status, milliseconds, client, len(data))
            )
        return data
