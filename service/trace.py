"""Accept a caller's request id and W3C trace context when they are valid; make a request id otherwise."""

from __future__ import annotations

import os
import re
from itertools import count

REQUEST_ID = re.compile(r"[A-Za-z0-9._~+/=-]{1,128}", re.ASCII)
# https://www.w3.org/TR/trace-context/#traceparent-header: version 00 is fixed; a later one may add fields after it.
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)


def valid_request_id(text: str) -> bool:
    """Say whether `text` may be logged and returned as a request id."""
    return REQUEST_ID.fullmatch(text) is not None


def parent(traceparent: str) -> re.Match[str] | None:
    """Return trace id, span id and flags of a valid traceparent header, or nothing."""
    match = TRACEPARENT.fullmatch(traceparent[:55])
    later = len(traceparent) > 55
    if later and (traceparent[:2] == "00" or traceparent[55] != "-"):
        return None
    return match


def trace_id(traceparent: str) -> bytes:
    """Return the trace id of a valid traceparent header, or nothing."""
    match = parent(traceparent)
    return match[1].encode("ascii") if match else b""


class RequestIds:
    """Makes request ids: random for each process, then counted, because randomness for each request costs a call."""

    __slots__ = ("_next", "_prefix")

    def __init__(self) -> None:
        self._prefix = os.urandom(8).hex().encode("ascii")
        self._next = count(1).__next__

    def make(self) -> bytes:
        """Return an id that no other process and no other request has."""
        return b"%b-%x" % (self._prefix, self._next())
