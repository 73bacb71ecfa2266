"""Read plain requests fast: the ones that arrive whole, without a body, framed in one way only.

Waitress's parser stays the judge. Here each line is read by Waitress's own grammar and functions once and remembered,
for lines repeat (Host, User-Agent, Accept, the request line), and whatever is not plain is left to the parser. So this
can only be stricter: a test compares the two on generated requests.
"""

from __future__ import annotations

import re

from waitress.parser import ParsingError, crack_first_line, split_uri
from waitress.rfc7230 import HEADER_FIELD_RE

from service.parser import CONTROL, HOST, MAX_FIELDS, MAX_TARGET, asked_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Plain = tuple[str, str, str, dict[str, str]]
    Value = TypeVar("Value")

MOST_LINES = 512  # remembered at most, each of at most LONGEST bytes
LONGEST = 256
READ = frozenset({"HOST", "ACCEPT", "CONNECTION", "X_REAL_IP", "X_FORWARDED_FOR", "X_REQUEST_ID", "TRACEPARENT"})
VARYING = frozenset({"X_FORWARDED_FOR", "X_REQUEST_ID", "TRACEPARENT", "X_AMZN_TRACE_ID"})  # no use remembering
# How proxies spell those: their lines are read without the grammar's expression, which takes most of the time then.
SPELLINGS = {
    spelling: name if name in READ else ""
    for name in VARYING
    for spelling in (name.lower().replace("_", "-"), name.title().replace("_", "-"))
}
FRAMING = frozenset({"CONTENT_LENGTH", "TRANSFER_ENCODING", "EXPECT", "UPGRADE"})
NOT_READ = ("", "")
FIELD: re.Pattern[bytes] = HEADER_FIELD_RE  # type: ignore[assignment] # typeshed is wrong


class PlainReader:
    """Reads plain requests; remembers lines, up to a limit."""

    def __init__(self) -> None:
        self._first: dict[bytes, tuple[str, str, str]] = {}
        self._fields: dict[bytes, tuple[str, str]] = {}

    def read(self, data: bytes) -> Plain | None:
        """Return (method, path, query, headers that the service reads), or None: let the parser judge."""
        if data[-4:] != b"\r\n\r\n":
            return None
        lines = data[:-4].split(b"\r\n")
        if len(lines) > MAX_FIELDS:
            return None
        first = self._first.get(lines[0]) or self._read_first(lines[0])
        if first is None:
            return None
        known, headers = self._fields.get, {}
        for line in lines[1:]:
            field = known(line) or self._read_field(line)
            if field is None:
                return None
            if field is NOT_READ:
                continue
            name, value = field
            if name in headers:
                return None
            headers[name] = value
        return (*first, headers) if "HOST" in headers else None

    def memories(self) -> tuple[dict[bytes, tuple[str, str, str]], dict[bytes, tuple[str, str]]]:
        """Return what is remembered: request lines and header lines."""
        return self._first, self._fields

    def _read_first(self, line: bytes) -> tuple[str, str, str] | None:
        if len(line) > MAX_TARGET or CONTROL.search(line) or not line.endswith(b" HTTP/1.1"):
            return None
        try:
            method, uri, _ = crack_first_line(line)  # type: ignore[arg-type] # typeshed is wrong
            _, authority, path, query, _ = split_uri(uri)
        except (ParsingError, ValueError):
            return None
        verb = method.decode("latin-1")
        first = (verb, asked_path(verb, authority, str(path)), query)
        return _remember(self._first, line, first) if method else None

    def _read_field(self, line: bytes) -> tuple[str, str] | None:
        if (field := _read_varying(line)) is not None:
            return field
        match = FIELD.match(line)
        if match is None:
            return None
        key = match["name"]
        name = key.upper().replace(b"-", b"_").decode("latin-1")
        if b"_" in key or name not in READ:
            if name in FRAMING:
                return None
            return NOT_READ if name in VARYING else _remember(self._fields, line, NOT_READ)
        value = match["value"].strip(b" \t").decode("latin-1")
        if name == "HOST" and not HOST.fullmatch(value):
            return None
        return (name, value) if name in VARYING else _remember(self._fields, line, (name, value))


def _read_varying(line: bytes) -> tuple[str, str] | None:
    """Read a line that is new in each request; None when it is another, or holds more than printable ASCII."""
    name, colon, value = line.decode("latin-1").partition(":")
    spelled = SPELLINGS.get(name)
    if spelled is None or not colon or not value.isascii() or not value.isprintable():
        return None
    return (spelled, value.strip(" ")) if spelled else NOT_READ


def _remember(memory: dict[bytes, Value], line: bytes, value: Value) -> Value:
    """Keep `value`; forget all when there is no room, so that a client who never repeats a line costs only time."""
    if len(line) <= LONGEST:
        if len(memory) >= MOST_LINES:
            memory.clear()
        memory[line] = value
    return value
