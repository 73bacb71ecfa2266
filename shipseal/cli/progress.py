"""Show what happens in a run: a live line for each running stage on a terminal, plain lines elsewhere, or JSON."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shipseal.cli.ending import tell
from shipseal.cli.events import Show, line
from shipseal.cli.options import say
from shipseal.engine.run import Event
from shipseal.engine.schedule import wanted
from shipseal.engine.table import TABLE
from shipseal.locked.arriving import Count

_EVERY = 5  # seconds


@contextmanager
def progress(options: argparse.Namespace) -> Iterator[Show]:
    """Give a function that shows events for as long as the block runs, as --json and --quiet ask for it."""
    if options.json:
        yield _sparse(_json)
    elif options.quiet:
        yield _nothing
    elif sys.stderr.isatty():
        from shipseal.cli.screen import live_screen  # noqa: PLC0415 - where there is no terminal, nobody waits for its imports

        with live_screen(wanted(TABLE, *options.to.split(",")) if "to" in options else ()) as show:
            yield show
    else:
        yield _sparse(_plain)


@contextmanager
def downloads(options: argparse.Namespace) -> Iterator[tuple[Callable[[str], None], Count | None]]:
    """Give what tells a line, and on a terminal what draws a bar, of what is fetched while the block runs."""
    if options.json or options.quiet or not sys.stderr.isatty():
        yield say(options), None
        return
    from shipseal.cli.screen import bar  # noqa: PLC0415 - as above

    with bar() as drawing:
        yield drawing


def _sparse(show: Show) -> Show:
    """Show of what is counted, for each stage, a line now and then: a bar moves more often."""
    told: dict[str, float] = {}

    def sparsely(event: Event) -> None:
        if event.count and event.count[0] < event.count[1]:
            if time.monotonic() - told.get(event.stage, 0) < _EVERY:
                return
            told[event.stage] = time.monotonic()
        show(event)

    return sparsely


def _nothing(_: Event) -> None:
    """Show nothing: a failure is told at the end, and its reason with it."""


def _json(event: Event) -> None:
    line = {"event": event.kind, "stage": event.stage, "text": event.text, "seconds": round(event.seconds, 3)}
    count = {"done": event.count[0], "total": event.count[1]} if event.count else {}
    tell(json.dumps({**line, **count}), sys.stdout)


def _plain(event: Event) -> None:
    if event.kind != "started":
        tell(line(event), sys.stderr)
