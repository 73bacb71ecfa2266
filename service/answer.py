"""What a handler answers, and the bytes that go over the wire for it."""

from __future__ import annotations

import json

JSON = b"application/json"
PROBLEM = b"application/problem+json"
TEXT = b"text/plain; charset=utf-8"

REASONS = {
    200: b"OK",
    204: b"No Content",
    400: b"Bad Request",
    404: b"Not Found",
    405: b"Method Not Allowed",
    413: b"Content Too Large",
    414: b"URI Too Long",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    503: b"Service Unavailable",
}


class Answer:
    """A status, a body and its type, with further header lines already in wire form."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(self, status: int, body: bytes, content_type: bytes = JSON, headers: bytes = b"") -> None:
        self.status, self.body, self.content_type, self.headers = status, body, content_type, headers


def to_json(value: object) -> bytes:
    """Return `value` as compact ASCII JSON, so that no byte of a request can pass unescaped."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def problem(status: int, detail: str, headers: bytes = b"") -> Answer:
    """Return an error as problem details, RFC 9457. `detail` is our own text, never the client's."""
    body = {"type": "about:blank", "title": REASONS[status].decode(), "status": status, "detail": detail}
    return Answer(status, to_json(body), PROBLEM, headers)


class Renderer:
    """Writes responses; what depends on the status, the type and the second only is prepared."""

    __slots__ = ("_date", "_heads")

    def __init__(self) -> None:
        self._date = b""
        self._heads: dict[tuple[int, bytes], bytes] = {}

    def render(self, answer: Answer, date: bytes, correlation: bytes, connection: bytes, method: str) -> bytes:
        """Return the whole response.

        Args:
            answer: what to say.
            date: the Date header's value.
            correlation: header lines that carry the request's ids, each ending in CR LF.
            connection: the Connection header line, or nothing.
            method: the request's; HEAD gets the head that GET would (RFC 9110 section 9.3.2).
        """
        if date != self._date:
            self._heads.clear()
            self._date = date
        key = answer.status, answer.content_type
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = _head(*key, date)
        body = answer.body
        if answer.status == 204:
            return b"%b%b%b%b\r\n" % (head, correlation, answer.headers, connection)
        return b"%b%b%b%bContent-Length: %d\r\n\r\n%b" % (
            head,
            correlation,
            answer.headers,
            connection,
            len(body),
            b"" if method == "HEAD" else body,
        )


def _head(status: int, content_type: bytes, date: bytes) -> bytes:
    lines = b"HTTP/1.1 %d %b\r\nDate: %b\r\nCache-Control: no-store\r\n" % (status, REASONS[status], date)
    if status == 204:
        return lines
    return lines + b"Content-Type: %b\r\nX-Content-Type-Options: nosniff\r\n" % content_type
