"""Tell the time in a zone that the client names, from the system's time zone data when the image has it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

MAX_QUERY = 200
ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", re.ASCII)  # no dot: no way up a directory


class UnknownZoneError(Exception):
    """The zone asked for cannot be told; the message is for the client."""


def zone_asked(query: str) -> str | None:
    """Return the name in `?tz=`, or None when the query has no tz.

    Raises:
        UnknownZoneError: tz is there twice, is too long, or is no possible name of a zone.
    """
    if len(query) > MAX_QUERY:
        raise UnknownZoneError("The query is too long.")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=10)
    except ValueError:  # UnicodeDecodeError is one
        raise UnknownZoneError("The query cannot be read.") from None
    zones = [value for name, value in pairs if name == "tz"]
    if len(zones) > 1:
        raise UnknownZoneError("Give tz once.")
    if zones and (len(zones[0]) > 50 or not ZONE.fullmatch(zones[0])):
        raise UnknownZoneError("Unknown time zone: tz is a name such as Europe/Berlin.")
    return zones[0] if zones else None


def local_time(zone: str) -> bytes:
    """Return the time in `zone` with milliseconds and its offset, by RFC 3339.

    Raises:
        UnknownZoneError: there is no such zone, or this image holds no time zone data.
    """
    try:
        from datetime import datetime  # noqa: PLC0415 both cost memory that most requests never need
        from zoneinfo import ZoneInfo  # noqa: PLC0415
    except ImportError:
        raise UnknownZoneError("Time zones are not available: this image holds no time zone data.") from None
    try:
        return datetime.now(ZoneInfo(zone)).isoformat(timespec="milliseconds").encode("ascii")
    except (KeyError, ValueError, OSError, ImportError):  # ImportError: of importlib.resources, in a trimmed image
        if zone == "UTC" or not _has_data():
            raise UnknownZoneError("Time zones are not available: this image holds no time zone data.") from None
        raise UnknownZoneError("Unknown time zone: tz is a name such as Europe/Berlin.") from None


def _has_data() -> bool:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415

    try:
        ZoneInfo("UTC")
    except (ZoneInfoNotFoundError, ImportError):
        return False
    return True
