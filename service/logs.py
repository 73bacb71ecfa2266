"""Write logs as one JSON object a line, many lines in one call, without ever stopping the service."""

from __future__ import annotations

import logging
import os
import select
import traceback

from service.answer import to_json
from service.clock import Clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
CHUNK = 4096  # PIPE_BUF: a write up to it is never mixed with another process's, and never blocks when poll says so
SOON = 1 << 15  # bytes that a busy turn of the loop collects before it writes
MOST = 1 << 18  # bytes that wait for a reader who does not read; what comes after is dropped and counted


class Logs:
    """The log stream of one process. Lines wait until `flush`, which the loop calls after each turn."""

    def __init__(self, level: str, descriptor: int = 1, dropped: Callable[[int], None] = lambda _: None) -> None:
        self.level = LEVELS[level]
        self.pending: list[bytes] = []
        self._size = 0
        self._descriptor = descriptor
        self._dropped = dropped
        self._clock = Clock()
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def line(self, line: bytes) -> None:
        """Add a finished line, with its line feed."""
        self.pending.append(line)
        self._size += len(line)
        if self._size > SOON:
            self.flush()

    def event(self, level: str, message: str, **fields: object) -> None:
        """Log something that happened, and write it at once."""
        if LEVELS[level] >= self.level:
            entry = {"time": self._clock.timestamp().decode(), "level": level, "message": message, **fields}
            self.line(to_json(entry) + b"\n")
            self.flush()

    def flush(self) -> None:
        """Write what is pending as far as the reader takes it; drop the rest, and count it, when it is too much."""
        pending = self.pending
        while pending:
            taken, size = 0, 0
            for line in pending:
                if size and size + len(line) > CHUNK:
                    break
                size += len(line)
                taken += 1
            if not self._write(b"".join(pending[:taken])):
                break
            del pending[:taken]
            self._size -= size
        if self._size > MOST:
            self._dropped(len(pending))
            pending.clear()
            self._size = 0

    def _write(self, chunk: bytes) -> bool:
        """Write one chunk and return True; return False when it would block."""
        if not self._poll.poll(0):
            return False
        try:
            while chunk:
                chunk = chunk[os.write(self._descriptor, chunk) :]
        except BlockingIOError:
            return False
        except OSError:
            return True  # nobody reads any more (EPIPE), or the disk is full: the service goes on
        return True


class Bridge(logging.Handler):
    """Passes what Waitress logs to our own stream."""

    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a traceback goes into a field of its own."""
        fields: dict[str, object] = {"logger": record.name}
        if record.exc_info and record.exc_info[2] is not None:
            fields["traceback"] = "".join(traceback.format_exception(*record.exc_info))[-4000:]
        level = "error" if record.levelno >= 40 else "warning" if record.levelno >= 30 else "info"
        self._logs.event(level, record.getMessage()[:500], **fields)


def take_over_logging(logs: Logs) -> None:
    """Send everything that the `logging` module gets to `logs`."""
    root = logging.getLogger()
    root.handlers[:] = [Bridge(logs)]
    root.setLevel(logs.level)
