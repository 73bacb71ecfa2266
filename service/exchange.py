"""Turn a parsed request into the bytes of its response; count it and log it."""

from __future__ import annotations

import random
import re
from time import perf_counter

from service.answer import problem, render
from service.board import METHODS
from service.handlers import Handlers, Request
from service.trace import RequestIds, trace_id, valid_request_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.answer import Answer
    from service.board import Column
    from service.clock import Clock
    from service.logs import Logs
    from service.settings import Settings

PLAIN_PATH = re.compile(r"/[A-Za-z0-9._~/-]{0,127}", re.ASCII)
CLOSE = b"Connection: close\r\n"
KEEP = b"Connection: keep-alive\r\n"

# One fixed text for each error that Waitress finds: its own messages quote the client.
ERRORS = {
    400: problem(400, "The request is malformed."),
    413: problem(413, "The request's body is too large."),
    414: problem(414, "The request's target is too long."),
    431: problem(431, "The request's header is too large."),
    500: problem(500, "The service failed to answer; the fault is ours."),
    501: problem(501, "That transfer coding is not supported."),
}


class Exchange:
    """Answers requests for one worker."""

    def __init__(self, settings: Settings, handlers: Handlers, clock: Clock, column: Column, logs: Logs) -> None:
        self.draining = False
        self._handlers = handlers
        self._clock = clock
        self._count = column.count
        self._logs = logs
        self._ids = RequestIds()
        self._share = settings.access_log if logs.level <= 20 else 0.0

    def respond(self, request: Request, version: str, started: float) -> tuple[bytes, bool]:
        """Answer a good request.

        Args:
            request: what the client asked.
            version: "1.0" or "1.1".
            started: `perf_counter()` when it could be read.

        Returns:
            The bytes of the response, and whether to close the connection after it.
        """
        request.client = self._handlers.client(request).address
        answer = self._handlers.answer(request)
        connection = request.headers.get("CONNECTION", "").lower()
        close = self.draining or "close" in connection or (version != "1.1" and "keep-alive" not in connection)
        line = CLOSE if close else b"" if version == "1.1" else KEEP
        return self._finish(request, answer, line, started), close

    def refuse(self, status: int, peer: str, started: float) -> bytes:
        """Answer a request that could not be parsed; the connection is closed after it."""
        return self._finish(Request("", "", "", peer), ERRORS.get(status, ERRORS[400]), CLOSE, started)

    def _finish(self, request: Request, answer: Answer, connection: bytes, started: float) -> bytes:
        request_id, trace, correlation = self._correlate(request.headers)
        self._clock.timestamp()
        data = render(
            answer,
            date=self._clock.date(),
            correlation=correlation,
            connection=connection,
            with_body=request.method != "HEAD",
        )
        seconds = perf_counter() - started
        self._count(request.path, request.method, answer.status, seconds)
        if self._share and (self._share >= 1 or answer.status >= 500 or random.random() < self._share):  # noqa: S311
            self._log(request, answer.status, seconds, len(data), request_id, trace)
        return data

    def _correlate(self, headers: Mapping[str, str]) -> tuple[str, str, bytes]:
        request_id = headers.get("X_REQUEST_ID", "")
        if not request_id or not valid_request_id(request_id):
            request_id = self._ids.make()
        correlation = b"X-Request-Id: %b\r\n" % request_id.encode("ascii")
        parent = headers.get("TRACEPARENT", "")
        trace = trace_id(parent) if parent else ""
        if trace:
            correlation += b"traceparent: %b\r\n" % parent[:55].encode("ascii")
        return request_id, trace, correlation

    def _log(self, request: Request, status: int, seconds: float, size: int, request_id: str, trace: str) -> None:
        """Write the access line. Every value is ours or was checked: no byte of a request can break the line."""
        method = request.method if request.method in METHODS else "other"
        path = request.path if PLAIN_PATH.fullmatch(request.path) else "-"
        level = "error" if status >= 500 and status != 503 else "info"
        self._logs.line(
            (
                f'{{"time":"{self._clock.timestamp().decode()}","level":"{level}","message":"request",'
                f'"request_id":"{request_id}","trace_id":"{trace}","method":"{method}","path":"{path}",'
                f'"status":{status},"duration_ms":{seconds * 1000:.3f},"client":"{request.client}","bytes":{size}}}\n'
            ).encode("ascii")
        )
