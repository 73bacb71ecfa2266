"""`release`: the stages of `dry-run`, with the configured registry and Sigstore, for everybody to see."""

import argparse

from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.log_in import ask
from shipseal.cli.table_run import run_table
from shipseal.cli.verbs import Verbs
from shipseal.engine.schedule import wanted
from shipseal.engine.table import TABLE
from shipseal.engine.world import require_own_names
from shipseal.project.config import Config


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("release", help="sign, publish, verify and tag for everybody to see", description=__doc__)
    verb.add_argument("--to", default="promote", metavar="STAGE[,…]", help="stop after these stages; default: promote")
    shared.agreement(verb)
    shared.cluster(verb)
    shared.common(verb)
    shared.run_directory(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Ask, unless told not to or nothing will be written outside; then run the table in the release world."""
    rows = wanted(TABLE, *options.to.split(","))
    config = Config.load(options.config)
    require_own_names(config)
    if config.deploy.manifests and any(row.name == "deploy" for row in rows):
        _require_cluster(options)
    agreed = shared.agreed(options, rows, config.image.repository)
    browser = ask(config.sign, may_ask=agreed and not options.yes)
    return run_table(options, "release", agreed=agreed, browser=browser)


def _require_cluster(options: argparse.Namespace) -> None:
    """Refuse to begin where the release could not end: what is signed before the cluster is asked stays signed."""
    from shipseal.cli import cluster_options  # noqa: PLC0415 - httpx is slow, and most releases end before they deploy
    from shipseal.rollout.orders import look  # noqa: PLC0415 - the same

    with cluster_options.context(options, agreed=False) as context:
        run_async(lambda: look(context))
