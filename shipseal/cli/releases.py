"""`releases`: what was published, from the registry alone: each image that tags name, and what it is worth today.

Each is verified by the policy of this checkout, as `verify` does it: nothing that a machine remembers is asked.
"""

import argparse
from collections.abc import Iterator

from shipseal.cli import options as shared
from shipseal.cli import released_options
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.errors import UsageError
from shipseal.project.config import Config
from shipseal.released.release_list import ReleaseList, releases

_DEFAULT, _MOST = 10, 200


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("releases", help="what was published, and what it is worth today", description=__doc__)
    verb.add_argument(
        "--last", type=int, default=_DEFAULT, metavar="N", help=f"how many images are looked at; default: {_DEFAULT}"
    )
    shared.common(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Look at the registry, and tell."""
    if not 1 <= options.last <= _MOST:
        raise UsageError(f"{options.last} images cannot be looked at", remedy=f"give --last from 1 to {_MOST}")
    config = Config.load(options.config)
    with released_options.ground(options, config, agreed=False) as ground:
        found = run_async(lambda: releases(ground, options.last))
    event = {
        "event": "releases",
        "repository": config.image.repository,
        "releases": [each.as_json() for each in found.releases],
        "more_images": found.more_images,
        "more_tags": found.more_tags,
    }
    released_options.tell(options, event, _lines(found, config.image.repository))
    return 0


def _lines(found: ReleaseList, repository: str) -> Iterator[str]:
    for each in found.releases:
        signed = f"{each.signed:%Y-%m-%d %H:%M}" if each.signed else "never signed"
        yield f"{each.state:<8}  {signed:<16}  {each.version or '(no version)':<12}  {', '.join(each.tags)}"
        yield f"          {repository}@{each.digest}"
        yield from (f"          {line}" for line in each.why)
    if not found.releases:
        yield f"nothing is tagged in {repository}"
    if found.more_images:
        yield f"{found.more_images} more images have tags: --last {len(found.releases) + found.more_images}"
    if found.more_tags:
        yield f"{found.more_tags} more tags were not looked at"
