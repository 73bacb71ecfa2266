"""Draw the live part of a terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pipeline import shown
from pipeline.cli.ending import written_as_it_is
from pipeline.cli.events import Show, line
from pipeline.engine.run import Event

_STYLES = {"finished": "green", "kept": "cyan", "failed": "red"}


@contextmanager
def live() -> Iterator[Show]:
    """Give a function that shows events on a terminal for as long as the block runs."""
    screen = _Screen()
    with Live(screen, console=screen.console, refresh_per_second=8, transient=True):
        yield screen.show


class _Screen:
    """One line a running stage, redrawn with its elapsed time."""

    def __init__(self) -> None:
        self.console = Console(file=written_as_it_is(sys.stderr), highlight=False)
        self._running: dict[str, tuple[float, str]] = {}

    def show(self, event: Event) -> None:
        if event.kind == "started":
            self._running[event.stage] = (time.monotonic(), "")
        elif event.kind == "progress":
            began = self._running.get(event.stage, (time.monotonic(), ""))[0]
            self._running[event.stage] = (began, event.text)
        else:
            self._running.pop(event.stage, None)
            self.console.print(Text(line(event), style=_STYLES[event.kind], overflow="fold"))

    def __rich__(self) -> Group:
        now = time.monotonic()
        return Group(
            *(
                Text(
                    f"{name:<8} {now - began:6.1f}s  …      {shown.line(text)}",
                    style="yellow",
                    overflow="ellipsis",
                    no_wrap=True,
                )
                for name, (began, text) in self._running.items()
            )
        )
