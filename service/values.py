"""What a setting is, and functions that read the text of one: a value, or `ValueError` with what is expected."""

from __future__ import annotations

from service.cpus import available_cpus

TYPE_CHECKING = False  # `typing` costs 1.2 MB of memory at run time
if TYPE_CHECKING:
    from collections.abc import Callable

SWITCH = {"1": True, "on": True, "true": True, "yes": True, "0": False, "off": False, "false": False, "no": False}


class Option:
    """One environment variable: its default, how it is read, its line in `--help`, and whether an error may show it."""

    __slots__ = ("default", "meaning", "name", "read", "shown")

    def __init__(
        self, name: str, default: str, read: Callable[[str], object], meaning: str, *, shown: bool = True
    ) -> None:
        self.name, self.default, self.read, self.meaning, self.shown = name, default, read, meaning, shown


def text(raw: str) -> str:
    """Read a short text."""
    if len(raw) > 200 or not raw.isascii() or not raw.isprintable():
        raise ValueError("expected up to 200 printable ASCII characters")
    return raw


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number in these bounds."""

    def read(raw: str) -> int:
        if not (raw.isascii() and raw.isdigit()) or not low <= int(raw[:12]) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(raw)

    return read


def seconds(low: float, high: float, *, off: bool = False) -> Callable[[str], float]:
    """Return what reads seconds in these bounds, or 0 where that switches something off."""

    def read(raw: str) -> float:
        value = _number(raw)
        if not (low <= value <= high or (off and value == 0)):
            raise ValueError(f"expected {'0 or ' * off}seconds from {low:g} to {high:g}")
        return value

    return read


def choice(*words: str) -> Callable[[str], str]:
    """Return what reads one of these words, in lower case."""

    def read(raw: str) -> str:
        if raw.lower() not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return raw.lower()

    return read


def switch(raw: str) -> bool:
    """Read on or off."""
    try:
        return SWITCH[raw.lower()]
    except KeyError:
        raise ValueError("expected on or off") from None


def port_or_off(raw: str) -> int | None:
    """Read a port, or None for `off`."""
    return None if raw.lower() == "off" else whole(0, 65535)(raw)


def workers(raw: str) -> int:
    """Read a number of workers; `auto` is one for each CPU."""
    return available_cpus() if raw.lower() == "auto" else whole(1, 64)(raw)


def share(*, words: bool = False) -> Callable[[str], float]:
    """Return what reads a share from 0 to 1, or on for 1 and off for 0 where words may say it."""

    def read(raw: str) -> float:
        value = float(SWITCH[raw.lower()]) if words and raw.lower() in SWITCH else _number(raw)
        if not 0 <= value <= 1:
            raise ValueError(f"expected {'on, off or ' * words}a share from 0 to 1")
        return value

    return read


def _number(raw: str) -> float:
    """Read a number; what is none is -1, which no setting allows."""
    try:
        return float(raw)
    except ValueError:
        return -1
