"""Make every part of the page, or say what is missing for it: no part takes another one with it. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from shipseal.reporting.chain import chain
from shipseal.reporting.composition import composition
from shipseal.reporting.found import findings
from shipseal.reporting.matrix import Attacks, attacks, discovery
from shipseal.reporting.since import changes, moved
from shipseal.reporting.summary import Fact, Summary, left_undone, really, stood_in
from shipseal.reporting.timeline import timeline

UNKNOWN_SHAPE = (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError, RecursionError)
_VERIFICATION = "verify/verification.json"


@dataclass(frozen=True)
class Panel:
    """A part of the page: its name in the page, its title, what to draw, or else why there is nothing."""

    name: str
    title: str
    value: Any
    missing: str = ""


@dataclass(frozen=True)
class Proofs:
    """What a verification has shown, each with what from, and what it has not."""

    proved: tuple[tuple[str, str], ...]
    unproved: tuple[Fact, ...]


def panels(summary: Summary) -> Iterator[Panel]:
    """Yield them in the order of the page."""
    for name, title, needed, make in _MADE:
        if needed in summary.unreadable:
            yield Panel(name, title, None, f"{needed} cannot be read ({summary.unreadable[needed]})")
        elif needed and needed not in summary.documents:
            if name != "attacks":  # nobody has to attack a run
                yield Panel(name, title, None, f"{needed.partition('/')[0]} has left nothing in this run")
        else:
            try:
                yield Panel(name, title, make(summary))
            except UNKNOWN_SHAPE as error:
                said = f"{needed or 'the run directory'} is of an unknown shape ({type(error).__name__}: {error})"
                yield Panel(name, title, None, said)


def _changes(summary: Summary) -> dict[str, Any]:
    known = summary.before is not None
    tags = summary.documents.get("promote/tags.json")
    try:
        before = list(moved(tags)) if tags is not None else []
    except UNKNOWN_SHAPE:
        before = []
    found = changes(summary.before, summary.documents["image/image.json"]) if known else []
    return {"known": known, "changes": found, "tags": before}


def _proofs(summary: Summary) -> Proofs:
    found = summary.documents[_VERIFICATION]
    unproved = tuple(Fact(str(each), _VERIFICATION) for each in found["not_proved"])
    proved = tuple((str(each["what"]), str(each["from"])) for each in found["proved"])
    if not unproved:
        raise ValueError("it names nothing that was not proved, and there is always something")
    return Proofs(proved, unproved)


def _attacks(summary: Summary) -> Attacks:
    image = summary.documents.get("image/image.json")
    reference = image.get("reference") if isinstance(image, dict) else ""
    return attacks(summary.documents["attack/attack.json"], str(reference or "").partition("@")[2])


def _reality(summary: Summary) -> tuple[tuple[str, list[Fact]], ...]:
    return (
        ("What was real", really(summary)),
        ("What a local stand-in did", stood_in(summary)),
        ("What was not run", left_undone(summary)),
    )


_MADE: tuple[tuple[str, str, str, Callable[[Summary], Any]], ...] = (
    ("stages", "Stages", "", timeline),
    ("findings", "Findings", "assess/verdict.json", findings),
    ("chain", "From source to cluster", "", chain),
    ("composition", "What the image is made of", "image/image.json", composition),
    ("changes", "What changed since the last release", "image/image.json", _changes),
    ("reality", "Real, stand-in, not run", "", _reality),
    ("proofs", "What is not proved", _VERIFICATION, _proofs),
    (
        "discovery",
        "Who finds the evidence",
        "verify/discovery.json",
        lambda run: discovery(run.documents["verify/discovery.json"]),
    ),
    ("attacks", "Attacks that were tried", "attack/attack.json", _attacks),
)
