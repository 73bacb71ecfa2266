"""Waitress, with the work done in its own loop after each poll instead of in threads.

Handlers never block, so threads would only cost: handing one request over takes longer than answering it.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from time import perf_counter, time

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, Task, ThreadedTaskDispatcher

from service.board import ACCEPTED, CONNECTIONS
from service.handlers import Request
from service.loop import IN, PollMap
from service.parser import RequestParser
from service.plain import PlainReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from service.board import Column
    from service.settings import Settings

    class Responder(Protocol):
        """What turns requests into responses: the service's, or that of the metrics port."""

        def respond(self, request: Request, version: str, started: float, /) -> tuple[bytes, bool]:
            """Return the response to a good request, and whether to close the connection."""

        def refuse(self, status: int, peer: str, started: float, /) -> bytes:
            """Return the response to a bad one."""


MAX_HEADER = 32 * 1024
MAX_BODY = 64 * 1024  # below Waitress's 512 KiB `inbuf_overflow`: a body never goes to a temporary file
RECEIVE = 8192
ACCEPTS = 64  # in one turn
DISCARD = 2.0  # seconds
UNUSED_LOCK = threading.Condition()
SPARE_DESCRIPTORS = 32


class InLoop(ThreadedTaskDispatcher):
    """A dispatcher that queues channels; the loop serves them after each poll."""

    def __init__(self) -> None:  # the base class would make locks
        self.queue: deque[HTTPChannel] = deque()  # type: ignore[assignment]

    def set_thread_count(self, count: int) -> None:
        """Do nothing: there are no threads."""

    def add_task(self, task: HTTPChannel) -> None:  # type: ignore[override]
        """Queue only: Waitress calls this while it holds the channel's lock."""
        self.queue.append(task)

    def run(self) -> None:
        """Serve all that is queued, and what that queues in its turn (pipelined requests)."""
        while self.queue:
            self.queue.popleft().service()

    def shutdown(self, cancel_pending: bool = True, timeout: int = 5) -> bool:  # noqa: ARG002 Waitress's signature
        """Serve what is left."""
        self.run()
        return True


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
    server: Server
    socket: socket.socket
    _fileno: int | None
    started = 0.0  # when the request that is being received began
    refused = False  # the client may still be sending what nobody will read
    discarding = 0.0  # since when that is thrown away

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # One lock for all: there is one thread, and two locks for each of a thousand connections are 1.5 MB.
        self.requests_lock = self.outbuf_lock = UNUSED_LOCK

    def busy(self) -> bool:
        """Say whether a request is being received or a response sent."""
        return bool(self.requests or self.request is not None or self.total_outbufs_len or self.discarding)

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
        self.last_activity = server.now
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
        self.discarding = self.server.now

    def received(self, data: bytes) -> bool:
        """Parse what came in, and note when a request began."""
        if self.request is None:
            self.started = self.server.now
        return super().received(data)

    def overdue(self, now: float, idle: float, request: float) -> bool:
        """Say whether the client has been idle, slow to send, or slow to read for too long."""
        if self.discarding:
            return now - self.discarding > DISCARD
        if self.total_outbufs_len:
            return now - self.last_activity > request
        if self.request is not None:
            return now - self.started > request
        return now - self.last_activity > idle


class Server(TcpWSGIServer):
    """The service's socket and its connections."""

    channel_class = Channel
    active_channels: dict[int, Channel]  # type: ignore[assignment]
    effective_port: str
    _fileno: int | None

    def __init__(self, listener: socket.socket, exchange: Responder, settings: Settings, column: Column) -> None:
        self.exchange = exchange
        self.plain = PlainReader().read
        self.woke = 0.0  # perf_counter() at the end of the last poll
        self.now = time()  # the same in wall clock time
        self.unsettled: list[Channel] = []
        self.sockets = PollMap()
        self.dispatcher = InLoop()
        self._settings = settings
        self._column = column
        self._next_sweep = 0.0
        descriptors = os.sysconf("SC_OPEN_MAX") - SPARE_DESCRIPTORS
        adjustments = Adjustments(
            sockets=[listener],
            ident=None,
            clear_untrusted_proxy_headers=False,  # client_ip decides, by network
            log_socket_errors=False,
            connection_limit=max(8, min(settings.connection_limit, descriptors)),
            max_request_header_size=MAX_HEADER,
            max_request_body_size=MAX_BODY,
        )
        info = (listener.family, listener.type, listener.proto, listener.getsockname())
        super().__init__(
            _no_wsgi,
            self.sockets,  # type: ignore[arg-type] # typeshed takes the values for sockets
            True,
            listener,
            self.dispatcher,
            adjustments,
            info,
            bind_socket=False,
        )

    def pull_trigger(self) -> None:
        """Do nothing: nobody else's thread has to be woken."""

    def maintenance(self, now: float) -> None:
        """Do nothing: `sweep` does it with limits of its own."""

    def handle_accept(self) -> None:
        """Accept what waits, within the limits; one at a time would be too slow when each turn has much to do."""
        for _ in range(ACCEPTS):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                return
            self._column.add(ACCEPTED, 1)
            if len(self.sockets) >= self.adj.connection_limit:
                return

    def turn(self, seconds: float) -> None:
        """Wait for at most `seconds`, then do all that is ready."""
        sockets, unsettled = self.sockets, self.unsettled
        events = sockets.wait(seconds)
        self.woke = perf_counter()
        self.now = time()
        for descriptor, flags in events:
            thing = sockets.get(descriptor)
            if thing is None:  # closed by an earlier event of this turn
                continue
            if flags == IN and thing.connected:
                try:
                    thing.handle_read()
                except Exception:
                    thing.handle_error()
            else:
                wasyncore.readwrite(thing, flags)
                if isinstance(thing, Channel):
                    unsettled.append(thing)
                elif descriptor in sockets:
                    sockets.refresh(descriptor, thing)
            if unsettled:
                self._settle()
        if self.now >= self._next_sweep:
            self.sweep(self.now)

    def _settle(self) -> None:
        """Do the work that was queued, and tell the poller what each socket waits for now."""
        self.dispatcher.run()
        for channel in self.unsettled:
            if channel.close_when_flushed and not channel.total_outbufs_len:
                channel.close_after_answer()
            if channel._fileno is not None:
                self.sockets.refresh(channel._fileno, channel)
        self.unsettled.clear()

    def sweep(self, now: float) -> None:
        """Close connections whose time is over, and look whether there is room for more; runs once a second."""
        self._next_sweep = now + 1
        idle, request = self._settings.idle_timeout, self._settings.request_timeout
        for channel in list(self.active_channels.values()):
            if channel.overdue(now, idle, request):
                channel.handle_close()
        self._column.cells[CONNECTIONS] = len(self.active_channels)
        if self._fileno is not None:
            self.sockets.refresh(self._fileno, self)

    def stop_accepting(self) -> None:
        """Take what waits in the accept queue, because closing resets it, then close the listener."""
        waiting = -1
        while waiting != len(self.active_channels):
            waiting = len(self.active_channels)
            self.handle_accept()
        wasyncore.dispatcher.close(self)

    def close_idle(self) -> int:
        """Close the connections on which nothing is going on; return how many are left."""
        for channel in list(self.active_channels.values()):
            if not channel.busy():
                channel.handle_close()
        return len(self.active_channels)


def _no_wsgi(*_: object) -> list[bytes]:
    raise AssertionError("AnswerTask answers without WSGI")
