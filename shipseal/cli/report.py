"""`report`: tell what a run directory holds, as one page and as Markdown, however far the run has come.

Nothing is run and nothing outside is asked: it is derived from records and evidence, and says of each stage what it has
left, or that it has left nothing.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli import released_options
from shipseal.cli.table_run import write_report
from shipseal.cli.verbs import Verbs
from shipseal.disk import alone
from shipseal.engine import run_directory as place
from shipseal.engine.table import TABLE
from shipseal.errors import UsageError
from shipseal.project.config import Config
from shipseal.reporting import evidence


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("report", help="tell a run as a page, however far it has come", description=__doc__)
    shared.common(verb)
    shared.run_directory(verb)
    since = "also tell what is in the image that was not in that of this run directory: the last release's"
    verb.add_argument("--since", type=Path, metavar="DIRECTORY", help=since)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Write index.html and summary.md into `report` of the run directory."""
    config = Config.load(options.config)
    directory = place.checked(config.root, options.run_dir)
    if not (directory / "run.json").is_file():
        raise UsageError(f"there is no run in {directory}", remedy="name one with --run-dir, or make one: `dry-run`")
    before = evidence.previous_image(options.since) if options.since else None
    with alone(directory):
        summary = evidence.gather(directory, [stage.name for stage in TABLE], policy=evidence.policy_of(config))
        page = write_report(directory / "report", replace(summary, before=before))
    if page is None:
        raise UsageError(
            f"no report could be written in {directory}", remedy="name a directory of your own with --run-dir"
        )
    told = page.with_name("summary.md")
    event = {"event": "report", "page": str(page), "markdown": str(told)}
    released_options.tell(options, event, [f"report  {page}", f"        {told}"])
    return 0
