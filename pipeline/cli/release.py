"""`release`: the stages of `dry-run`, with the configured registry and Sigstore. The one verb that writes outside."""

import argparse
import sys
from typing import Any

from pipeline.cli import options as shared
from pipeline.cli.table_run import run_table
from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.host import wanted
from pipeline.stage import require_possible
from pipeline.table import TABLE
from pipeline.world import require_own_names


def add(verbs: Any) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("release", help="sign, publish, verify and tag for everybody to see", description=__doc__)
    verb.add_argument("--to", default="promote", metavar="STAGE", help="stop after this stage; default: promote")
    verb.add_argument("--yes", action="store_true", help="do not ask before something is written outside")
    shared.common(verb)
    shared.run_directory(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Ask, unless told not to or nothing will be written outside; then run the table in the release world."""
    rows = wanted(TABLE, options.to)
    require_possible(rows, "release")
    config = Config.load(options.config)
    require_own_names(config)
    if not options.yes and any(row.network and row.live for row in rows):
        _ask(config.image.repository)
    return run_table(options, "release")


def _ask(repository: str) -> None:
    """Raise `UsageError` unless somebody at a terminal agrees; a signer's identity stays in a public log for good."""
    print(
        f"This pushes to {repository}, and signs: the signer's identity goes into a public log, for good.",
        file=sys.stderr,
    )
    if not sys.stdin.isatty() or input("Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was written outside", do="agree, or say --yes where nobody can be asked")
