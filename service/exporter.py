"""Collect the spans of all workers and send them in batches; only the supervisor does, a little in each of its turns.

Nothing here waits. Spans that the receiver does not take in time stay in a list up to `QUEUE`, then in the pipe, and
what does not fit into that is dropped by the workers.
"""

from __future__ import annotations

import fcntl
import os
import re
from time import monotonic

from service import __version__
from service.otlp import Encoder
from service.post import Lookup, Post, numerical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from service.board import Board
    from service.logs import Logs
    from service.loop import PollMap
    from service.otel import Endpoint
    from service.settings import Settings

PIPE = 1 << 20  # bytes that wait between workers and here, where the kernel grants as many
QUEUE, BATCH = 2048, 512  # spans: as OpenTelemetry's batch processors have it
LONGEST_PAUSE = 32.0  # seconds, after failures
QUIET = 60.0  # seconds in which a failure is logged once
REJECTED = re.compile(rb'"rejectedSpans"\s*:\s*"?([0-9]{1,9})')
AGAIN = frozenset({0, 429, 502, 503, 504})  # https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes


class Exporter:
    """What sends spans to one receiver."""

    pause = 0.2  # seconds between two looks into the pipe

    def __init__(self, settings: Settings, endpoint: Endpoint, board: Board, logs: Logs, sockets: PollMap) -> None:
        """Open the pipe. Connections are made later, and are in `sockets`."""
        self._settings, self._endpoint, self._board, self._logs = settings, endpoint, board, logs
        self._sockets = sockets
        self._reading, self.writing = os.pipe()
        for descriptor in (self._reading, self.writing):
            os.set_blocking(descriptor, False)
        _enlarge(self.writing)
        self._encoder = Encoder(settings.otel_service_name, settings.otel_resource_attributes)
        self._address = endpoint.host if numerical(endpoint.host) else ""
        self._lookup: Lookup | None = None
        self._post: Post | None = None
        self._begun = b""  # of a line
        self._waiting: list[bytes] = []
        self._sending = 0  # of those, the first ones
        self._due = self._quiet = 0.0
        self._wait = 1.0  # seconds after the next failure
        self._delay = settings.otel_bsp_schedule_delay / 1000

    def leave(self) -> None:
        """In a new worker: close what is the supervisor's alone."""
        os.close(self._reading)

    def turn(self) -> None:
        """Do what can be done without waiting."""
        self._read()
        if self._post is not None:
            self._post.late()
            if self._post.ended:
                self._take_answer(self._post)
        elif self._waiting and monotonic() >= self._due:
            self._begin()

    def last(self) -> bool:
        """Collect no longer, for no more will come; say whether there is anything left to send."""
        if self._delay:
            self._delay, self._wait, self._due = 0.0, 1.0, 0.0
        self._read()
        return bool(self._waiting)

    def give_up(self) -> int:
        """Drop what was not sent; return how many spans that were."""
        if self._post is not None:
            self._post.finish("")
        self._read()
        lost = 0
        while self._waiting:
            lost += len(self._waiting)
            self._waiting.clear()
            self._read()
        self._board.spans_dropped += lost
        return lost

    def _read(self) -> None:
        """Take what workers have written, as long as there is room."""
        first = not self._waiting
        while len(self._waiting) < QUEUE:
            try:
                data = os.read(self._reading, 1 << 16)
            except BlockingIOError:
                break
            *lines, self._begun = (self._begun + data).split(b"\n")
            self._waiting += lines
        if first and self._waiting:
            self._due = max(self._due, monotonic() + self._delay)
        if len(self._waiting) >= BATCH and self._wait == 1.0:
            self._due = 0.0

    def _begin(self) -> None:
        """Look the receiver up, or send it a batch."""
        if not self._address:
            self._look_up()
            return
        self._sending = min(BATCH, len(self._waiting))
        endpoint, body = self._endpoint, self._encoder.encode(self._waiting[: self._sending])
        fields = {
            "Host": endpoint.shown,
            "User-Agent": f"simpletimeservice/{__version__}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **self._settings.otel_exporter_otlp_headers,
        }
        head = f"POST {endpoint.path} HTTP/1.1\r\n" + "".join(f"{key}: {value}\r\n" for key, value in fields.items())
        data = head.encode("ascii") + b"\r\n" + body
        seconds = self._settings.otel_exporter_otlp_timeout / 1000
        self._post = Post(self._address, endpoint.port, data, self._sockets, seconds)

    def _look_up(self) -> None:
        if self._lookup is None:
            try:
                self._lookup = Lookup(self._endpoint.host, self._sockets)
            except OSError as problem:
                self._failed(str(problem.strerror))
        elif self._lookup.ended:
            self._address, self._lookup = self._lookup.address, None
            if not self._address:
                self._failed("its name is not known")

    def _take_answer(self, post: Post) -> None:
        self._post = None
        if post.status in AGAIN:
            if self._address != self._endpoint.host:
                self._address = ""  # it may be elsewhere by now
            self._failed(post.problem or f"it answered {post.status}")
            return
        sent, self._sending = self._sending, 0
        del self._waiting[:sent]
        self._wait, self._due = 1.0, monotonic() + self._delay
        match = REJECTED.search(post.answer)
        rejected = min(sent, int(match[1]) if match else 0) if post.status // 100 == 2 else sent
        self._board.spans_sent += sent - rejected
        self._board.spans_dropped += rejected
        if rejected:
            self._warn(f"it answered {post.status} and rejected {rejected} spans")

    def _failed(self, problem: str) -> None:
        """Try again later, each time later than before."""
        self._due = monotonic() + self._wait
        self._wait = min(self._wait * 2, LONGEST_PAUSE)
        self._warn(problem)

    def _warn(self, problem: str) -> None:
        if monotonic() >= self._quiet:
            self._quiet = monotonic() + QUIET
            self._logs.event("warning", "spans not taken", receiver=self._endpoint.shown, problem=problem)


def _enlarge(pipe: int) -> None:
    """Have a pipe hold `PIPE` bytes; where there is no such call, or too much is asked, it holds what it holds."""
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)
    except (AttributeError, OSError):
        return
