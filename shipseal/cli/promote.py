"""`promote REFERENCE --to TAG`: move a tag to an image that satisfies the policy of this checkout right now.

The image is verified as `verify` does it, and refused where it was revoked or does not pass. A release's own tag, its
whole version, stays on its image for good. The tag is read back.
"""

import argparse

from shipseal.cli import options as shared
from shipseal.cli import released_options
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.engine.world import require_own_names
from shipseal.project.config import Config
from shipseal.released.promoting import look, promote
from shipseal.released.release_context import own


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("promote", help="move a tag to an image that verifies now", description=__doc__)
    verb.add_argument("image", metavar="REFERENCE", help="sha256:…, REGISTRY/REPOSITORY@sha256:…, or a tag there")
    verb.add_argument("--to", required=True, metavar="TAG", help="the tag to move: `stable`, or a line such as 1.4")
    shared.agreement(verb)
    shared.common(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Look where the tag is, ask, verify, and move it."""
    config = Config.load(options.config)
    require_own_names(config)
    digest, named = own(config, options.image)
    with released_options.ground(options, config, agreed=False) as ground:
        move = run_async(lambda: look(ground, digest, named, options.to))
    repository = config.image.repository
    now = f"from {move.before}" if move.before else "which is new"
    what = f"moves the tag {repository}:{move.tag}, {now}, to {move.reference.digest} if that verifies."
    agreed = shared.asked(options, what)
    with released_options.ground(options, config, agreed=agreed) as ground:
        version = run_async(lambda: promote(ground, move))
    event = {
        "event": "promoted",
        "image": str(move.reference),
        "tag": move.tag,
        "before": str(move.before) if move.before else None,
        "version": version,
    }
    there = "there already" if move.before == move.reference.digest else now
    lines = [f"verified  {move.reference}, version {version or '(none)'}", f"tag       {move.tag} ({there})"]
    released_options.tell(options, event, lines)
    return 0
