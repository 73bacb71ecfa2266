"""Write the counters in the Prometheus text format, version 0.0.4; only the supervisor does."""

from __future__ import annotations

import os
import sys

from service import __version__
from service.answer import Answer, Renderer, problem
from service.board import (
    ACCEPT_FAILED,
    ACCEPTED,
    BOUNDS,
    CONNECTIONS,
    LOGS_DROPPED,
    PID,
    SPANS,
    SPANS_DROPPED,
    Board,
    duration_cells,
    request_cells,
)
from service.clock import Clock
from service.exchange import CLOSE, ERRORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from service.handlers import Request
    from service.settings import Settings

FORMAT = b"text/plain; version=0.0.4; charset=utf-8"
NAME = "simpletimeservice"
LE = (*(f"{bound:g}" for bound in BOUNDS), "+Inf")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class MetricsExchange:
    """Answers the metrics port: /metrics, and nothing else."""

    def __init__(self, settings: Settings, board: Board) -> None:
        self._settings, self._board = settings, board
        self._clock = Clock()
        self._renderer = Renderer()

    def respond(self, request: Request, _version: str, _started: float) -> tuple[bytes, bool]:
        """Answer a good request; the connection is closed after it, for a scrape comes every few seconds."""
        if request.path != "/metrics":
            answer = problem(404, "There is nothing here but /metrics.")
        elif request.method not in {"GET", "HEAD"}:
            answer = problem(405, "Use GET or HEAD.", b"Allow: GET, HEAD\r\n")
        else:
            answer = Answer(200, self.text().encode("ascii"), FORMAT)
        return self._render(answer, request.method), True

    def refuse(self, status: int, _peer: str, _started: float) -> bytes:
        """Answer a request that could not be parsed."""
        return self._render(ERRORS.get(status, ERRORS[400]), "GET")

    def _render(self, answer: Answer, method: str) -> bytes:
        self._clock.timestamp()
        return self._renderer.render(answer, self._clock.date, b"", CLOSE, method)

    def text(self) -> str:
        """Return all metrics."""
        lines: list[str] = []
        for family in (self._requests, self._durations, self._plain, self._spans, self._processes, self._build):
            lines += family()
        return "\n".join(lines) + "\n"

    def _requests(self) -> list[str]:
        """Return every series from the start, at zero: of one that begins at one, `rate` misses the first error."""
        name = f"{NAME}_http_requests_total"
        lines = _family(name, "counter", "Requests answered, by route, method and status class.")
        for cell, route, method, status in request_cells():
            value = self._board.total(cell)
            lines.append(f'{name}{{route="{route}",method="{method}",status="{status}"}} {value}')
        return lines

    def _durations(self) -> list[str]:
        name, total = f"{NAME}_http_request_duration_seconds", self._board.total
        lines = _family(name, "histogram", "From a request's last byte readable to its response made, by route.")
        for route, buckets, nanoseconds in duration_cells():
            count, label = 0, f'route="{route}"'
            for bound, cell in zip(LE, buckets, strict=True):
                count += total(cell)
                lines.append(f'{name}_bucket{{{label},le="{bound}"}} {count}')
            lines += [f"{name}_sum{{{label}}} {total(nanoseconds) / 1e9:.9f}", f"{name}_count{{{label}}} {count}"]
        return lines

    def _plain(self) -> list[str]:
        total = self._board.total
        pids = [column.cells[PID] for column in self._board.columns]
        return [
            *_single(
                "http_connections_active", "gauge", "Connections open, as of the last second.", total(CONNECTIONS)
            ),
            *_single("http_connections_total", "counter", "Connections accepted.", total(ACCEPTED)),
            *_single("accept_failures_total", "counter", "Pauses for want of descriptors.", total(ACCEPT_FAILED)),
            *_single("log_lines_dropped_total", "counter", "Log lines that nobody read in time.", total(LOGS_DROPPED)),
            *_single("workers", "gauge", "Worker processes that run.", sum(map(bool, pids))),
            *_single("worker_restarts_total", "counter", "Worker processes replaced.", self._board.restarts),
            *_single("worker_hangs_total", "counter", "Worker processes killed by the watchdog.", self._board.hangs),
        ]

    def _spans(self) -> list[str]:
        board = self._board
        dropped = board.total(SPANS_DROPPED)
        return [
            *_single("spans_total", "counter", "Spans of traced requests.", board.total(SPANS) + dropped),
            *_single("spans_sent_total", "counter", "Spans that the receiver took.", board.spans_sent),
            *_single(
                "spans_dropped_total", "counter", "Spans nobody took in time, or at all.", dropped + board.spans_dropped
            ),
        ]

    def _processes(self) -> list[str]:
        pids = {"supervisor": os.getpid()}
        pids.update({f"worker-{n}": column.cells[PID] for n, column in enumerate(self._board.columns)})
        used = {name: _usage(pid) for name, pid in pids.items() if pid}
        lines = _family("process_cpu_seconds_total", "counter", "CPU time, user and system.")
        lines += [f'process_cpu_seconds_total{{process="{name}"}} {cpu:.2f}' for name, (cpu, _) in used.items()]
        lines += _family("process_resident_memory_bytes", "gauge", "Resident memory, shared pages included.")
        return lines + [f'process_resident_memory_bytes{{process="{name}"}} {rss}' for name, (_, rss) in used.items()]

    def _build(self) -> list[str]:
        revision = self._settings.revision.replace("\\", r"\\").replace('"', r"\"")
        python = ".".join(map(str, sys.version_info[:3]))
        labels = f'version="{__version__}",revision="{revision}",python="{python}"'
        name = f"{NAME}_build_info"
        return [*_family(name, "gauge", "What is running; the value is always 1."), f"{name}{{{labels}}} 1"]


def _family(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _single(name: str, kind: str, text: str, value: int) -> list[str]:
    return [*_family(f"{NAME}_{name}", kind, text), f"{NAME}_{name} {value}"]


def _usage(pid: int) -> tuple[float, int]:
    """Return CPU seconds and resident bytes of a process, by proc(5); zeros when there is no /proc."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:  # noqa: PTH123 pathlib costs 0.4 MB of memory
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0
    return (int(fields[11]) + int(fields[12])) / TICKS, int(fields[21]) * PAGE
