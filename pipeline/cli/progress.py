"""Show what happens in a run: a live line for each running stage on a terminal, plain lines elsewhere, or JSON."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.cli.ending import tell
from pipeline.cli.events import Show, line
from pipeline.engine.run import Event


@contextmanager
def progress(*, as_json: bool) -> Iterator[Show]:
    """Give a function that shows events for as long as the block runs."""
    if as_json:
        yield _json
    elif sys.stderr.isatty():
        from pipeline.cli.screen import live  # noqa: PLC0415 - where there is no terminal, nobody waits for its imports

        with live() as show:
            yield show
    else:
        yield _plain


def _json(event: Event) -> None:
    line = {"event": event.kind, "stage": event.stage, "text": event.text, "seconds": round(event.seconds, 3)}
    tell(json.dumps(line), sys.stdout)


def _plain(event: Event) -> None:
    if event.kind != "started":
        tell(line(event), sys.stderr)
