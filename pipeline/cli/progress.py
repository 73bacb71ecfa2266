"""Show what happens in a run: a live line for each running stage on a terminal, plain lines elsewhere, or JSON."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pipeline.cli.ending import tell
from pipeline.run import Event

_MARKS = {"finished": ("ok", "green"), "kept": ("kept", "cyan"), "failed": ("FAILED", "red")}

Show = Callable[[Event], None]


@contextmanager
def progress(*, as_json: bool) -> Iterator[Show]:
    """Give a function that shows events for as long as the block runs."""
    if as_json:
        yield _json
    elif sys.stderr.isatty():
        screen = _Screen()
        with Live(screen, console=screen.console, refresh_per_second=8, transient=True):
            yield screen.show
    else:
        yield _plain


def _json(event: Event) -> None:
    line = {"event": event.kind, "stage": event.stage, "text": event.text, "seconds": round(event.seconds, 3)}
    tell(json.dumps(line), sys.stdout)


def _plain(event: Event) -> None:
    if event.kind != "started":
        tell(_line(event), sys.stderr)


def _line(event: Event) -> str:
    mark = _MARKS.get(event.kind, ("", ""))[0]
    return f"{event.stage:<8} {event.seconds:6.1f}s  {mark:<6} {event.text}"


class _Screen:
    """The live part of a terminal: one line a running stage, redrawn with its elapsed time."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._running: dict[str, tuple[float, str]] = {}

    def show(self, event: Event) -> None:
        if event.kind == "started":
            self._running[event.stage] = (time.monotonic(), "")
        elif event.kind == "progress":
            began = self._running.get(event.stage, (time.monotonic(), ""))[0]
            self._running[event.stage] = (began, event.text)
        else:
            self._running.pop(event.stage, None)
            self.console.print(Text(_line(event), style=_MARKS[event.kind][1], overflow="fold"))

    def __rich__(self) -> Group:
        now = time.monotonic()
        return Group(
            *(
                Text(f"{name:<8} {now - began:6.1f}s  …      {text}", style="yellow", overflow="ellipsis", no_wrap=True)
                for name, (began, text) in self._running.items()
            )
        )
