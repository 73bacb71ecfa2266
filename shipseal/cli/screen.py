"""Draw the live part of a terminal."""

import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from shipseal import terminal_text
from shipseal.cli.ending import written_as_it_is
from shipseal.cli.events import Show, line
from shipseal.engine.run import Event
from shipseal.engine.stage import Stage

_SOON = 0.1  # seconds between two drawings that something new has caused
_STYLES = {"finished": "green", "kept": "cyan", "failed": "red"}


@contextmanager
def live_screen(stages: Collection[Stage] = ()) -> Iterator[Show]:
    """Give a function that shows events on a terminal for as long as the block runs.

    `stages` are those of the run, where it is known which they are: who waits for which of them is shown too.
    """
    screen = _Screen(stages)
    with Live(screen, console=screen.console, refresh_per_second=8, transient=True) as drawn:
        yield partial(_draw, screen, drawn)


@contextmanager
def bar() -> Iterator[tuple[Callable[[str], None], Callable[[str, int, int], None]]]:
    """Give what tells a line that stays, and what draws a bar below it, for as long as the block runs."""
    screen = _Screen(())
    with Live(screen, console=screen.console, refresh_per_second=8, transient=True) as drawn:
        yield (
            lambda text: screen.console.print(Text(terminal_text.line(text), overflow="fold")),
            lambda text, done, total: _draw(screen, drawn, Event("fetching", "progress", text, 0, (done, total))),
        )


def _draw(screen: "_Screen", drawn: Live, event: Event) -> None:
    """Show an event, and at once where the last drawing is old: what is over soon was seen all the same.

    That goes for the first word of a stage, and for a bar that is full, whenever the last drawing was.
    """
    full = event.count is not None and event.count[0] == event.count[1]
    first = event.kind in {"started", "progress"} and not screen.shows(event.stage)
    screen.show(event)
    if first or full or time.monotonic() - screen.drawn > _SOON:
        drawn.refresh()


@dataclass(frozen=True)
class _Running:
    began: float
    text: str = ""
    count: tuple[int, int] | None = None


class _Screen:
    """One line a running stage, redrawn with its elapsed time and with who waits for it."""

    def __init__(self, stages: Collection[Stage]) -> None:
        self._stages = stages
        self.console = Console(file=written_as_it_is(sys.stderr), highlight=False)
        self._running: dict[str, _Running] = {}
        self._ended: set[str] = set()
        self.drawn = 0.0

    def shows(self, stage: str) -> bool:
        """Tell whether a stage has a line."""
        return stage in self._running

    def show(self, event: Event) -> None:
        began = self._running[event.stage].began if self.shows(event.stage) else time.monotonic()
        if event.kind == "started":
            self._running[event.stage] = _Running(began)
        elif event.kind == "progress":
            self._running[event.stage] = _Running(began, event.text, event.count)
        else:
            self._running.pop(event.stage, None)
            self._ended.add(event.stage)
            self.console.print(Text(line(event), style=_STYLES[event.kind], overflow="fold"))

    def _line(self, name: str, now: float) -> str:
        running = self._running[name]
        waiting = [stage.name for stage in self._stages if self._first_needed(stage) == name]
        told = "".join((f"{drawn(*running.count)} " if running.count else "", terminal_text.line(running.text)))
        return f"{name:<8} {now - running.began:6.1f}s  …      {told}{_waiting(waiting)}"

    def _first_needed(self, stage: Stage) -> str:
        """Return what a stage waits for where that is one stage alone which runs, else nothing."""
        left = set(stage.after) - self._ended
        return left.pop() if len(left) == 1 and stage.name not in {*self._running, *self._ended} else ""

    def __rich__(self) -> Group:
        now = self.drawn = time.monotonic()
        lines = (self._line(name, now) for name in list(self._running))
        return Group(*(Text(each, style="yellow", overflow="ellipsis", no_wrap=True) for each in lines))


def drawn(done: int, total: int) -> str:
    """Return a bar of twenty characters."""
    full = min(20, 20 * done // total) if total > 0 else 0
    return f"[{'#' * full}{'-' * (20 - full)}]"


def _waiting(names: Sequence[str]) -> str:
    return f" ({', '.join(names)} wait{'s' if len(names) == 1 else ''})" if names else ""
