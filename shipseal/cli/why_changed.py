"""`why-changed A B`: what made one verdict another. Each input is swapped alone, then two and three at a time.

A and B are run directories, the verdict.json in one, or packs: so a published image is compared with today's run by its
pack. Nothing is scanned: what a database says of a package that it never saw stays as the other scan had it.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from shipseal.cli import released_options
from shipseal.cli.verbs import Verbs
from shipseal.evidence.verdict_inputs import recorded
from shipseal.judging.causes import ANSWER, VerdictChange, Why, why

_MOST = 50


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("why-changed", help="what made one verdict another", description=__doc__)
    verb.add_argument("before", type=Path, metavar="A", help="a run directory, the verdict.json in one, or a pack")
    verb.add_argument("after", type=Path, metavar="B", help="the same, of another day or another image")
    verb.add_argument("--json", action="store_true", help="for machines, on standard output: docs/json.md")
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Compare, and print what differs and what came of it."""
    with tempfile.TemporaryDirectory(prefix="shipseal-why-changed-") as scratch:
        cases = []
        for name in ("before", "after"):
            work = Path(scratch) / name
            work.mkdir()
            cases.append(recorded(getattr(options, name), work).case)
        found = why(cases[0], cases[1])
    event = {
        "event": "compared",
        "before": str(options.before),
        "after": str(options.after),
        "differs": dict(found.differs),
        "changes": [
            {
                "finding": each.about[0],
                "package": each.about[1],
                "before": each.before,
                "after": each.after,
                "causes": [list(one) for one in each.causes],
            }
            for each in found.changes
        ],
    }
    released_options.tell(options, event, _lines(found))
    return 0


def _lines(found: Why) -> Iterator[str]:
    if not found.differs:
        yield "nothing differs: the same inputs, and the same answer"
        return
    yield from (f"differs  {name}: {how}" for name, how in found.differs.items())
    answers = [each for each in found.changes if each.about == ANSWER]
    yield from (f"ANSWER   {each.before} → {each.after}: {_because(each)}" for each in answers)
    if not answers:
        yield "answer   the same"
    others = [each for each in found.changes if each.about != ANSWER]
    for each in others[:_MOST]:
        about = " in ".join(filter(None, each.about))
        yield f"changed  {about}: {each.before} → {each.after}: {_because(each)}"
    if len(others) > _MOST:
        yield f"changed  and {len(others) - _MOST} more: --json has them all"


def _because(change: VerdictChange) -> str:
    if not change.causes:
        return "no input that is known of makes this difference"
    told = [each[0] if len(each) == 1 else f"{', '.join(each[:-1])} and {each[-1]} together" for each in change.causes]
    return f"because of {', or of '.join(told)}"
