"""Write a time, and read one: RFC 3339, always with its zone. Pure."""

from datetime import datetime

from shipseal.errors import VerificationFailed


def timestamp(moment: datetime) -> str:
    """Return a time as RFC 3339, in UTC and whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: str) -> datetime:
    """Read a time with its zone (RFC 3339), as scanners write it; raise `VerificationFailed` on anything else."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise VerificationFailed(f"not a time: {text[:100]}", why=str(error)) from error
    if time.tzinfo is None:
        raise VerificationFailed(f"a time without its zone: {text[:100]}")
    return time
