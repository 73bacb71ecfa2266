"""Waitress's request parser, with the choices that RFC 9112 leaves open made the strict way."""

from __future__ import annotations

import re

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, RequestHeaderFieldsTooLarge

from service.chunks import Chunks

MAX_FIELDS = 100
MAX_TARGET = 4096
HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]*)(?::[0-9]*)?", re.ASCII)
CONTROL = re.compile(rb"[^\x20-\x7e]")


class UriTooLong(BadRequest):
    """The request line is longer than `MAX_TARGET`; RFC 9110 section 15.5.15."""

    code = 414
    reason = "URI Too Long"


class RequestParser(HTTPRequestParser):
    """Parses one request; whatever two servers could read in two ways is refused."""

    command: str  # type: ignore[assignment] # typeshed is wrong
    path: str
    query: str

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the head of a request.

        Raises:
            ParsingError: the head is malformed, or ambiguous: a folded line (RFC 9112 section 5.2), both framing
                headers (6.1), Transfer-Encoding in HTTP/1.0 (6.1), no or two Hosts (3.2), an unknown version.
        """
        line, _, fields = header_plus.partition(b"\r\n")
        if b"\r\n " in fields or b"\r\n\t" in fields or fields[:1] in {b" ", b"\t"}:
            raise ParsingError("folded header line")
        if CONTROL.search(line):
            raise ParsingError("control character or non-ASCII byte in the request line")
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
        if not self.error:
            self._limit(line, fields)

    def _limit(self, line: bytes, fields: bytes) -> None:
        if len(line) > MAX_TARGET:
            self.error = UriTooLong("")
        elif fields.count(b"\r\n") > MAX_FIELDS:
            self.error = RequestHeaderFieldsTooLarge("")
        if self.error:
            self.completed = True
