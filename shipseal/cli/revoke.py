"""`revoke DIGEST|REFERENCE --reason TEXT`: say, signed and beside the image, that nobody shall use it any more.

From then on `verify`, `deploy`, `rollback` and `promote` refuse it, with the reason. Tags stay where they are, and
clusters are not changed. A revocation cannot be taken back.
"""

import argparse
from datetime import UTC, datetime

from shipseal.cli import options as shared
from shipseal.cli import released_options
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.errors import UsageError
from shipseal.project.config import Config
from shipseal.released.release_context import own
from shipseal.released.revoking import revoke
from shipseal.verification.revocation import revocation


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("revoke", help="say that nobody shall use a released image any more", description=__doc__)
    verb.add_argument("image", metavar="DIGEST|REFERENCE", help="sha256:…, or REGISTRY/REPOSITORY@sha256:…; no tag")
    verb.add_argument("--reason", required=True, metavar="TEXT", help="one line, shown to whoever tries to use it")
    shared.agreement(verb)
    shared.common(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Ask, and revoke."""
    config = Config.load(options.config)
    digest, tag = own(config, options.image)
    if digest is None:
        raise UsageError(
            f"{tag} is a tag, and what is revoked is named by its digest",
            why="a tag can be moved at any time",
            remedy="resolve it: `shipseal releases` lists the digests",
        )
    said, repository = revocation(options.reason, datetime.now(UTC)), config.image.repository
    what = f"revokes {repository}@{digest} for good, pushes that to {repository}, and signs: {shared.LOG}."
    agreed = shared.asked(options, what)
    with released_options.ground(options, config, agreed=agreed) as ground:
        done = run_async(lambda: revoke(ground, digest, said))
    event = {
        "event": "revoked",
        "image": str(done.reference),
        "subjects": [str(each) for each in done.subjects],
        "reason": done.reason,
        "bundle": str(done.bundle),
        "already": done.before,
    }
    began = "revoked already" if done.before else "revoked"
    lines = [f"{began}  {done.reference}: {done.reason}", f"signed   in {done.bundle}"]
    released_options.tell(options, event, lines)
    return 0
