"""Read an Accept header (RFC 9110 section 12.5.1): does the client want text more than JSON?"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 256  # what is remembered; browsers send about a hundred
MOST = 1000
QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?", re.ASCII)  # section 12.4.2
OURS = frozenset({"charset=utf-8", 'charset="utf-8"'})  # the parameters of what the service sends


def prefers_text(accept: str) -> bool:
    """Say whether an Accept header asks for text/plain more than for JSON, which is what a tie gives."""
    return _remembered(accept) if len(accept) <= LONGEST else _prefers_text(accept)


def _prefers_text(accept: str) -> bool:
    if len(accept) > MOST:
        accept = accept[:MOST].rpartition(",")[0]  # the cut range is not a range
    ranges = [_range(part) for part in accept.lower().split(",")]
    return _quality(ranges, "text/plain") > _quality(ranges, "application/json")


_remembered = lru_cache(maxsize=64)(_prefers_text)


def _range(part: str) -> tuple[str, int, float]:
    """Return a range's type, how many parameters it has, and its quality; nothing of ours is in a type of no name."""
    media, *parameters = (word.strip(" \t") for word in part.split(";"))
    quality, count = 1.0, 0
    for parameter in parameters:
        if parameter.startswith("q="):
            value = QUALITY.fullmatch(parameter[2:])
            quality = float(value[0]) if value else 0.0
            break
        if parameter:
            count += 1
            media = media if parameter in OURS else ""
    return media, count, quality


def _quality(ranges: list[tuple[str, int, float]], media: str) -> float:
    """Return the quality of the most specific range that holds `media`: 0 when none does."""
    for name in (media, media.partition("/")[0] + "/*", "*/*"):
        found = [(count, quality) for one, count, quality in ranges if one == name]
        if found:
            return max(found)[1]
    return 0.0
