"""`update-locks`: choose versions now, for people to review and commit; nothing else in the pipeline chooses any.

It prints what changed, and which advisories that closes and opens in the image, by the vulnerability database that
`db update` or `db import` left. Every lock is chosen before the first is written.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.cli import options as shared
from pipeline.cli import update_told as told
from pipeline.cli.engine import run_async
from pipeline.cli.update_advisories import advisories
from pipeline.errors import Stopped, UsageError
from pipeline.locked.fetch import PROGRAMS
from pipeline.locked.relock import KINDS, Relocked, Wanted, relock, wanted
from pipeline.project.config import Config
from pipeline.tools.environment import network_environment
from pipeline.tools.toolbox import Toolbox


def add(verbs: Any) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("update-locks", help="choose new versions, for review", description=__doc__)
    verb.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}; default: all of them")
    verb.add_argument(
        "--upgrade", action="store_true", help="take the newest Python packages, not only what must change"
    )
    shared.common(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Write the locks that have changed, and tell what changed and which advisories that closes and opens."""
    config = Config.load(options.config)
    asked = _asked(options, config)
    try:
        relocked = _relock(options, asked)
    except (KeyboardInterrupt, Stopped) as stopped:
        raise type(stopped)("no lock was changed") from None
    told.locks(relocked, config, as_json=options.json)
    if not {config.service.lock, config.image.package_lock} & {each.lock for each in relocked}:
        return 0  # nothing of the image was asked for
    try:
        told.advisories(advisories(options, config, relocked), as_json=options.json)
    except (KeyboardInterrupt, Stopped) as stopped:
        raise type(stopped)("the locks are written, their advisories were not looked up") from None
    return 0


def _asked(options: argparse.Namespace, config: Config) -> list[Wanted]:
    """Return the locks to make again; say which are not, and refuse when that is all that was asked for."""
    for kind in options.kinds:
        if kind not in KINDS:
            raise UsageError(f"there is no kind of lock {kind}", do=f"name some of {', '.join(KINDS)}")
    every = list(wanted(config, options.kinds or KINDS))
    left = [f"{told.short(each.lock, config)} is not made again: {each.left}" for each in every if each.left]
    if len(left) == len(every):
        raise UsageError(
            "there is no lock to make again",
            why=left,
            do="write what is asked for into NAME.in, or ask for another kind",
        )
    for line in left:
        _say(line)
    return [each for each in every if not each.left]


def _relock(options: argparse.Namespace, asked: Sequence[Wanted]) -> list[Relocked]:
    store = shared.the_store(options)
    with tempfile.NamedTemporaryFile(prefix="locks-", suffix=".log") as log:
        tools = Toolbox(store, {}, frozenset(PROGRAMS), Path(log.name), network_environment())
        # Written in there too: no signal comes between one lock and the next.
        return run_async(lambda: relock(tools, store, asked, _say, upgrade=options.upgrade))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
