"""`dry-run`: the whole release, on this machine alone: real tools, local stand-ins for what is remote."""

import argparse

from shipseal.cli import options as shared
from shipseal.cli.cluster import fetch_cluster
from shipseal.cli.table_run import run_table
from shipseal.cli.verbs import Verbs


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("dry-run", help="the whole release, offline, with local stand-ins", description=__doc__)
    verb.add_argument("--to", default="report", metavar="STAGE[,…]", help="stop after these stages; default: report")
    verb.add_argument("--cluster", action="store_true", help="deploy too: to a Kubernetes cluster that is started here")
    shared.common(verb)
    shared.run_directory(verb)
    shared.judged_as_of(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Run the table in the dry-run world; with a cluster, its programs are built first where they never were."""
    if not options.cluster:
        return run_table(options, "dry-run")
    from shipseal.rollout.rehearsal import rehearsed  # noqa: PLC0415 - httpx is slow, and most dry runs have no cluster

    fetch_cluster(shared.the_store(options), shared.say(options))
    return run_table(options, "dry-run", rehearsed=rehearsed)
