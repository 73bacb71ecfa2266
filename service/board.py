"""Counters that all worker processes share: a page of memory mapped before they fork.

Each worker writes only in its own column, so there are no locks; the supervisor adds the columns up. A worker that is
replaced goes on in the column of the one that died, so that no counter ever falls.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left

from service.answer import REASONS

# Upper bounds in seconds (`le`), dense where the aims are: p50 under 1 ms, p99 under 5 ms.
BOUNDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
METHODS = ("GET", "HEAD", "OPTIONS", "other")
CLASSES = ("2xx", "4xx", "5xx")
ROUTES = ("/", "/health", "/livez", "/readyz", "/startupz", "/version", "/openapi.json", "/debug/ip", "other")

CONNECTIONS, ACCEPTED, ACCEPT_FAILED, LOGS_DROPPED, SPANS, SPANS_DROPPED, PID, TURNS, FIRST_ROUTE = range(9)

# A route's cells stand together, so that one look-up finds all of them: the time, the buckets, the requests. A route's
# number is that of its first bucket.
_BUCKETS = len(BOUNDS) + 1
_PER_ROUTE = 1 + _BUCKETS + len(METHODS) * len(CLASSES)
SIZE = FIRST_ROUTE + len(ROUTES) * _PER_ROUTE

_CLASS = {status: CLASSES.index({2: "2xx", 4: "4xx", 5: "5xx"}[status // 100]) for status in REASONS}
_METHOD = {method: _BUCKETS + number * len(CLASSES) for number, method in enumerate(METHODS)}
_ROUTE = {route: FIRST_ROUTE + 1 + number * _PER_ROUTE for number, route in enumerate(ROUTES)}
_OTHER_METHOD, _OTHER_ROUTE = _METHOD["other"], _ROUTE["other"]


class Board:
    """The shared memory: a column of unsigned 64-bit counters for each worker; and what the supervisor counts."""

    def __init__(self, workers: int) -> None:
        self.restarts = self.hangs = self.spans_sent = self.spans_dropped = 0
        self._memory = memoryview(mmap.mmap(-1, workers * SIZE * 8)).cast("Q")
        self.columns = [Column(self._memory[number * SIZE : (number + 1) * SIZE]) for number in range(workers)]

    def total(self, cell: int) -> int:
        """Return the sum of one cell over all workers."""
        return sum(column.cells[cell] for column in self.columns)


class Column:
    """One worker's counters."""

    __slots__ = ("cells",)

    def __init__(self, cells: memoryview[int]) -> None:
        self.cells = cells

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request. `route` and `method` are as the client wrote them: what is unknown becomes `other`."""
        cells, first = self.cells, _ROUTE.get(route, _OTHER_ROUTE)
        cells[first + _METHOD.get(method, _OTHER_METHOD) + _CLASS[status]] += 1
        cells[first + bisect_left(BOUNDS, seconds)] += 1
        cells[first - 1] += int(seconds * 1e9)

    def add(self, cell: int, amount: int) -> None:
        """Add to one of the plain cells."""
        self.cells[cell] += amount


def duration_cells() -> list[tuple[str, range, int]]:
    """Return every (route, the cells of its buckets, the cell of its time in nanoseconds)."""
    return [(route, range(first, first + _BUCKETS), first - 1) for route, first in _ROUTE.items()]


def request_cells() -> list[tuple[int, str, str, str]]:
    """Return every (cell, route, method, status class)."""
    cells = []
    for route, first in _ROUTE.items():
        for method, second in _METHOD.items():
            cells += [(first + second + third, route, method, name) for third, name in enumerate(CLASSES)]
    return cells
