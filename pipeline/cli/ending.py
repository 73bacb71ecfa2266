"""End a command: explain each failure, and turn what happened into an exit code."""

import json
import signal
import sys
import traceback
from collections.abc import Callable

from pipeline.errors import PipelineError, exit_code, flatten


class Stopped(BaseException):
    """SIGTERM arrived. Like `KeyboardInterrupt`, it is no `Exception`."""


def end(work: Callable[[], int], *, as_json: bool) -> int:
    """Do the work and return its exit code: that of the worst failure, 130 for SIGINT, 143 for SIGTERM."""
    try:
        return work()
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except BaseException as raised:
        failures = flatten(raised)
    stops = [failure for failure in failures if isinstance(failure, KeyboardInterrupt | Stopped)]
    if stops:
        print("stopped: finished stages are kept, and the same command goes on from there", file=sys.stderr)
        return 128 + (signal.SIGINT if isinstance(stops[0], KeyboardInterrupt) else signal.SIGTERM)
    for failure in failures:
        explain(failure, as_json=as_json)
    return exit_code(failures)


def explain(failure: BaseException, *, as_json: bool) -> None:
    """Print one failure: for people on standard error, or as one line of JSON on standard output."""
    if not isinstance(failure, PipelineError):
        traceback.print_exception(failure, file=sys.stderr)
        print("error: this is a bug in the pipeline; please report it with the lines above", file=sys.stderr)
    if as_json:
        value = failure.as_json() if isinstance(failure, PipelineError) else {"error": "bug", "what": str(failure)}
        print(json.dumps({"event": "error", **value}), flush=True)
    elif isinstance(failure, PipelineError):
        print(failure.explain(), file=sys.stderr)
