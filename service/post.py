"""Send one HTTP request without waiting: the loop goes on, and tells when there is something to do."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from time import monotonic

from waitress import wasyncore

from service.loop import PipeEnd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from service.loop import PollMap

MOST = 1 << 16  # bytes of an answer that are read
LOOKUP = 5  # seconds
FILES = 1 << 16  # what a supervisor has open has smaller numbers than that
STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)


class Post(wasyncore.dispatcher):
    """One request on a connection of its own. It is over when `ended`; `status` is 0 when there was no answer."""

    _fileno: int | None

    def __init__(self, address: str, port: int, data: bytes, sockets: PollMap, seconds: float) -> None:
        """Begin to connect to a numerical address; give up when the time is over."""
        super().__init__(None, sockets)  # type: ignore[arg-type] # typeshed takes the values for sockets
        self.ended, self.status, self.answer, self.problem = False, 0, b"", ""
        self._data, self._sockets, self._end = memoryview(data), sockets, monotonic() + seconds
        self._seconds = seconds
        try:
            connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            connection.setblocking(False)
            self.connecting = True
            self.set_socket(connection)
            connection.connect((address, port))
        except BlockingIOError:
            pass
        except OSError as problem:
            self.finish(str(problem.strerror))
        if self._fileno is not None:
            sockets.refresh(self._fileno, self)

    def writable(self) -> bool:
        """Say whether to connect or to send."""
        return not self.connected or bool(self._data)

    def handle_connect(self) -> None:
        """Do nothing yet: what can be written is written next."""

    def handle_write(self) -> None:
        """Send what the socket takes."""
        self._data = self._data[self.send(self._data) :]  # type: ignore[arg-type] # typeshed knows bytes alone

    def handle_read(self) -> None:
        """Read the answer; it is whole by its length, or at its end."""
        self.answer += self.recv(MOST)
        head, end, body = self.answer.partition(b"\r\n\r\n")
        length = LENGTH.search(head + b"\r\n")
        if len(self.answer) > MOST or (end and length and len(body) >= int(length[1])):
            self.finish("")

    def handle_close(self) -> None:
        """Take what there is for the answer."""
        self.finish("the connection was closed")

    def handle_error(self) -> None:
        """Give up, and keep why."""
        problem = sys.exc_info()[1]
        self.finish(str(getattr(problem, "strerror", "") or problem))

    def handle_expt(self) -> None:
        """Ignore urgent data, of which there is none in HTTP."""

    def late(self) -> None:
        """Give up if the time is over."""
        if not self.ended and monotonic() > self._end:
            self.finish(f"no answer in {self._seconds:g} s")

    def finish(self, problem: str) -> None:
        """End it, and close the connection."""
        match = STATUS.match(self.answer)
        if not self.ended:
            self.ended, self.status, self.problem = True, int(match[1]) if match else 0, "" if match else problem
        if self.socket is not None:
            self.close()


class Lookup(PipeEnd):
    """Looks a name up in a process of its own, for that may take seconds and cannot be interrupted."""

    def __init__(self, host: str, sockets: PollMap) -> None:
        """Begin.

        Raises:
            OSError: there are no more descriptors, or processes.
        """
        self.ended, self.address = False, ""
        reading, writing = os.pipe()
        try:
            if os.fork() == 0:
                _look_up(host, writing)
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        super().__init__(reading, sockets)  # it takes a copy
        os.close(reading)

    def taken(self, data: bytes) -> None:
        """Take the address; nothing when there is none."""
        self.address, self.ended = self.address or data.decode("ascii"), True


def _look_up(host: str, writing: int) -> None:
    """Write the first address of a name, and exit: this never returns."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signal.alarm(LOOKUP)
        os.closerange(0, writing)  # above all the listening sockets: a copy would keep their queues open
        os.closerange(writing + 1, FILES)
        found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)  # a str would load a codec
        os.write(writing, str(found[0][4][0]).encode("ascii"))
    finally:
        os._exit(0)


def numerical(host: str) -> bool:
    """Say whether `host` is an address and no name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
