"""`rescan`: verify what is published, and judge it by today's policy and vulnerability database.

Each image is built again from the commit that its provenance names, up to the gate. It ends like the gate where one may
not ship any more, and leaves an explanation of each. Nothing is signed, and nothing is written outside.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli import released_options
from shipseal.cli.engine import run_async
from shipseal.cli.on_github import summarize
from shipseal.cli.verbs import Verbs
from shipseal.disk import empty
from shipseal.errors import UsageError
from shipseal.project.config import Config
from shipseal.released.rescanning import Rescanned, rescan
from shipseal.reporting.page import ReportSection, markdown

_DEFAULT, _MOST = 1, 50


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("rescan", help="judge what is published by what is known today", description=__doc__)
    verb.add_argument(
        "--last", type=int, default=_DEFAULT, metavar="N", help=f"how many images are looked at; default: {_DEFAULT}"
    )
    verb.add_argument("--into", type=Path, required=True, metavar="DIR", help="a new directory for the explanations")
    verb.add_argument("--source", type=Path, metavar="DIR", help="a git clone, whole; default: the project's own")
    shared.common(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Look at each image, tell what came of it, and fail with what was found."""
    if not 1 <= options.last <= _MOST:
        raise UsageError(f"{options.last} images cannot be looked at", remedy=f"give --last from 1 to {_MOST}")
    if options.into.exists():
        raise UsageError(f"{options.into} is there already", remedy="name a directory that is not")
    empty(options.into)
    config = Config.load(options.config)
    inside = Path(options.config.name) if options.config.is_absolute() else options.config
    with released_options.ground(options, config, agreed=False) as ground:

        async def look() -> list[Rescanned]:
            place = options.into.resolve()
            return [each async for each in rescan(ground, options.source or config.root, inside, place, options.last)]

        found = run_async(look)
    _tell(options, config.image.repository, found)
    if failures := [failure for each in found for failure in each.failures]:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("what is published", failures)
    return 0


def _tell(options: argparse.Namespace, repository: str, found: Sequence[Rescanned]) -> None:
    rows = tuple(
        (
            ", ".join(each.release.tags),
            str(each.release.digest),
            "may not ship" if each.failures else "may ship",
            _why(each),
        )
        for each in found
    )
    images = [
        {
            **each.release.as_json(),
            "revision": each.revision,
            "same": each.same,
            "allowed": not each.failures,
            "failures": [failure.as_json() for failure in each.failures],
        }
        for each in found
    ]
    event = {"event": "rescanned", "repository": repository, "images": images}
    released_options.tell(options, event, [f"{row[2]:<13} {row[1]}  {row[0]}  {row[3]}".rstrip() for row in rows])
    said = ReportSection("", (), ("tags", "image", "today", "why"), rows)
    summarize(markdown(f"{repository}, by what is known today", (), (said,)))


def _why(each: Rescanned) -> str:
    reasons = [": ".join((failure.what, "; ".join(failure.why))) for failure in each.failures]
    if each.revision and not each.same:
        reasons.append("this pipeline makes other bytes of the same commit: those were judged")
    return "; ".join(reasons)
