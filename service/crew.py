"""The workers, as their supervisor sees them: start them, replace one that dies or hangs, order, and end them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from time import monotonic

from service.board import CONNECTIONS, PID, TURNS
from service.process import Process
from service.worker import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from service.board import Board
    from service.logs import Logs
    from service.settings import Settings

EARLY = 1.0  # a worker that lived shorter than this many seconds, or could not start, is started only after as many


class Crew:
    """The processes that answer, each with a number, a listening socket, and a column of the board."""

    def __init__(
        self,
        settings: Settings,
        listeners: list[socket.socket],
        board: Board,
        logs: Logs,
        leave: Callable[[], None],
        spans: int | None = None,
    ) -> None:
        """Make a crew without members.

        Args:
            settings: what the operator chose.
            listeners: one socket for each worker.
            board: where they count.
            logs: the supervisor's.
            leave: is called in each new one, and closes what is the supervisor's.
            spans: the pipe that takes their spans, if there is any.
        """
        self.processes: dict[int, Process] = {}  # by the worker's number
        self._settings, self._listeners, self._board, self._logs = settings, listeners, board, logs
        self._leave, self._spans = leave, spans
        self._missing: dict[int, float] = {}  # when to start a worker again, by its number
        self._orders = b""
        self._looked = monotonic()

    def start(self, number: int) -> None:
        """Start a worker, and give it the orders that the others got.

        Raises:
            OSError: there are no more descriptors, processes or memory.
        """
        reading, writing = os.pipe()
        os.write(writing, self._orders)  # before there is a worker, which may be quicker than this process is
        try:
            pid = os.fork()
        except OSError:
            os.close(writing)
            os.close(reading)
            raise
        if pid == 0:
            self._be_worker(number, reading, writing)
        os.close(reading)
        self.processes[number] = Process(pid, writing)

    def _be_worker(self, number: int, reading: int, writing: int) -> None:
        """Leave behind what is the supervisor's and the other workers', serve, and exit: this never returns."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            self._leave()
            for descriptor in (writing, *(process.control for process in self.processes.values())):
                os.close(descriptor)
            for other, listener in enumerate(self._listeners):
                if other != number:  # a copy would keep its queue open, and nobody would take from it
                    listener.close()
            column = self._board.columns[number]
            Worker(self._settings, self._listeners[number], reading, column, self._spans).run()
            status = 0
        except Exception as problem:
            self._logs.event("error", "worker failed", problem=type(problem).__name__, detail=str(problem)[:300])
        finally:
            os._exit(status)

    def watch(self) -> None:
        """Kill a worker whose loop has stood still for too long; it is replaced like any that dies."""
        now, settings = monotonic(), self._settings
        seconds = min(now - self._looked, settings.pulse)  # more means that the supervisor was paused too
        self._looked = now
        for number, process in self.processes.items():
            process.watch(self._board.columns[number].cells[TURNS], seconds)
            if 0 < settings.watchdog_seconds < process.silent and not process.killed:
                process.killed = True
                self._board.hangs += 1
                self._logs.event(
                    "error", "worker hung", worker=number, pid=process.pid, seconds=round(process.silent, 1)
                )
                os.kill(process.pid, signal.SIGKILL)

    def replace(self) -> None:
        """Start a worker for each that ended: at once, or when `EARLY` is over."""
        for number, process, status in self.reap():
            self._board.restarts += 1
            if not process.killed:
                self._logs.event("error", "worker died", worker=number, pid=process.pid, status=status)
            self._missing[number] = process.since + EARLY
        for number, due in list(self._missing.items()):
            if monotonic() < due:
                continue
            try:
                self.start(number)
                del self._missing[number]
            except OSError as problem:
                self._logs.event("error", "worker cannot start", worker=number, problem=problem.strerror)
                self._missing[number] = monotonic() + EARLY

    def pause(self) -> float:
        """Return for how many seconds there is nothing to do here, unless a worker ends."""
        return max(0.0, min([self._settings.pulse, *(due - monotonic() for due in self._missing.values())]))

    def reap(self) -> list[tuple[int, Process, int]]:
        """Return (number, process, status) of workers that ended; as PID 1, reap strangers too."""
        ended: list[tuple[int, Process, int]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if not pid:
                return ended
            for number, process in list(self.processes.items()):
                if process.pid == pid:
                    os.close(process.control)
                    cells = self._board.columns[number].cells
                    cells[PID] = cells[CONNECTIONS] = 0
                    ended.append((number, self.processes.pop(number), os.waitstatus_to_exitcode(status)))

    def order(self, order: bytes) -> None:
        """Tell all workers something, and those to come."""
        self._orders += order
        for process in self.processes.values():
            with suppress(OSError):  # it died a moment ago
                os.write(process.control, order)

    def kill(self) -> int:
        """End what is left of the workers; return how many there were."""
        for process in self.processes.values():
            os.kill(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)
        return len(self.processes)
