"""`replay VERDICT…`: judge again on what was recorded, offline, and say whether the same comes out.

Nothing but the recorded bytes is read: no database, no policy of this project, no clock. It ends with 6 where something
else comes out, and says where.
"""

import argparse
import tempfile
from itertools import islice
from pathlib import Path

from shipseal.cli import released_options
from shipseal.cli.verbs import Verbs
from shipseal.errors import ShipsealError
from shipseal.evidence.verdict_inputs import MOST_SHOWN, differences, recorded, require_same
from shipseal.judging.case import decide


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("replay", help="give a recorded verdict again, and compare", description=__doc__)
    verb.add_argument(
        "places",
        nargs="+",
        type=Path,
        metavar="VERDICT",
        help="a run directory, the verdict.json in one, or a pack with a verdict",
    )
    verb.add_argument("--json", action="store_true", help="for machines, on standard output: docs/json.md")
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Replay each, print a line for it, and raise what failed at the end."""
    failures = []
    for place in options.places:
        with tempfile.TemporaryDirectory(prefix="shipseal-replay-") as work:
            try:
                _replay(options, place, Path(work))
            except ShipsealError as failure:
                failures.append(failure)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("not all could be replayed", failures)
    return 0


def _replay(options: argparse.Namespace, place: Path, work: Path) -> None:
    kept = recorded(place, work)
    again = decide(kept.case).as_json()
    found = list(islice(differences(kept.written, again), MOST_SHOWN + 1))
    event = {
        "event": "replayed",
        "verdict": str(place),
        "image": str(kept.verdict.image),
        "judged": kept.verdict.judged,
        "allowed": again["allowed"],
        "inputs": len(kept.case.files),
        "equal": not found,
        "differences": found[:MOST_SHOWN],
    }
    answer = "allowed" if again["allowed"] else "denied"
    lines = [f"equal  {place}: {answer}, on {len(kept.case.files)} inputs, as of {kept.verdict.judged}"]
    released_options.tell(options, event, lines if not found else [f"DIFFERS  {place}"])
    require_same(str(place), found)
