"""Decide which requests are traced, and hand what is known of each to the supervisor, without ever waiting.

A worker writes one line for each span into a pipe that all workers share. A write of up to `LONGEST` bytes is never
mixed with another's, and is made whole or not at all (pipe(7), PIPE_BUF); when the pipe is full, the span is dropped
and counted.
"""

from __future__ import annotations

import os
from time import time_ns

from service.answer import to_json
from service.board import SPANS, SPANS_DROPPED
from service.trace import parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from service.board import Column
    from service.handlers import Request
    from service.settings import Settings

LONGEST = 4096  # PIPE_BUF
SHOWN = 256  # characters of what a client wrote: five of these fit into a line, even when each becomes six
PROBES = frozenset({"/health", "/livez", "/readyz", "/startupz"})  # asked every few seconds, by nobody who reads traces
POOL = 4096  # random bytes that are fetched at once: for each request a call of its own would cost more than the rest


class Sampler:
    """Says whether a request is traced (https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-samplers)."""

    __slots__ = ("_bound", "_by_parent")

    def __init__(self, name: str, share: float) -> None:
        self._by_parent = name.startswith("parentbased_")
        share = {"always_on": 1.0, "always_off": 0.0}.get(name.removeprefix("parentbased_"), share)
        self._bound = round(share * (1 << 64))  # by the trace id, so that all services decide the same

    def takes(self, trace: str, flags: str | None) -> bool:
        """Say it, by the trace id and by the flags of the caller's span, if there is one."""
        if flags is not None and self._by_parent:
            return int(flags, 16) & 1 == 1
        return int(trace[16:], 16) < self._bound


class Spans:
    """The spans of one worker."""

    def __init__(self, settings: Settings, pipe: int, column: Column) -> None:
        """Write them into `pipe`, which does not block."""
        self._pipe, self._column = pipe, column
        self._takes = Sampler(settings.otel_traces_sampler, settings.otel_traces_sampler_arg).takes
        self._pool, self._used = b"", POOL

    def _random(self, size: int) -> str:
        if self._used + size > POOL:
            self._pool, self._used = os.urandom(POOL), 0
        self._used += size
        return self._pool[self._used - size : self._used].hex()

    def ended(self, request: Request, status: int, seconds: float) -> str:
        """Note a request that was answered just now; return the trace it belongs to, or nothing when it is not traced.

        Only a caller who traces is told of probes; what could not be parsed has no span, the metrics count it.
        """
        caller = parent(request.headers.get("TRACEPARENT", ""))
        if caller is None and (request.path in PROBES or not request.method):
            return ""
        trace, flags = (caller[1], caller[3]) if caller else (self._random(16), None)
        if not self._takes(trace, flags):
            return ""
        end = time_ns()
        line = to_json(
            [
                *(trace, self._random(8), caller[2] if caller else ""),
                *(end - int(seconds * 1e9), end, status, request.peer, request.client),
                *(
                    text[:SHOWN]
                    for text in (request.method, request.path, request.query, request.headers.get("HOST", ""))
                ),
            ]
        )
        self._column.add(SPANS if self._write(line + b"\n") else SPANS_DROPPED, 1)
        return trace

    def _write(self, line: bytes) -> bool:
        try:
            return len(line) <= LONGEST and os.write(self._pipe, line) > 0
        except OSError:  # it is full, or the supervisor is gone
            return False
