"""Run the table up to a stage, in either world, and say at the end what came of it."""

import argparse
import sys

from pipeline.cli import options as shared
from pipeline.cli.engine import run_async
from pipeline.cli.progress import progress
from pipeline.host import execute, wanted
from pipeline.run import alone
from pipeline.table import TABLE


def run_table(options: argparse.Namespace, world: str) -> int:
    """Run the stages that `--to` needs, resume what an earlier run of the same world has left, and summarise."""
    stages = wanted(TABLE, options.to)
    run = shared.open_run(options, world, TABLE)
    with alone(run.directory):
        with progress(as_json=options.json) as run.observe:
            if run.begin() and not options.json:
                print(f"going on with run {run.run_id}", file=sys.stderr)
            run_async(lambda: execute(stages, run))
        run.end()
    return 0
