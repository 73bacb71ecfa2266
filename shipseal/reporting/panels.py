"""Make every part of the page, or say what is missing for it: no part takes another one with it. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shipseal.documents.attack import AttackDocument
from shipseal.documents.image import ImageDocument
from shipseal.documents.promote import TagsDocument
from shipseal.documents.verify import DiscoveryDocument, VerificationDocument
from shipseal.reporting.chain import chain
from shipseal.reporting.composition import composition
from shipseal.reporting.content_diff import Changes, changes, moved
from shipseal.reporting.documents import NotKnown, NotThere, malformed, name
from shipseal.reporting.finding_table import findings
from shipseal.reporting.matrix import Attacks, DiscoveryMatrix, attacks, discovery
from shipseal.reporting.summary import Fact, RunSummary, left_undone, really, stood_in
from shipseal.reporting.timeline import timeline

_BEYOND_MEASURE = (ArithmeticError, ValueError)  # what comes of drawing numbers of a size that nothing has
_VERIFICATION = name(VerificationDocument)


@dataclass(frozen=True)
class Panel:
    """A part of the page: its name in the page, its title, what to draw, or else why there is nothing."""

    name: str
    title: str
    value: object
    missing: str = ""


@dataclass(frozen=True)
class Proofs:
    """What a verification has shown, each with what from, and what it has not."""

    proved: tuple[tuple[str, str], ...]
    unproved: tuple[Fact, ...]


def panels(summary: RunSummary) -> Iterator[Panel]:
    """Yield them in the order of the page."""
    for part, title, make in _MADE:
        try:
            yield Panel(part, title, make(summary))
        except NotThere as error:
            if part != "attacks":  # nobody has to attack a run
                yield Panel(part, title, None, str(error))
        except NotKnown as error:
            yield Panel(part, title, None, str(error))
        except _BEYOND_MEASURE as error:
            yield Panel(part, title, None, f"its numbers cannot be drawn ({error})")


def _changes(summary: RunSummary) -> Changes:
    image = summary.documents.need(ImageDocument)
    found = tuple(changes(summary.before, image)) if summary.before else ()
    known = summary.before is not None
    try:
        tags = summary.documents.left(TagsDocument)
        return Changes(known, found, tuple(moved(tags)) if tags else ())
    except NotKnown as error:
        return Changes(known, found, (), str(error))


def _proofs(summary: RunSummary) -> Proofs:
    found = summary.documents.need(VerificationDocument)
    if not found.not_proved:
        raise malformed(VerificationDocument, "it names nothing that was not proved, and there is always something")
    unproved = tuple(Fact(each, _VERIFICATION) for each in found.not_proved)
    return Proofs(tuple((each.what, each.by) for each in found.proved), unproved)


def _discovery(summary: RunSummary) -> DiscoveryMatrix:
    return discovery(summary.documents.need(DiscoveryDocument))


def _attacks(summary: RunSummary) -> Attacks:
    image = summary.documents.get(ImageDocument)
    return attacks(summary.documents.need(AttackDocument), str(image.reference.digest) if image else "")


def _reality(summary: RunSummary) -> tuple[tuple[str, list[Fact]], ...]:
    return (
        ("What was real", really(summary)),
        ("What a local stand-in did", stood_in(summary)),
        ("What was not run", left_undone(summary)),
    )


_MADE: tuple[tuple[str, str, Callable[[RunSummary], object]], ...] = (
    ("stages", "Stages", timeline),
    ("findings", "Findings", findings),
    ("chain", "From source to cluster", chain),
    ("composition", "What the image is made of", composition),
    ("changes", "What changed since the last release", _changes),
    ("reality", "Real, stand-in, not run", _reality),
    ("proofs", "What is not proved", _proofs),
    ("discovery", "Who finds the evidence", _discovery),
    ("attacks", "Attacks that were tried", _attacks),
)
