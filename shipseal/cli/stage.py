"""`stage NAME`: one row of the table, over what is there. Both engines end here, and so does debugging.

In the world of a release it asks before it writes outside, as `release` does.
"""

import argparse

from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.progress import progress
from shipseal.cli.verbs import Verbs
from shipseal.disk import alone
from shipseal.engine.schedule import wanted
from shipseal.engine.table import TABLE
from shipseal.locked.store_cleaning import in_use
from shipseal.project.config import Config


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("stage", help="run one stage again over what is there", description=__doc__)
    verb.add_argument("stage", metavar="NAME", help="one of " + ", ".join(row.name for row in TABLE))
    verb.add_argument("--world", choices=("dry-run", "release"), default="dry-run", help="default: dry-run")
    verb.add_argument("--run-id", metavar="ID", help="the run that this belongs to; default: the one that is going on")
    shared.agreement(verb)
    shared.common(verb)
    shared.run_directory(verb)
    shared.judged_as_of(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Run the stage, whether or not it is there already."""
    row = wanted(TABLE, options.stage)[-1]
    agreed = options.world == "release" and shared.agreed(options, [row], _repository(options))
    run = shared.open_run(options, options.world, TABLE, agreed=agreed)
    with alone(run.directory), in_use(run.store), progress(options) as run.observe:
        run.begin(options.run_id)
        run_async(lambda: run.perform(row))
    return 0


def _repository(options: argparse.Namespace) -> str:
    return Config.load(options.config).image.repository
