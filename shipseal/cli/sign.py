"""`sign --run DIR`: end the release that another job has begun without an identity, and run no code of the project.

DIR is what `release --to facts,test,smoke,admit` has left, and nobody's word: its records and files are checked, and
the image is written again from the recorded wheel and this checkout's locks, listed, scanned and judged again. It has
to be the same, byte for byte. Then it is signed, published, verified and tagged as `release` does it. Where the token
goes is not for the project to say: to the public Sigstore, or to what --signing-config names too.
"""

import argparse
import json
import os
from functools import partial
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli.log_in import ask
from shipseal.cli.table_run import run_table
from shipseal.cli.verbs import Verbs
from shipseal.disk import text_of
from shipseal.engine.schedule import wanted
from shipseal.engine.table import TABLE
from shipseal.engine.world import require_own_names
from shipseal.errors import UsageError
from shipseal.project.config import Config
from shipseal.released.taking_over import take_over

KNOWN = "PIPELINE_SIGNING_CONFIG"
"""The variable that holds the content of such a file: a CI system's own settings have no files."""

_LAST = "promote"


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("sign", help="check a run that another job has made, and release it", description=__doc__)
    verb.add_argument("--run", type=Path, required=True, metavar="DIR", dest="given", help="the run of the other job")
    verb.add_argument(
        "--signing-config", type=Path, metavar="FILE", help="the services of [sign] signing-config, where you know them"
    )
    shared.agreement(verb)
    shared.common(verb)
    shared.run_directory(verb)
    verb.set_defaults(verb=run, to=_LAST)


def run(options: argparse.Namespace) -> int:
    """Ask, unless told not to; then check, make again, compare, and release."""
    config = Config.load(options.config)
    require_own_names(config)
    _require_known_services(config.sign.signing_config, options.signing_config)
    agreed = shared.agreed(options, wanted(TABLE, _LAST), config.image.repository)
    browser = ask(config.sign, may_ask=agreed and not options.yes)
    work = partial(take_over, directory=options.given)
    return run_table(options, "release", agreed=agreed, browser=browser, work=work)


def _require_known_services(configured: Path | None, known: Path | None) -> None:
    """Refuse services that the project alone names: whoever is given the token can sign as this job."""
    said = _read(known) if known else _parsed(os.environ.get(KNOWN, ""), KNOWN)
    if (_read(configured) if configured else None) != said:
        named = f"[sign] signing-config of pipeline.toml is {configured or 'none'}"
        raise UsageError(
            "the identity token would go where the project says",
            why=f"{named}, and --signing-config {known or ('in ' + KNOWN if said else 'none')}",
            remedy="name services that you know with --signing-config, in a file with the same "
            "content, or have neither",
        )


def _read(path: Path) -> object:
    try:
        return _parsed(text_of(path), str(path))
    except (OSError, ValueError) as error:
        raise _unreadable(str(path), error) from error


def _parsed(text: str, place: str) -> object:
    try:
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError) as error:
        raise _unreadable(place, error) from error


def _unreadable(place: str, error: Exception) -> UsageError:
    return UsageError(f"{place} cannot be read", why=str(error), remedy="name a signing configuration of Sigstore")
