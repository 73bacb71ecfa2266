"""The command line: the only place that prints and exits.

One file a verb. A verb's module has `add(verbs)`, which describes its arguments and sets `verb` to the function that
does the work and returns the exit code. It is imported when it is asked for: `stage`, which each container of the
Dagger engine runs, need not wait for what the others import.
"""

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, NoReturn, cast

from shipseal.cli.ending import end
from shipseal.errors import UsageError

_VERBS = [
    "init",
    "dry-run",
    "plan",
    "release",
    "sign",
    "stage",
    "store",
    "deploy",
    "status",
    "rollback",
    "verify",
    "releases",
    "notes",
    "report",
    "pack",
    "promote",
    "revoke",
    "rescan",
    "conformance",
    "rebuild",
    "attack",
    "replay",
    "explain",
    "why-changed",
    "doctor",
    "db",
    "completion",
    "vex",
    "cost",
    "cluster",
    "overlay",
    "admission-policy",
    "update-locks",
]

Verb = Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    """Refuse a command line as everything else is refused: what, why, and what to do."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, remedy=f"see `{self.prog} --help`")


class _Version(argparse.Action):
    """Print the version; it is looked up when somebody asks."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from shipseal.cli.version import version  # noqa: PLC0415 - as above

        print(f"{parser.prog} {version()}")
        parser.exit()


def parser(names: Iterable[str] = _VERBS) -> argparse.ArgumentParser:
    """Describe the command line, all verbs of it or some."""
    top = _Parser(
        prog="shipseal",
        description="Build, scan, judge, sign, publish, read back and verify one image; deploy exactly those bytes.",
        epilog="Exit codes: 0 done, 1 a bug, 2 usage, 3 denied by policy, 4 a tool failed, 5 a remote failed, "
        "6 a verification failed, 7 the project under build is at fault, 130 and 143 stopped by a signal, 141 the "
        "output is no longer read.",
    )
    top.add_argument("--version", action=_Version, nargs=0, help="say which version this is, and of which commit")
    verbs = top.add_subparsers(dest="name", required=True, metavar="VERB")
    for name in names:
        _verb(name).add(verbs)
    return top


def load(words: Sequence[str]) -> None:
    """Import what a command line asks for, so that a signal in the meantime finds nothing begun."""
    for name in _asked(words):
        _verb(name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code, every failure explained on standard error."""
    words = sys.argv[1:] if arguments is None else arguments
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):  # a locale without our letters must not make a bug of them
            stream.reconfigure(errors="backslashreplace")
        elif stream is None:  # started with it closed: nobody wants to hear
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - until the process ends
    return end(lambda: _run(words), as_json="--json" in words)


def _run(words: Sequence[str]) -> int:
    options = parser(_asked(words)).parse_args(words)
    return cast(Verb, options.verb)(options)


def _asked(words: Sequence[str]) -> Sequence[str]:
    """Return the verbs that a command line needs described: its own, none for the version, and all for `--help`."""
    if words[:1] == ["--version"]:
        return ()
    return words[:1] if words and words[0] in _VERBS else _VERBS


def _verb(name: str) -> Any:
    return import_module(f"shipseal.cli.{name.replace('-', '_')}")
