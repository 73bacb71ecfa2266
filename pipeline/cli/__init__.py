"""The command line: the only place that prints and exits.

One file a verb. A verb's module has `add(verbs)`, which describes its arguments and sets `verb` to the function that
does the work and returns the exit code.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import cast

from pipeline.cli import cost, db, doctor, dry_run, release, stage, store, update_locks, verify
from pipeline.cli.ending import end

_VERBS = (dry_run, release, stage, store, verify, doctor, db, cost, update_locks)

Verb = Callable[[argparse.Namespace], int]


def parser() -> argparse.ArgumentParser:
    """Describe the whole command line."""
    top = argparse.ArgumentParser(
        prog="pipeline",
        description="Build, scan, judge, sign, publish, read back and verify one image; deploy exactly those bytes.",
        epilog="Exit codes: 0 done, 1 a bug, 2 usage, 3 denied by policy, 4 a tool failed, 5 a remote failed, "
        "6 a verification failed, 7 the project under build is at fault, 130 and 143 stopped by a signal.",
    )
    verbs = top.add_subparsers(dest="name", required=True, metavar="VERB")
    for module in _VERBS:
        module.add(verbs)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code, every failure explained on standard error."""
    options = parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    return end(lambda: cast(Verb, options.verb)(options), as_json=getattr(options, "json", False))
