"""One connection: plain requests are answered at once, anything else goes the way that Waitress goes."""

from __future__ import annotations

import socket
import threading

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, Task

from service.handlers import Request
from service.parser import RequestParser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from service.exchange import Exchange
    from service.plain import Plain

    class Server(Protocol):
        """What a connection asks of the server that accepted it."""

        exchange: Exchange
        woke: float
        unsettled: list[Channel]
        plain: Callable[[bytes], Plain | None]


RECEIVE = 8192
DISCARD = 2.0  # seconds
FRESH = 1.0  # seconds
UNUSED_LOCK = threading.Condition()


class AnswerTask(Task):
    """Answers a good request without the detour through a WSGI environment."""

    channel: Channel
    request: RequestParser  # type: ignore[assignment] # typeshed is wrong

    def service(self) -> None:
        """Write the whole response in one piece."""
        channel, parsed = self.channel, self.request
        request = Request(parsed.command, parsed.path, parsed.query, channel.addr[0], parsed.headers)
        data, self.close_on_finish = channel.server.exchange.respond(request, parsed.version, channel.server.woke)
        self.wrote_header = True
        channel.write_soon(data)


class RefuseTask(ErrorTask):
    """Answers a request that Waitress or our parser found fault with, or that raised."""

    channel: Channel
    request: RequestParser  # type: ignore[assignment] # typeshed is wrong

    def service(self) -> None:
        """Write the whole response in one piece; the connection is closed after it."""
        channel = self.channel
        data = channel.server.exchange.refuse(
            self.request.error.code if self.request.error else 500, channel.addr[0], channel.server.woke
        )
        self.close_on_finish = self.wrote_header = channel.refused = True
        channel.write_soon(data)


class Channel(HTTPChannel):
    """One connection."""

    task_class = AnswerTask  # type: ignore[assignment]
    error_task_class = RefuseTask
    parser_class = RequestParser
    request: RequestParser | None
    server: Server  # type: ignore[assignment] # to Waitress it is any of its own
    socket: socket.socket
    _fileno: int | None
    # Times are the loop's, which only go on: a clock that is set neither cuts anybody off nor lets anybody stay.
    active = 0.0  # when something last came in or went out
    refused = False  # the client may still be sending what nobody will read
    discarding = 0.0  # since when that is thrown away

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.accepted = self.active
        # One lock for all: there is one thread, and two locks for each of a thousand connections are 1.5 MB.
        self.requests_lock = self.outbuf_lock = UNUSED_LOCK

    @property
    def last_activity(self) -> float:
        """When something last came in or went out, by the loop's time."""
        return self.active

    @last_activity.setter
    def last_activity(self, _: float) -> None:
        """Note that something did: Waitress tells the wall clock's time, which does not count."""
        self.active = self.server.woke

    def busy(self, now: float) -> bool:
        """Say whether a request is being received, a response sent, or the first request on its way."""
        fresh = self.active == self.accepted and now - self.accepted < FRESH
        return bool(fresh or self.requests or self.request or self.total_outbufs_len or self.discarding)

    def handle_read(self) -> None:
        """Read what came in; answer a plain request at once, and leave anything else to Waitress."""
        try:
            data = self.socket.recv(RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.handle_close()
            return
        if self.discarding:
            return
        server = self.server
        self.active = server.woke
        if self.request is None and not self.requests:
            plain = server.plain(data)
            if plain is not None:
                method, path, query, headers = plain
                request = Request(method, path, query, self.addr[0], headers)
                data, close = server.exchange.respond(request, "1.1", server.woke)
                self.send_at_once(data, close)
                return
        server.unsettled.append(self)
        self.received(data)

    def send_at_once(self, data: bytes, close: bool) -> None:
        """Send a response; what the socket does not take now goes through Waitress's buffers."""
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.handle_close()
            return
        if close or sent < len(data):
            self.server.unsettled.append(self)
            self.close_when_flushed = close
            self.write_soon(data[sent:])

    def close_after_answer(self) -> None:
        """Close; after a refusal only the sending half, for closing a socket with unread data resets it, and the
        client would lose the answer (RFC 9112 section 9.6)."""
        if not self.refused:
            self.handle_write()
            return
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()
            return
        self.close_when_flushed = False
        self.discarding = self.server.woke

    def overdue(self, now: float, idle: float, request: float) -> bool:
        """Say whether the client has been idle, slow to send, or slow to read for too long."""
        if self.discarding:
            return now - self.discarding > DISCARD
        if self.total_outbufs_len:
            return now - self.active > request
        if self.request is not None:
            return now - self.request.began > request
        return now - self.active > idle
