"""End a command: explain each failure, and turn what happened into an exit code."""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any, TextIO

from shipseal import terminal_text
from shipseal.cli.on_github import explain as explain_on_github
from shipseal.errors import ShipsealError, Stopped, UsageError, as_shipseal_error, exit_code, flatten


class Unread(BaseException):
    """Nobody takes our output any longer. No stage may hold that for a failure of its own, so it is no `Exception`."""


@dataclass(frozen=True)
class Output:
    """A stream that raises `Unread`, with the reason unless its reader has just gone, whoever prints to it."""

    stream: TextIO

    def write(self, text: str) -> int:
        """Write, as files do."""
        with _heard():
            return self.stream.write(text)

    def flush(self) -> None:
        """Flush, as files do."""
        with _heard():
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        """Be the stream itself for all else."""
        return getattr(self.stream, name)


@dataclass(frozen=True)
class EscapingStream:
    """A stream on which all is text that can be seen: whatever is printed moves no cursor and starts no command."""

    stream: Output

    def write(self, text: str) -> int:
        """Write, as files do."""
        self.stream.write("\n".join(terminal_text.line(line) for line in text.split("\n")))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        """Be the stream itself for all else."""
        return getattr(self.stream, name)


def written_as_it_is(stream: Any) -> Any:
    """Return what takes the control characters of a terminal, for whoever draws on one."""
    return stream.stream if isinstance(stream, EscapingStream) else stream


@contextmanager
def _heard() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise Unread from None
    except OSError as error:
        raise Unread(error.strerror) from None


def tell(text: str, stream: TextIO) -> None:
    """Print a line at once."""
    print(text, file=stream, flush=True)


def end(work: Callable[[], int], *, as_json: bool) -> int:
    """Do the work and return its exit code: that of the worst failure, 130 for SIGINT, 143 for SIGTERM, 141 unread."""
    with redirect_stdout(EscapingStream(Output(sys.stdout))), redirect_stderr(EscapingStream(Output(sys.stderr))):
        code = _code(work, as_json=as_json)
    try:
        sys.stdout.flush()
    except OSError:  # it has been told; the interpreter would complain when it flushes once more
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _code(work: Callable[[], int], *, as_json: bool) -> int:
    try:
        code = _done(work)
        sys.stdout.flush()
    except BaseException as raised:
        failures = flatten(raised)
    else:
        return code
    try:
        return _explained(failures, as_json=as_json)
    except Unread as unread:
        return _unread(unread)


def _done(work: Callable[[], int]) -> int:
    try:
        return work()
    except SystemExit:  # --help has said all that there is to say
        return 0


def _explained(failures: Sequence[BaseException], *, as_json: bool) -> int:
    stops = [failure for failure in failures if isinstance(failure, KeyboardInterrupt | Stopped)]
    if stops:
        for number in (signal.SIGINT, signal.SIGTERM):  # whoever stops us once more gets no traceback for it
            signal.signal(number, signal.SIG_IGN)
        kept = (
            stops[0].args[0] if stops[0].args else "finished stages are kept, and the same command goes on from there"
        )
        tell(f"stopped: {kept}", sys.stderr)
        return 128 + (signal.SIGINT if isinstance(stops[0], KeyboardInterrupt) else signal.SIGTERM)
    for failure in failures:
        if isinstance(failure, Unread):
            return _unread(failure)
    for failure in failures:
        explain(failure, as_json=as_json)
    return exit_code(failures)


def _unread(failure: Unread) -> int:
    """End as programs in a pipe do when the reader has gone; say it when it is the disk that takes no more."""
    if not failure.args:
        return 128 + signal.SIGPIPE
    refused = UsageError(
        "the output cannot be written", why=str(failure).lower(), remedy="send it elsewhere; finished stages are kept"
    )
    with suppress(Unread):
        print(refused.explain(), file=sys.stderr)
    return refused.exit_code


def explain(failure: BaseException, *, as_json: bool) -> None:
    """Print one failure: for people on standard error, or as one line of JSON on standard output."""
    explain_on_github(failure)
    if not isinstance(failure, ShipsealError):
        traceback.print_exception(failure, file=sys.stderr)
    if as_json:
        tell(json.dumps({"event": "error", **as_shipseal_error(failure).as_json()}), sys.stdout)
    else:
        tell(as_shipseal_error(failure).explain(), sys.stderr)
