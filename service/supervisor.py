"""Take the signals, keep the workers going, count for all of them, and stop them in order."""

from __future__ import annotations

import gc
import os
import signal
from time import monotonic

from service.board import Board
from service.crew import Crew
from service.listen import listen
from service.logs import Logs, take_over_logging
from service.loop import PipeEnd, PollMap, turn
from service.metrics import MetricsExchange
from service.server import Server
from service.worker import DRAIN, STOP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from service.exporter import Exporter
    from service.settings import Settings

SPARE = 2.0  # what a worker gets beyond STOP_SECONDS before it is killed
LAST_SPANS = 2.0  # seconds in which a receiver may take what is left when the workers are gone
OWN_DESCRIPTORS = 12  # the wake-up pipe, the metrics' listener, poller and first connection
TRACING_DESCRIPTORS = 4  # the pipe, a connection, a name that is looked up
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StartError(Exception):
    """The machine does not give what the settings need; the message is one line for the operator."""


class Supervisor:
    """The parent process. It answers the metrics port itself, so that traffic cannot starve it."""

    def __init__(self, settings: Settings, signals: list[int]) -> None:
        """Open all that is needed before there is a worker.

        Args:
            settings: what the operator chose.
            signals: those that have arrived already; what is in it stops the service.

        Raises:
            ListenError: a port cannot be listened on.
            StartError: there are too few descriptors, or too little memory.
        """
        self._settings, self._signals = settings, signals
        self._logs = Logs(settings.log_level)
        take_over_logging(self._logs)
        self._metrics: Server | None = None
        self._exporter: Exporter | None = None
        self._listeners = listen(settings.host, settings.port, "PORT", settings.workers)
        try:
            self._open()
        except OSError as problem:
            raise _too_little(settings, problem) from None

    def _open(self) -> None:
        settings = self._settings
        endpoint = settings.otel_exporter_otlp_endpoint
        own = OWN_DESCRIPTORS + (0 if endpoint is None else TRACING_DESCRIPTORS)
        _try_descriptors(settings.workers + own, self._listeners[0].fileno())
        self._board = Board(settings.workers)
        self._wake, self._wake_write = os.pipe()
        if settings.metrics_port is not None:
            (listener,) = listen(settings.host, settings.metrics_port, "METRICS_PORT")
            exchange = MetricsExchange(settings, self._board)
            held = 2 * settings.workers  # for each of them a listener and a pipe
            self._metrics = Server(listener, exchange, settings, Board(1).columns[0], held)
        self._sockets = self._metrics.sockets if self._metrics else PollMap()
        PipeEnd(self._wake, self._sockets)
        if endpoint is not None:
            from service.exporter import Exporter  # noqa: PLC0415 without tracing nobody pays for it

            self._exporter = Exporter(settings, endpoint, self._board, self._logs, self._sockets)
        spans = self._exporter.writing if self._exporter else None
        self._crew = Crew(settings, self._listeners, self._board, self._logs, self._leave, spans)

    def run(self) -> int:
        """Serve until a signal; return the exit status: 0, or 128 and the number of a second signal.

        Raises:
            StartError: not all workers could be started.
        """
        self._take_signals()
        if self._signals:
            return self._end()
        gc.freeze()  # what is there now stays shared with the workers
        try:
            for number in range(self._settings.workers):
                self._crew.start(number)
        except OSError as problem:
            self._crew.kill()
            raise _too_little(self._settings, problem) from None
        self._logs.event(
            "info",
            "listening",
            host=self._settings.host,
            port=self._listeners[0].getsockname()[1],
            metrics_port=self._metrics and int(self._metrics.effective_port),
            workers=self._settings.workers,
        )
        while not self._signals:
            self._turn(self._crew.pause())
            self._crew.watch()
            self._crew.replace()
        return self._stop()

    def _take_signals(self) -> None:
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda got, _: self._signals.append(got))
        signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes the poll

    def _turn(self, seconds: float) -> None:
        if self._exporter is not None:
            self._exporter.turn()
            seconds = min(seconds, self._exporter.pause)
        if self._metrics is not None:
            self._metrics.turn(seconds)
        else:
            turn(self._sockets, seconds)

    def _leave(self) -> None:
        """In a new worker: close its copies of what is the supervisor's alone."""
        os.close(self._wake)
        os.close(self._wake_write)
        self._sockets.abandon()
        if self._exporter is not None:
            self._exporter.leave()

    def _stop(self) -> int:
        settings = self._settings
        drain = settings.drain_seconds if self._signals[0] == signal.SIGTERM else 0.0
        self._logs.event("info", "draining", signal=signal.Signals(self._signals[0]).name, seconds=drain)
        self._crew.order(DRAIN)
        if self._wait(drain, replace=True):
            for listener in self._listeners:  # first, so that a worker's own is the last
                listener.close()
            self._crew.order(STOP)
            self._wait(settings.stop_seconds + SPARE)
        self._send_last()
        return self._end()

    def _send_last(self) -> None:
        """Give the receiver of spans a moment, unless a second signal came, and tell of what it does not take."""
        if self._exporter is None:
            return
        end = monotonic() + LAST_SPANS
        while len(self._signals) < 2 and self._exporter.last() and monotonic() < end:
            self._turn(0.05)
        if lost := self._exporter.give_up():
            self._logs.event("warning", "spans lost", spans=lost)

    def _wait(self, seconds: float, *, replace: bool = False) -> bool:
        """Wait until the time is over or the workers are gone; return False when a second signal came."""
        end = monotonic() + seconds
        while len(self._signals) < 2 and self._crew.processes and monotonic() < end:
            self._turn(min(0.1, max(0.0, end - monotonic())))
            if replace:  # or what is in a dead one's queue would wait for nobody
                self._crew.replace()
            else:
                self._crew.reap()
        return len(self._signals) < 2

    def _end(self) -> int:
        """Kill what is left, and return the exit status."""
        self._logs.event("info", "stopped", killed=self._crew.kill())
        return 128 + self._signals[1] if len(self._signals) > 1 else 0


def _try_descriptors(count: int, any_open: int) -> None:
    """Raise `OSError` now, and not halfway, when there will not be so many."""
    taken: list[int] = []
    try:
        for _ in range(count):
            taken.append(os.dup(any_open))  # noqa: PERF401 those before the one that fails have to be closed
    finally:
        for descriptor in taken:
            os.close(descriptor)


def _too_little(settings: Settings, problem: OSError) -> StartError:
    return StartError(
        f"WORKERS={settings.workers}: cannot start: {problem.strerror}; "
        "lower WORKERS or raise the limits (ulimit -n, ulimit -u)"
    )
