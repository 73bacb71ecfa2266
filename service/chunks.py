"""A chunked body as RFC 9112 section 7.1 writes it, without what it allows besides: extensions and trailers.

Waitress takes both, a line feed alone after a size, and empty lines before one. What one server skips and another one
reads is how requests are smuggled, and no client of this service needs any of it.
"""

from __future__ import annotations

import re

from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from waitress.buffers import OverflowableBuffer

SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
LONGEST = 8 + len(b"\r\n")


class Chunks(ChunkedReceiver):
    """Receives one body; `error` is set at the first byte that cannot belong to it."""

    def __init__(self, buffer: OverflowableBuffer) -> None:
        super().__init__(buffer)
        self._line = b""
        self._left = 0  # bytes of this chunk that are still to come
        self._ends = self._last = False  # the next line has to be empty; and is the last of the body

    def received(self, data: bytes) -> int:
        """Take what has arrived, and return how many bytes of it belong to the body."""
        rest = data
        while rest and not self.completed and not self.error:
            rest = self._content(rest) if self._left else self._control(rest)
        return len(data) - len(rest)

    def _content(self, data: bytes) -> bytes:
        self.buf.append(data[: self._left])
        rest = data[self._left :]
        self._left -= len(data) - len(rest)
        return rest

    def _control(self, data: bytes) -> bytes:
        end = data.find(b"\n") + 1 or len(data)
        self._line += data[:end]
        if self._line.endswith(b"\r\n"):
            line, self._line = self._line[:-2], b""
            self._end(line) if self._ends else self._size(line)
        elif self._line.endswith(b"\n") or len(self._line) >= LONGEST:
            self.error = BadRequest("a line of a chunked body that is no size")
        return data[end:]

    def _size(self, line: bytes) -> None:
        if not SIZE.fullmatch(line):
            self.error = BadRequest("a chunk size that is none")
            return
        self._left, self._ends = int(line, 16), True
        self._last = not self._left

    def _end(self, line: bytes) -> None:
        self._ends, self.completed = False, self._last
        if line:
            self.error = BadRequest("a chunk that ends wrongly, or a trailer")
