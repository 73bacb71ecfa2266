"""Start the workers, replace one that dies or hangs, count for all of them, and stop them in order."""

from __future__ import annotations

import gc
import os
import select
import signal
from contextlib import suppress
from time import monotonic

from service.board import CONNECTIONS, PID, TURNS, Board
from service.listen import listen
from service.logs import Logs, take_over_logging
from service.loop import PipeEnd
from service.metrics import MetricsExchange
from service.process import Process
from service.server import Server
from service.worker import DRAIN, STOP, Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from service.settings import Settings

EARLY = 1.0  # a worker that lived shorter than this many seconds is replaced only after as many
SPARE = 2.0  # what a worker gets beyond STOP_SECONDS before it is killed
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Supervisor:
    """The parent process. It answers the metrics port itself, so that traffic cannot starve it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listeners = listen(settings.host, settings.port, "PORT", settings.workers)
        self._board = Board(settings.workers)
        self._processes: dict[int, Process] = {}  # by the worker's number
        self._looked = monotonic()
        self._signals: list[int] = []
        self._logs = Logs(settings.log_level)
        take_over_logging(self._logs)
        self._metrics: Server | None = None
        self._wake, self._wake_write = os.pipe()
        if settings.metrics_port is not None:
            (listener,) = listen(settings.host, settings.metrics_port, "METRICS_PORT")
            exchange = MetricsExchange(settings, self._board)
            self._metrics = Server(listener, exchange, settings, Board(1).columns[0])
            PipeEnd(self._wake, self._metrics.sockets)

    def run(self) -> int:
        """Serve until a signal; return the exit status: 0, or 128 and the number of a second signal."""
        self._take_signals()
        gc.freeze()  # what is there now stays shared with the workers
        for number in range(self._settings.workers):
            self._start(number)
        self._logs.event(
            "info",
            "listening",
            host=self._settings.host,
            port=self._listeners[0].getsockname()[1],
            metrics_port=self._metrics and int(self._metrics.effective_port),
            workers=self._settings.workers,
        )
        while not self._signals:
            self._turn(self._settings.pulse)
            self._watch()
            self._replace()
        return self._stop()

    def _take_signals(self) -> None:
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda got, _: self._signals.append(got))
        signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes the poll

    def _turn(self, seconds: float) -> None:
        if self._metrics is not None:
            self._metrics.turn(seconds)
        elif select.select([self._wake], [], [], seconds)[0]:
            os.read(self._wake, 64)

    def _start(self, number: int) -> None:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._be_worker(number, reading, writing)
        os.close(reading)
        self._processes[number] = Process(pid, writing)

    def _be_worker(self, number: int, reading: int, writing: int) -> None:
        """Leave behind what is the supervisor's, serve, and exit: this never returns."""
        status = 1
        try:
            for process in self._processes.values():
                os.close(process.control)
            os.close(writing)
            if self._metrics is not None:
                self._metrics.sockets.abandon()
            Worker(self._settings, self._listeners[number], reading, self._board.columns[number]).run()
            status = 0
        except Exception as problem:
            self._logs.event("error", "worker failed", problem=type(problem).__name__, detail=str(problem)[:300])
        finally:
            os._exit(status)

    def _reap(self) -> list[tuple[int, Process, int]]:
        """Return (number, process, status) of workers that ended; as PID 1, reap strangers too."""
        ended: list[tuple[int, Process, int]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if not pid:
                return ended
            for number, process in list(self._processes.items()):
                if process.pid == pid:
                    os.close(process.control)
                    cells = self._board.columns[number].cells
                    cells[PID] = cells[CONNECTIONS] = 0
                    ended.append((number, self._processes.pop(number), os.waitstatus_to_exitcode(status)))

    def _watch(self) -> None:
        """Kill a worker whose loop has stood still for too long; it is replaced like any that dies."""
        now, settings = monotonic(), self._settings
        seconds = min(now - self._looked, settings.pulse)  # more means that the supervisor was paused too
        self._looked = now
        for number, process in self._processes.items():
            process.watch(self._board.columns[number].cells[TURNS], seconds)
            if 0 < settings.watchdog_seconds < process.silent and not process.killed:
                process.killed = True
                self._board.hangs += 1
                self._logs.event(
                    "error", "worker hung", worker=number, pid=process.pid, seconds=round(process.silent, 1)
                )
                os.kill(process.pid, signal.SIGKILL)

    def _replace(self) -> None:
        for number, process, status in self._reap():
            self._board.restarts += 1
            if not process.killed:
                self._logs.event("error", "worker died", worker=number, pid=process.pid, status=status)
            again = monotonic() + EARLY
            while monotonic() - process.since < EARLY and monotonic() < again and not self._signals:
                self._turn(0.1)
            self._start(number)

    def _order(self, order: bytes) -> None:
        for process in self._processes.values():
            with suppress(OSError):  # it died a moment ago
                os.write(process.control, order)

    def _stop(self) -> int:
        settings = self._settings
        drain = settings.drain_seconds if self._signals[0] == signal.SIGTERM else 0.0
        self._logs.event("info", "draining", signal=signal.Signals(self._signals[0]).name, seconds=drain)
        self._order(DRAIN)
        if self._wait(drain):
            self._order(STOP)
            for listener in self._listeners:
                listener.close()
            self._wait(settings.stop_seconds + SPARE)
        return self._end()

    def _wait(self, seconds: float) -> bool:
        """Wait until the time is over or the workers are gone; return False when a second signal came."""
        end = monotonic() + seconds
        while len(self._signals) < 2 and self._processes and monotonic() < end:
            self._turn(min(0.1, max(0.0, end - monotonic())))
            self._reap()
        return len(self._signals) < 2

    def _end(self) -> int:
        """Kill what is left, and return the exit status."""
        for process in self._processes.values():
            os.kill(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)
        self._logs.event("info", "stopped", killed=len(self._processes))
        return 128 + self._signals[1] if len(self._signals) > 1 else 0
