"""Know until when a registry wants to be asked nothing more, by the headers of an answer with the status 429. Pure.

`Retry-After` is RFC 9110, section 10.2.3; the others are Docker Hub's ("Usage and rate limits"), and those of the draft
"RateLimit header fields for HTTP". Whoever answers may have written anything there.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_TOLD = re.compile(r"status code 429\b|\btoo ?many ?requests\b", re.IGNORECASE)
_STATUS = re.compile(r'^< Response Status: "(\d{3})')
_HEADER = re.compile(r'^ {3}"([A-Za-z0-9-]{1,64})": "([^"]{0,200})"$')
_NAMES = ("retry-after", "x-retry-after", "ratelimit-reset", "x-ratelimit-reset")  # the first of them counts
_POINT = 1_000_000_000  # what is no less is a point of time (Docker Hub), and no number of seconds
_MOST = 365 * 24 * 3600  # seconds; more is taken for that
UNSAID = 30.0
"""Seconds until the next attempt where a registry does not say how long."""


def is_throttled(said: Iterable[str]) -> bool:
    """Say whether ORAS's last words are that the registry has had too many requests."""
    return any(_TOLD.search(line) for line in said)


def until(trace: Iterable[str], now: datetime) -> datetime | None:
    """Return until when a registry wants to wait.

    Args:
        trace: the lines of ORAS's `--debug`, which have the headers of each answer.
        now: the time, with its zone.

    Returns:
        None where its last answer with the status 429 does not say.
    """
    found: dict[str, str] = {}
    throttled = False
    for line in trace:
        if status := _STATUS.match(line):
            throttled = status[1] == "429"
            found = {} if throttled else found
        elif throttled and (header := _HEADER.match(line)):
            found.setdefault(header[1].lower(), header[2])
    points = (_point(found[name], now) for name in _NAMES if name in found)
    return next((point for point in points if point), None)


def _point(text: str, now: datetime) -> datetime | None:
    """Return the point of time that a header names, never one that has been: a date, or a number of seconds."""
    text = text.strip()
    if re.fullmatch(r"\d{1,15}", text):
        seconds = int(text)
        if seconds >= _POINT:
            seconds -= int(now.timestamp())
        return now + timedelta(seconds=min(max(seconds, 0), _MOST))
    try:
        point = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    point = point if point.tzinfo else point.replace(tzinfo=UTC)
    return min(max(point, now), now + timedelta(seconds=_MOST))
