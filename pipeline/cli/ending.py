"""End a command: explain each failure, and turn what happened into an exit code."""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO

from pipeline.errors import PipelineError, UsageError, exit_code, flatten, told


class Stopped(BaseException):
    """SIGTERM arrived. Like `KeyboardInterrupt`, it is no `Exception`."""


class Unread(BaseException):
    """Nobody takes our output any longer. No stage may hold that for a failure of its own, so it is no `Exception`."""


def tell(text: str, stream: TextIO) -> None:
    """Print a line at once; raise `Unread`, with the reason unless the reader has just gone, when that fails."""
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        raise Unread from None
    except OSError as error:
        raise Unread(error.strerror) from None


def end(work: Callable[[], int], *, as_json: bool) -> int:
    """Do the work and return its exit code: that of the worst failure, 130 for SIGINT, 143 for SIGTERM, 141 unread."""
    code = _code(work, as_json=as_json)
    try:
        sys.stdout.flush()
    except OSError:  # it has been told; the interpreter would complain when it flushes once more
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _code(work: Callable[[], int], *, as_json: bool) -> int:
    try:
        code = work()
        sys.stdout.flush()
    except SystemExit:  # --help has said all that there is to say
        return 0
    except BaseException as raised:
        failures = flatten(raised)
    else:
        return code
    try:
        return _explained(failures, as_json=as_json)
    except (OSError, Unread) as unread:
        return _unread(unread)


def _explained(failures: Sequence[BaseException], *, as_json: bool) -> int:
    stops = [failure for failure in failures if isinstance(failure, KeyboardInterrupt | Stopped)]
    if stops:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever presses Ctrl-C once more gets no traceback for it
        kept = (
            stops[0].args[0] if stops[0].args else "finished stages are kept, and the same command goes on from there"
        )
        tell(f"stopped: {kept}", sys.stderr)
        return 128 + (signal.SIGINT if isinstance(stops[0], KeyboardInterrupt) else signal.SIGTERM)
    for failure in failures:
        if isinstance(failure, Unread | BrokenPipeError):
            return _unread(failure)
    for failure in failures:
        explain(failure, as_json=as_json)
    return exit_code(failures)


def _unread(failure: BaseException) -> int:
    """End as programs in a pipe do when the reader has gone; say it when it is the disk that takes no more."""
    if not failure.args or isinstance(failure, BrokenPipeError):
        return 128 + signal.SIGPIPE
    refused = UsageError(
        "the output cannot be written", why=str(failure).lower(), do="send it elsewhere; finished stages are kept"
    )
    with suppress(OSError):
        print(refused.explain(), file=sys.stderr)
    return refused.exit_code


def explain(failure: BaseException, *, as_json: bool) -> None:
    """Print one failure: for people on standard error, or as one line of JSON on standard output."""
    if not isinstance(failure, PipelineError):
        traceback.print_exception(failure, file=sys.stderr)
    if as_json:
        tell(json.dumps({"event": "error", **told(failure).as_json()}), sys.stdout)
    else:
        tell(told(failure).explain(), sys.stderr)
