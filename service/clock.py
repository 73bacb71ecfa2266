"""Write the time as RFC 3339 and as an HTTP date, computing the part that changes once a second only then."""

from __future__ import annotations

import time

DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


class Clock:
    """The current time in the two forms that answers and log lines need."""

    __slots__ = ("_prefix", "_second", "date", "now")

    def __init__(self) -> None:
        self._second = -1
        self._prefix = b""
        self.now = b""  # the last `timestamp()`
        self.date = b""  # the same as an IMF-fixdate, RFC 9110 section 5.6.7

    def timestamp(self) -> bytes:
        """Return the time in UTC with milliseconds, by RFC 3339 section 5.6: 2026-01-31T23:59:59.042Z."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._turn(second)
        self.now = b"%b.%03dZ" % (self._prefix, (now - second) * 1000)
        return self.now

    def _turn(self, second: int) -> None:
        year, month, day, hour, minute, rest, weekday, *_ = time.gmtime(second)
        clock = b"%02d:%02d:%02d" % (hour, minute, rest)
        self._second = second
        self._prefix = b"%04d-%02d-%02dT%b" % (year, month, day, clock)
        self.date = b"%b, %02d %b %04d %b GMT" % (DAYS[weekday], day, MONTHS[month - 1], year, clock)
