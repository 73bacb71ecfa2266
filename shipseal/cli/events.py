"""Write what happens in a run as a line for people."""

from collections.abc import Callable

from shipseal import terminal_text
from shipseal.engine.run import Event

Show = Callable[[Event], None]

_MARKS = {"finished": "ok", "kept": "kept", "failed": "FAILED"}


def line(event: Event) -> str:
    """Return an event as people read it."""
    return f"{event.stage:<8} {event.seconds:6.1f}s  {_MARKS.get(event.kind, ''):<6} {terminal_text.line(event.text)}"
