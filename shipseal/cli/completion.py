"""`completion SHELL`: print what a shell needs to complete verbs, options and file names.

$ shipseal completion bash > ~/.local/share/bash-completion/completions/shipseal
$ shipseal completion zsh > ~/.zfunc/_shipseal     # a directory of $fpath
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import shtab

from shipseal.cli.verbs import Verbs

_SHELLS = ("bash", "zsh", "tcsh")


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("completion", help="what a shell needs to complete what is typed", description=__doc__)
    verb.formatter_class = argparse.RawDescriptionHelpFormatter
    verb.add_argument("shell", choices=_SHELLS, help="the shell that is to read it")
    verb.set_defaults(verb=_completion)


def _completion(options: argparse.Namespace) -> int:
    from shipseal.cli import parser  # noqa: PLC0415 - it imports every verb, this one too

    whole = parser()
    for action in _arguments(whole):
        if action.type is Path:
            # This is how shtab is told.
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    sys.stdout.write(shtab.complete(whole, options.shell))
    return 0


def _arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in dict.fromkeys(action.choices.values()):
                yield from _arguments(each)
