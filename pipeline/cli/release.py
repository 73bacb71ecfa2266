"""`release`: the stages of `dry-run`, with the configured registry and Sigstore, for everybody to see."""

import argparse
from typing import Any

from pipeline.cli import options as shared
from pipeline.cli.engine import run_async
from pipeline.cli.table_run import run_table
from pipeline.engine.schedule import wanted
from pipeline.engine.table import TABLE
from pipeline.engine.world import require_own_names
from pipeline.project.config import Config


def add(verbs: Any) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("release", help="sign, publish, verify and tag for everybody to see", description=__doc__)
    verb.add_argument("--to", default="promote", metavar="STAGE", help="stop after this stage; default: promote")
    shared.agreement(verb)
    shared.cluster(verb)
    shared.common(verb)
    shared.run_directory(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Ask, unless told not to or nothing will be written outside; then run the table in the release world."""
    rows = wanted(TABLE, options.to)
    config = Config.load(options.config)
    require_own_names(config)
    if config.deploy.manifests and any(row.name == "deploy" for row in rows):
        _require_cluster(options)
    return run_table(options, "release", agreed=shared.agreed(options, rows, config.image.repository))


def _require_cluster(options: argparse.Namespace) -> None:
    """Refuse to begin where the release could not end: what is signed before the cluster is asked stays signed."""
    from pipeline.cli import cluster_options  # noqa: PLC0415 - httpx is slow, and most releases end before they deploy
    from pipeline.rollout.orders import look  # noqa: PLC0415 - the same

    with cluster_options.context(options, agreed=False) as context:
        run_async(lambda: look(context))
