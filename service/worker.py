"""One process that answers requests until the supervisor tells it to stop."""

from __future__ import annotations

import os
import signal
from time import monotonic

from service.board import LOGS_DROPPED, PID
from service.clock import Clock
from service.exchange import Exchange
from service.handlers import Handlers
from service.logs import Logs, take_over_logging
from service.loop import PipeEnd
from service.server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from service.board import Column
    from service.settings import Settings

DRAIN, STOP = b"d", b"s"
SETTLE = 0.05  # seconds for connections that have begun, when no new one may: round trips


class Control(PipeEnd):
    """The worker's end of the supervisor's pipe: orders come as bytes; its end means that the supervisor is gone."""

    orders = b""

    def taken(self, data: bytes) -> None:
        """Take an order."""
        self.orders += data or STOP


class Worker:
    """A server and what it needs, in a process of its own."""

    def __init__(
        self, settings: Settings, listener: socket.socket, control: int, column: Column, spans: int | None = None
    ) -> None:
        column.cells[PID] = os.getpid()
        self._settings = settings
        self._logs = Logs(settings.log_level, dropped=lambda lines: column.add(LOGS_DROPPED, lines))
        take_over_logging(self._logs)
        clock = Clock()
        self._handlers = Handlers(settings, clock)
        ended = None
        if spans is not None:
            from service.spans import Spans  # noqa: PLC0415 without tracing nobody pays for it

            ended = Spans(settings, spans, column).ended
        self._exchange = Exchange(settings, self._handlers, clock, column, self._logs, ended)
        self._server = Server(listener, self._exchange, settings, column)
        self._control = Control(control, self._server.sockets)

    def run(self) -> None:
        """Serve until the order to stop, then finish what is in flight."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # a terminal signals the whole group; the supervisor decides
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control, server, logs, pulse = self._control, self._server, self._logs, self._settings.pulse
        while STOP not in control.orders:
            server.turn(pulse)
            if logs.pending:
                logs.flush()
            if control.orders:
                self._drain()
        self._drain()
        self._finish()

    def _drain(self) -> None:
        """Fail /readyz, and close each connection after its next answer so that clients go elsewhere in time."""
        self._handlers.ready = False
        self._exchange.draining = True

    def _finish(self) -> None:
        """Accept what is queued, answer what was asked, close what is idle; cut off what takes too long."""
        began = monotonic()
        end = began + self._settings.stop_seconds
        self._server.refuse_new()
        while (now := monotonic()) < began + SETTLE:
            self._server.turn(began + SETTLE - now)
        self._server.stop_accepting()
        self._server.turn(0)
        while self._server.close_idle() and monotonic() < end:
            self._server.turn(0.02)
            self._logs.flush()
        self._logs.flush()
        self._server.sockets.close()
