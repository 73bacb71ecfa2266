"""`update-locks`: choose versions now, for people to review and commit; nothing else in the pipeline chooses any.

It prints what changed, and which advisories that closes and opens in the image, by the vulnerability database that
`db update` or `db import` left. Every lock is chosen before the first is written. Tools that --upgrade has moved are
built, and look at the same sample as those before them: what they say otherwise is printed too.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli import update_output
from shipseal.cli.engine import run_async
from shipseal.cli.update_advisories import advisories
from shipseal.cli.update_comparison import SampleComparison
from shipseal.cli.verbs import Verbs
from shipseal.disk import text_of
from shipseal.errors import ConfigError, Stopped, UsageError
from shipseal.locked import locks
from shipseal.locked.fetch import PROGRAMS
from shipseal.project.config import Config
from shipseal.relocking.in_step import out_of_step
from shipseal.relocking.relock import KINDS, Check, Relocked, Wanted, relock, wanted
from shipseal.relocking.upgrade_tools import require_known
from shipseal.tools.environment import network_environment
from shipseal.tools.toolbox import Toolbox


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("update-locks", help="choose new versions, for review", description=__doc__)
    verb.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}; default: all of them")
    verb.add_argument(
        "--upgrade", action="store_true", help="take the newest Python packages and tools, not only what must change"
    )
    verb.add_argument(
        "--keep", action="append", default=[], metavar="TOOL", help="with --upgrade: leave this tool at its version"
    )
    verb.add_argument(
        "--check",
        action="store_true",
        help="write nothing: refuse locks that are out of step with what they are made from",
    )
    shared.common(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Write the locks that have changed, and tell what changed and which advisories that closes and opens."""
    config = Config.load(options.config)
    asked = _asked(options, config)
    if options.check:
        return _check(asked, config)
    compared = SampleComparison(config, shared.the_store(options), shared.say(options))
    try:
        relocked = _relock(options, asked, compared.check)
    except (KeyboardInterrupt, Stopped) as stopped:
        raise type(stopped)("no lock was changed") from None
    update_output.locks(relocked, config, as_json=options.json)
    update_output.tools([left for each in relocked for left in each.left], compared.differences, as_json=options.json)
    if not {config.service.lock, config.image.package_lock} & {each.lock for each in relocked}:
        return 0  # nothing of the image was asked for
    try:
        update_output.advisories(advisories(options, config, relocked), as_json=options.json)
    except (KeyboardInterrupt, Stopped) as stopped:
        raise type(stopped)("the locks are written, their advisories were not looked up") from None
    return 0


def _check(asked: Sequence[Wanted], config: Config) -> int:
    """Refuse locks that a change of their sources has left behind."""
    found = [f"{update_output.short(lock, config)}: {why}" for lock, why in out_of_step(asked)]
    if found:
        raise ConfigError(
            "locks are out of step with what they are made from",
            why=found,
            remedy="type `make update-locks` (`shipseal update-locks` in a project of your "
            "own), and commit what it writes",
        )
    print("every lock is in step with what it is made from", file=sys.stderr)
    return 0


def _asked(options: argparse.Namespace, config: Config) -> list[Wanted]:
    """Return the locks to make again; say which are not, and refuse when that is all that was asked for."""
    for kind in options.kinds:
        if kind not in KINDS:
            raise UsageError(f"there is no kind of lock {kind}", remedy=f"name some of {', '.join(KINDS)}")
    every = list(wanted(config, options.kinds or KINDS))
    left = [f"{update_output.short(each.lock, config)} is not made again: {each.left}" for each in every if each.left]
    if len(left) == len(every):
        raise UsageError(
            "there is no lock to make again",
            why=left,
            remedy="write what is asked for into NAME.in, or ask for another kind",
        )
    chosen = [each for each in every if not each.left]
    if options.keep:
        locks_of_tools = [text_of(each.lock) for each in chosen if each.kind == "tools"]
        require_known(options.keep, [name for text in locks_of_tools for name in locks.tools(text, "the lock")])
    for line in left:
        print(line, file=sys.stderr, flush=True)
    return chosen


def _relock(options: argparse.Namespace, asked: Sequence[Wanted], check: Check) -> list[Relocked]:
    store = shared.the_store(options)
    with tempfile.NamedTemporaryFile(prefix="locks-", suffix=".log") as log:
        tools = Toolbox(store, {}, frozenset(PROGRAMS), Path(log.name), network_environment())
        # Written in there too: no signal comes between one lock and the next.
        say = shared.say(options)
        return run_async(
            lambda: relock(tools, store, asked, say, upgrade=options.upgrade, keep=options.keep, check=check)
        )
