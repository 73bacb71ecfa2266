"""`status`: what runs, by which receipt, whether it still verifies, and what has drifted from it. It writes nothing.

It ends with 0 where all is as it was deployed, with 6 where what runs does not verify, and with 7 where it has drifted.
"""

import argparse
import json
from typing import Any

from pipeline.cli import cluster_options
from pipeline.cli.engine import run_async
from pipeline.engine.stage import Context
from pipeline.rollout.status import Standing, status


def add(verbs: Any) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("status", help="what a cluster runs, and whether that still verifies", description=__doc__)
    cluster_options.add(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Print what was found; what is wrong is a failure with its reasons."""
    with cluster_options.context(options, agreed=False) as context:
        found = run_async(lambda: _status(context))
    print(json.dumps(found.as_json()) if options.json else "\n".join(found.lines()))
    if failure := found.failure():
        raise failure
    return 0


async def _status(context: Context) -> Standing:
    async with context.world.cluster(context.tools, context.out) as access:
        assert access is not None  # a release has one
        return await status(context, cluster_options.published(context), access)
