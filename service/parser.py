"""Waitress's request parser, with the choices that RFC 9112 leaves open made the strict way."""

from __future__ import annotations

import re
from time import perf_counter

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, RequestHeaderFieldsTooLarge

from service.chunks import Chunks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from waitress.adjustments import Adjustments

MAX_FIELDS = 100
MAX_TARGET = 4096
HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]*)(?::[0-9]*)?", re.ASCII)
CONTROL = re.compile(rb"[^\x20-\x7e]")
EMPTY_LINES = re.compile(rb"(?:\r\n)+")
TRANSFER_CODINGS = re.compile(rb"(?:^|\r\n)transfer-encoding:([^\r\n]*)", re.IGNORECASE)


class UriTooLong(BadRequest):
    """The request line is longer than `MAX_TARGET`; RFC 9110 section 15.5.15."""

    code = 414
    reason = "URI Too Long"


class RequestParser(HTTPRequestParser):
    """Parses one request; whatever two servers could read in two ways is refused."""

    command: str  # type: ignore[assignment] # typeshed is wrong
    path: str
    proxy_netloc: str
    query: str

    def __init__(self, adjustments: Adjustments) -> None:
        super().__init__(adjustments)
        self.began = perf_counter()

    def received(self, data: bytes) -> int:
        """Take what has arrived, and return how many bytes of it belong to this request.

        Empty lines before a request are a request that is `empty`, whatever follows (RFC 9112 section 2.2).
        """
        if len(self.header_plus) < 2 and not self.headers_finished:
            begun = self.header_plus + data
            if lines := EMPTY_LINES.match(begun):
                self.completed = self.empty = True
                return lines.end() - len(self.header_plus)
            if begun[:1].isspace() and begun != b"\r":  # Waitress would skip all that Python calls space
                self.error, self.completed = BadRequest("space before the request"), True
                return len(data)
        taken = super().received(data)
        if self.completed:  # Waitress would ask for a body that is there, or that there is not
            self.expect_continue = False
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the head of a request.

        Raises:
            ParsingError: the head is malformed, or ambiguous: a folded line (RFC 9112 section 5.2), both framing
                headers (6.1), Transfer-Encoding in HTTP/1.0 or with other than one coding (6.1), no or two Hosts
                (3.2), an unknown version.
        """
        line, _, fields = header_plus.partition(b"\r\n")
        if len(line) > MAX_TARGET:  # not parsed: urlsplit would remember it
            self.error, self.completed = UriTooLong(""), True
            return
        _check(line, fields)
        try:
            super().parse_header(header_plus)
        except ValueError:  # from int() and urlsplit(), which Waitress does not expect
            raise ParsingError("unreadable number or address") from None
        if self.chunked and self.body_rcv is not None:
            self.body_rcv = Chunks(self.body_rcv.getbuf())
        headers = self.headers
        framed_twice = self.chunked and "CONTENT_LENGTH" in headers
        if framed_twice or (self.version != "1.1" and "TRANSFER_ENCODING" in headers):
            raise ParsingError("ambiguous framing")
        if self.version not in {"1.0", "1.1"}:
            raise ParsingError("unsupported version")
        host = headers.get("HOST")
        if (host is None and self.version == "1.1") or (host is not None and not HOST.fullmatch(host)):
            raise ParsingError("no valid Host")
        self.path = asked_path(self.command, self.proxy_netloc, self.path)
        if not self.error and fields.count(b"\r\n") > MAX_FIELDS:
            self.error, self.completed = RequestHeaderFieldsTooLarge(""), True


def _check(line: bytes, fields: bytes) -> None:
    """Raise `ParsingError` for what Waitress reads, and others in another way."""
    if b"\r\n " in fields or b"\r\n\t" in fields or fields[:1] in {b" ", b"\t"}:
        raise ParsingError("folded header line")
    if CONTROL.search(line):
        raise ParsingError("control character or non-ASCII byte in the request line")
    codings = TRANSFER_CODINGS.findall(fields)
    if codings and (len(codings) > 1 or b"," in codings[0] or not codings[0].strip(b" \t")):
        raise ParsingError("not one transfer coding")  # Waitress takes an empty list for no body


def asked_path(method: str, authority: str, path: str) -> str:
    """Return what a target asks for: in absolute form without a path, all of the server for OPTIONS and its root for
    any other method (RFC 9112 section 3.2.4)."""
    return path if path or not authority else "*" if method == "OPTIONS" else "/"
