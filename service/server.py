"""Waitress, with the work done in its own loop after each poll instead of in threads.

Handlers never block, so threads would only cost: handing one request over takes longer than answering it.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from time import perf_counter

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from service.board import ACCEPT_FAILED, ACCEPTED, CONNECTIONS, TURNS
from service.channel import Channel
from service.dispatch import InLoop
from service.listen import refuse_new
from service.loop import IN, PollMap
from service.plain import PlainReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from service.board import Column
    from service.handlers import Request
    from service.settings import Settings

    class Responder(Protocol):
        """What turns requests into responses: the service's, or that of the metrics port."""

        def respond(self, request: Request, version: str, started: float, /) -> tuple[bytes, bool]:
            """Return the response to a good request, and whether to close the connection."""

        def refuse(self, status: int, peer: str, started: float, /) -> bytes:
            """Return the response to a bad one."""


MAX_HEADER = 32 * 1024
MAX_BODY = 64 * 1024  # below Waitress's 512 KiB `inbuf_overflow`: a body never goes to a temporary file
ACCEPTS = 64  # in one turn
SPARE_DESCRIPTORS = 32
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC})
PAUSE = 1.0  # seconds without accepting after one of these; at once it would be the same, again and again
QUIET = 60.0  # seconds in which that is logged once


class Limits(Adjustments):
    """Waitress's settings, without an address to look up: it is given a socket, and a look-up loads the idna codec."""

    listen: tuple[str, ...] = ()  # type: ignore[assignment] # typeshed is wrong


class Server(TcpWSGIServer):
    """The service's socket and its connections."""

    channel_class = Channel
    active_channels: dict[int, Channel]  # type: ignore[assignment]
    effective_port: str
    _fileno: int | None

    def __init__(
        self, listener: socket.socket, exchange: Responder, settings: Settings, column: Column, held: int = 0
    ) -> None:
        """Serve the connections of `listener`, in a process that holds `held` descriptors for other things."""
        self.exchange = exchange
        self.plain = PlainReader().read
        self.woke = perf_counter()  # at the end of the last poll
        self.unsettled: list[Channel] = []
        self.sockets = PollMap()
        self.dispatcher = InLoop()
        self._settings, self._listener = settings, listener
        self._column, self._cells = column, column.cells
        self._next_sweep = self._resume = self._quiet = 0.0
        descriptors = os.sysconf("SC_OPEN_MAX")  # -1: no limit
        room = descriptors - SPARE_DESCRIPTORS - held if descriptors > 0 else settings.connection_limit
        adjustments = Limits(
            sockets=[listener],
            ident=None,
            clear_untrusted_proxy_headers=False,  # client_ip decides, by network
            log_socket_errors=False,
            connection_limit=max(8, min(settings.connection_limit, room)),
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
            try:
                connection, address = self._listener.accept()
                self.set_socket_options(connection)
                Channel(self, connection, address, self.adj, map=self.sockets)
            except BlockingIOError:
                return
            except OSError as problem:
                if problem.errno in EXHAUSTED:
                    self._pause(problem)
                    return
                continue  # something befell that connection already, accept(2)
            self._column.add(ACCEPTED, 1)
            if len(self.sockets) >= self.adj.connection_limit:
                return

    def _pause(self, problem: OSError) -> None:
        """Accept nothing for a while; clients wait in the queue until others have gone."""
        self._resume = self.woke + PAUSE
        self._column.add(ACCEPT_FAILED, 1)
        if self.woke >= self._quiet:
            self._quiet = self.woke + QUIET
            logging.getLogger("service").warning("no connection can be accepted: %s", problem.strerror)

    def readable(self) -> bool:
        """Say whether to accept connections now."""
        return self.woke >= self._resume and super().readable()

    def turn(self, seconds: float) -> None:
        """Wait for at most `seconds`, then do all that is ready."""
        sockets, unsettled = self.sockets, self.unsettled
        events = sockets.wait(seconds)
        self.woke = perf_counter()
        self._cells[TURNS] += 1
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
        if self.woke >= self._next_sweep:
            self.sweep(self.woke)

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
        self._cells[CONNECTIONS] = len(self.active_channels)
        if self._fileno is not None:
            self.sockets.refresh(self._fileno, self)

    def refuse_new(self) -> None:
        """Let nobody new connect; who has begun to can still be accepted."""
        refuse_new(self._listener)

    def stop_accepting(self) -> None:
        """Take what waits in the accept queue, because closing resets it, then close the listener."""
        waiting = -1
        while waiting != len(self.active_channels):
            waiting = len(self.active_channels)
            self.handle_accept()
        wasyncore.dispatcher.close(self)

    def close_idle(self) -> int:
        """Close the connections on which nothing is going on; return how many are left."""
        now = perf_counter()
        for channel in list(self.active_channels.values()):
            if not channel.busy(now):
                channel.handle_close()
        return len(self.active_channels)


def _no_wsgi(*_: object) -> list[bytes]:
    raise AssertionError("AnswerTask answers without WSGI")
