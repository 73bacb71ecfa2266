"""`notes`: what to tell of the release that this run directory holds: Markdown, and its digests.

What has changed is what CHANGELOG.md says of the version; the digests and who has signed are from the run. Nothing is
asked of anybody without --since, and nothing is published. A job of GitHub Actions is told the image as an artefact of
its own (GITHUB_ARTIFACTS), for an attestation of the platform's.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from shipseal import terminal_text
from shipseal.cli import options as shared
from shipseal.cli import released_options
from shipseal.cli.engine import run_async
from shipseal.cli.on_github import declare
from shipseal.cli.verbs import Verbs
from shipseal.disk import disk, write
from shipseal.engine import run_directory as place
from shipseal.project.config import Config
from shipseal.released.finding_diff import LAST, since
from shipseal.released.notes import Notes, notes

NOTES, DIGESTS = "notes.md", "digests.txt"


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("notes", help="release notes, and the digests that were released", description=__doc__)
    verb.add_argument("--write", type=Path, metavar="DIR", help=f"write {NOTES} and {DIGESTS} there")
    verb.add_argument(
        "--since",
        metavar="VERSION",
        help=f"ask the registry which of its findings are closed; {LAST}: the one before",
    )
    shared.common(verb)
    shared.run_directory(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Read the run, and tell."""
    config = Config.load(options.config)
    run_dir = place.checked(config.root, options.run_dir)
    found = notes(config, run_dir)
    if options.since:
        found = _with_closed(options, config, run_dir, found)
    lines = list(map(terminal_text.line, found.lines(config.service.name)))
    if options.write:
        with disk(options.write):
            options.write.mkdir(parents=True, exist_ok=True)
            write(options.write / NOTES, "\n".join(lines) + "\n")
            write(options.write / DIGESTS, found.digests)
    event = {
        "event": "notes",
        "version": found.version,
        "reference": str(found.reference),
        "tags": list(found.tags),
        "platforms": {name: str(digest) for name, digest in found.platforms.items()},
        "changes": found.changes,
        "since": found.since.as_json() if found.since else None,
    }
    released_options.tell(options, event, lines)
    declare(found.reference)
    return 0


def _with_closed(options: argparse.Namespace, config: Config, run_dir: Path, found: Notes) -> Notes:
    with released_options.ground(options, config, agreed=False) as ground:
        closed = run_async(lambda: since(ground, run_dir, found.version, options.since))
    return replace(found, since=closed)
