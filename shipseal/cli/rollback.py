"""`rollback`: apply the newest earlier receipt whose image still passes today's policy, or the one of an image."""

import argparse

from shipseal.cli import cluster_options
from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.digest import Digest
from shipseal.engine.stage import Context
from shipseal.project.config import Config
from shipseal.rollout import orders
from shipseal.statements.deployment import Receipt


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("rollback", help="have a cluster run what it ran before", description=__doc__)
    verb.add_argument("--to", metavar="DIGEST", help="the image of an earlier receipt; default: the newest that passes")
    cluster_options.add(verb)
    shared.agreement(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Roll back."""
    to = Digest.parse(options.to) if options.to else None
    config = Config.load(options.config)
    agreed = shared.agreed(options, [cluster_options.ROW], config.image.repository)
    with cluster_options.context(options, agreed=agreed) as context:
        receipt = run_async(lambda: _roll_back(context, to))
    cluster_options.tell(options, *cluster_options.deployed_event(receipt))
    return 0


async def _roll_back(context: Context, to: Digest | None) -> Receipt:
    async with context.world.cluster(context.tools, context.out) as access:
        assert access is not None  # a release has one
        return await orders.roll_back(context, cluster_options.published(context), access, to)
