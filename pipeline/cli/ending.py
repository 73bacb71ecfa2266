"""End a command: explain each failure, and turn what happened into an exit code."""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO

from pipeline.errors import PipelineError, exit_code, flatten, told

_UNREAD = 128 + signal.SIGPIPE


class Stopped(BaseException):
    """SIGTERM arrived. Like `KeyboardInterrupt`, it is no `Exception`."""


class Unread(BaseException):
    """Whoever read our output has gone. No stage may take it for a failure of its own, so it is no `Exception`."""


def tell(text: str, stream: TextIO) -> None:
    """Print a line at once; raise `Unread` when nobody reads any longer."""
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        raise Unread from None


def end(work: Callable[[], int], *, as_json: bool) -> int:
    """Do the work and return its exit code: that of the worst failure, 130 for SIGINT, 143 for SIGTERM, 141 unread."""
    code = _code(work, as_json=as_json)
    try:
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError):  # or the interpreter would complain when it flushes once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"error: standard output cannot be written: {error.strerror}", file=sys.stderr)
        return code or _UNREAD
    return code


def _code(work: Callable[[], int], *, as_json: bool) -> int:
    try:
        return work()
    except BaseException as raised:
        failures = flatten(raised)
    try:
        return _explained(failures, as_json=as_json)
    except (BrokenPipeError, Unread):
        return _UNREAD


def _explained(failures: Sequence[BaseException], *, as_json: bool) -> int:
    stops = [failure for failure in failures if isinstance(failure, KeyboardInterrupt | Stopped)]
    if stops:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever presses Ctrl-C once more gets no traceback for it
        tell("stopped: finished stages are kept, and the same command goes on from there", sys.stderr)
        return 128 + (signal.SIGINT if isinstance(stops[0], KeyboardInterrupt) else signal.SIGTERM)
    if any(isinstance(failure, Unread | BrokenPipeError) for failure in failures):
        return _UNREAD
    for failure in failures:
        explain(failure, as_json=as_json)
    return exit_code(failures)


def explain(failure: BaseException, *, as_json: bool) -> None:
    """Print one failure: for people on standard error, or as one line of JSON on standard output."""
    if not isinstance(failure, PipelineError):
        traceback.print_exception(failure, file=sys.stderr)
    if as_json:
        tell(json.dumps({"event": "error", **told(failure).as_json()}), sys.stdout)
    else:
        tell(told(failure).explain(), sys.stderr)
