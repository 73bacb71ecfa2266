"""`status`: what runs, by which receipt, whether it still verifies, and what has drifted from it. It writes nothing.

It ends with 0 where all is as it was deployed, with 6 where what runs does not verify, and with 7 where it has drifted.
With --metrics the same is written as metrics, with the dates on which statements, waivers and the trust root end.
"""

import argparse
from pathlib import Path

from shipseal.cli import cluster_options
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.disk import write
from shipseal.engine.stage import Context
from shipseal.errors import UsageError
from shipseal.judging.policy_files import PolicyFiles, deploy_waivers
from shipseal.rollout import metrics
from shipseal.rollout.preflight import Published
from shipseal.rollout.status import NamespaceStatus, status
from shipseal.signing.roots import ends


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("status", help="what a cluster runs, and whether that still verifies", description=__doc__)
    verb.add_argument(
        "--metrics", type=Path, metavar="FILE", help="write it for Prometheus's textfile collector, too: NAME.prom"
    )
    cluster_options.add(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Print what was found; what is wrong is a failure with its reasons."""
    with cluster_options.context(options, agreed=False) as context:
        where = cluster_options.published(context)
        found = run_async(lambda: _status(context, where))
        if options.metrics:
            _write(options.metrics, metrics.text(found, _rules(context, where), context.now))
    cluster_options.tell(options, found.as_json(), found.lines())
    if failure := found.failure():
        raise failure
    return 0


async def _status(context: Context, where: Published) -> NamespaceStatus:
    async with context.world.cluster(context.tools, context.out) as access:
        assert access is not None  # a release has one
        return await status(context, where, access)


def _rules(context: Context, where: Published) -> metrics.ExpiringInputs:
    config = context.config
    return metrics.ExpiringInputs(
        where.policy, PolicyFiles.load(config), deploy_waivers(config), ends(where.root.read_bytes())
    )


def _write(file: Path, text: str) -> None:
    """Write metrics so that nobody reads half of them, and that the collector, who is another user, may read them."""
    try:
        write(file, text)
        file.chmod(0o644)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written", why=error.strerror or str(error), remedy="name a file in a directory of yours"
        ) from error
