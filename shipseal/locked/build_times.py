"""Say about how long builds take: as long as they did on this machine, else as long as is said beside the lock."""

import math
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shipseal.disk import text_of
from shipseal.locked.store import Store

SHIPPED = "build-seconds.toml"
_OWN = "build-seconds"
_LONGEST = 86_400  # seconds; more is nonsense
_MINUTE = 60
_CACHED = 4  # times faster than is known


@dataclass(frozen=True)
class Times:
    """Seconds by the name of a tool; a tool without any is one that nobody knows."""

    seconds: Mapping[str, float]

    @classmethod
    def read(cls, sources: Path, store: Store, names: Iterable[str]) -> Self:
        """Return the times of tools; what cannot be read is not known, for nothing depends on it.

        Args:
            sources: the directory with what comes with the lock.
            store: keeps what was noted on this machine.
            names: of the tools.
        """
        said: Mapping[str, object] = {}
        with suppress(OSError, ValueError):
            said = tomllib.loads(text_of(sources / SHIPPED))
        found = {}
        for name in names:
            for each in (_noted(store, name), said.get(name)):
                if isinstance(each, int | float) and 0 < each < _LONGEST:
                    found[name] = float(each)
                    break
        return cls(found)

    def left(self, names: Iterable[str], spent: float = 0, at_once: int = 1) -> str:
        """Return about how long tools take in all, in words; nothing where one of them is not known."""
        wanted = list(names)
        if not all(name in self.seconds for name in wanted):
            return ""
        whole = sum(self.seconds[name] for name in wanted) / at_once - spent
        return about(whole) if whole > 0 else "soon"

    def note(self, store: Store, name: str, seconds: float) -> None:
        """Note how long a tool took, for the next time; but not where most of it was compiled already."""
        if seconds < self.seconds.get(name, 0) / _CACHED:
            return
        with store.writing("how long a build took"):
            directory = store.root / _OWN
            directory.mkdir(exist_ok=True)
            (directory / name).write_text(f"{seconds:.0f}\n", encoding="ascii")


def about(seconds: float) -> str:
    """Return a time as people say it: to five seconds, or to the minute."""
    if seconds < 2 * _MINUTE:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    return f"about {round(seconds / _MINUTE)} min"


def _noted(store: Store, name: str) -> float | None:
    with suppress(OSError, ValueError):
        seconds = float(text_of(store.root / _OWN / name)[:20])
        return max(seconds, 1) if math.isfinite(seconds) else None
    return None
