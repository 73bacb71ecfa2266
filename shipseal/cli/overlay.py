"""`overlay`: write what Terraform has made into the manifests of an environment.

Networks of the nodes, role of the service account and group of whoever deploys come from Terraform's output `overlay`,
on standard input or in a file. The files say what they were written by; what they said before is in git.
"""

import argparse
import sys
from pathlib import Path

from shipseal.cli.generated_files import own, put
from shipseal.cli.verbs import Verbs
from shipseal.deploying.overlay import LARGEST, read, write
from shipseal.digest import opened
from shipseal.errors import UsageError
from shipseal.project.config import Config
from shipseal.project.reads import FILENAME

_REMEDY = "name one of k8s/overlays, or make it with a kustomization.yaml of its own"


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("overlay", help="write what Terraform has made into manifests", description=__doc__)
    verb.add_argument("directory", type=Path, metavar="DIRECTORY", help="the environment's: k8s/overlays/production")
    verb.add_argument(
        "outputs", type=Path, nargs="?", metavar="FILE", help="`terraform output -json overlay`; default: our input"
    )
    verb.add_argument("--config", type=Path, default=Path(FILENAME), metavar="FILE", help="default: ./pipeline.toml")
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Write the files of an overlay, and the platform's where [deploy] platform names one."""
    config = Config.load(options.config)
    places = [own(options.directory, config.root, _REMEDY)]
    if config.deploy.platform is not None:
        places.append(own(config.deploy.platform, config.root, _REMEDY))
    files = write(read(_bytes(options.outputs)))
    for place, those in zip(places, (files.overlay, files.platform), strict=False):
        put(place, those, config.root)
    return 0


def _bytes(file: Path | None) -> bytes:
    try:
        if file is None:
            return sys.stdin.buffer.read(LARGEST + 1)
        with opened(file) as stream:
            return stream.read(LARGEST + 1)
    except (OSError, AttributeError) as error:  # closed before we were started, standard input is None
        raise UsageError(f"{file or 'standard input'} cannot be read", why=str(error), remedy="name a file") from error
