"""`pack REFERENCE|LAYOUT|run -o FILE`: what is known of an image in one file, for whoever has no network.

In it are the image and its bundles as an OCI layout, the policy file, which vulnerability databases were used, and of a
run the verdict with its inputs. The same content gives the same bytes. Nothing is judged: `verify FILE --policy …` does
that, by the policy and the trust root of whoever verifies.
"""

import argparse
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli import released_options
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.engine import run_directory as place
from shipseal.errors import UsageError
from shipseal.project.config import Config
from shipseal.released.packing import OfRun, of_a_run, pack_image

_RUN = "run"


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("pack", help="put an image and its evidence into one file", description=__doc__)
    verb.add_argument(
        "image",
        metavar="REFERENCE|LAYOUT|run",
        help="REGISTRY/REPOSITORY@sha256:…, an OCI layout, or the word `run` for what the run here has left",
    )
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the file to write")
    shared.common(verb)
    shared.run_directory(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Gather, and write the file."""
    config = Config.load(options.config)
    if not options.output.absolute().parent.is_dir():
        raise UsageError(f"there is no directory for {options.output}", remedy="make it, or name another file")
    image, ran = options.image, OfRun()
    if image == _RUN:
        directory = place.checked(config.root, options.run_dir)
        image, ran = str(directory / "attest" / "layout"), of_a_run(directory, config.policy.directory)
    with released_options.ground(options, config, agreed=False) as ground:
        done = run_async(lambda: pack_image(ground, image, options.output, ran.files))
    event = {
        "event": "packed",
        "file": str(options.output),
        "image": str(done.image),
        "digest": str(done.digest),
        "bytes": done.size,
        "bundles": done.bundles,
        "databases": done.databases,
        "missing": list(ran.missing),
    }
    lines = [
        f"packed  {done.image}, {done.bundles} bundles, {done.size} bytes",
        f"file    {options.output}, {done.digest}",
        *(f"absent  {name}, which the verdict rests on, is not as it was judged" for name in ran.missing),
        "not judged: `verify FILE --policy …` does that",
    ]
    released_options.tell(options, event, lines)
    return 0
