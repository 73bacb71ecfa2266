"""Hold the documents of a run that may be broken off or hostile: each as its model, or why it is not known. Pure.

A document that does not fit its model is not known at all: nothing is told of the part of it that would have fitted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar

from shipseal.documents.attack import AttackDocument
from shipseal.documents.deploy import DeployDocument
from shipseal.documents.document import Kept
from shipseal.documents.facts import FactsDocument
from shipseal.documents.files import FilesDocument
from shipseal.documents.image import ImageDocument
from shipseal.documents.promote import TagsDocument
from shipseal.documents.publish import PublishedDocument
from shipseal.documents.scan import DatabaseDocument, ScanDocument
from shipseal.documents.smoke import SmokeDocument
from shipseal.documents.tools import ToolsDocument
from shipseal.documents.verdict import VerdictDocument
from shipseal.documents.verify import DiscoveryDocument, VerificationDocument
from shipseal.errors import VerificationFailed

Model = TypeVar("Model", bound=Kept)

ONCE: tuple[type[Kept], ...] = (
    FactsDocument,
    ToolsDocument,
    ImageDocument,
    SmokeDocument,
    DatabaseDocument,
    ScanDocument,
    VerdictDocument,
    PublishedDocument,
    VerificationDocument,
    DiscoveryDocument,
    TagsDocument,
    DeployDocument,
)
"""What stages write once, in the order of the stages."""

PER_PLATFORM: tuple[type[Kept], ...] = (FilesDocument,)
"""What a stage writes for each platform, in a directory of its name."""

UNRECORDED: tuple[type[Kept], ...] = (AttackDocument,)
"""What no stage has made, and no record vouches for."""


class NotKnown(ValueError):
    """Something that a part of a page is made of is not known; the text says which file, and why."""


class NotThere(NotKnown):
    """The stage that writes it has left nothing."""


@dataclass(frozen=True)
class Unreadable:
    """A file that should be there and cannot be read, with the reason."""

    why: str


@dataclass(frozen=True)
class Documents:
    """The documents of a run, by `STAGE/FILE`.

    Args:
        known: those that have the shape which this pipeline writes.
        unknown: why each other one that is there is not known, as what is to be said behind its name.
    """

    known: Mapping[str, Kept] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Iterable[tuple[str, bytes | Unreadable]]) -> Self:
        """Read files by their names; none of them makes this fail."""
        known: dict[str, Kept] = {}
        unknown: dict[str, str] = {}
        for name, data in files:
            if isinstance(data, Unreadable):
                unknown[name] = f"cannot be read ({data.why})"
                continue
            try:
                known[name] = _model(name).parse(data, name)
            except VerificationFailed as error:
                unknown[name] = _shapeless("; ".join(error.why))
        return cls(known, unknown)

    def get(self, model: type[Model], place: str = "") -> Model | None:
        """Return a document, or None where it is not known."""
        found = self.known.get(name(model, place))
        return found if isinstance(found, model) else None

    def left(self, model: type[Model], place: str = "") -> Model | None:
        """Return a document, or None where there is none; raise `NotKnown` for one that is there and is not known."""
        named = name(model, place)
        if named in self.unknown:
            raise NotKnown(f"{named} {self.unknown[named]}")
        return self.get(model, place)

    def need(self, model: type[Model], place: str = "") -> Model:
        """Return a document; raise `NotKnown` where it is not known, and `NotThere` where there is none."""
        found = self.left(model, place)
        if found is None:
            raise NotThere(f"{model.STAGE} has left nothing in this run")
        return found

    def __contains__(self, model: type[Model]) -> bool:
        """Say whether a document is there, known or not."""
        return bool({name(model)} & {*self.known, *self.unknown})


def name(model: type[Model], place: str = "") -> str:
    """Return what a document is called in a run directory."""
    return f"{model.STAGE}/{place}/{model.NAME}" if place else f"{model.STAGE}/{model.NAME}"


def malformed(model: type[Model], why: str) -> NotKnown:
    """Return what to raise for a document whose values cannot be, though each has its type."""
    return NotKnown(f"{name(model)} {_shapeless(why)}")


def _shapeless(why: str) -> str:
    return f"is of an unknown shape ({why})"


def _model(named: str) -> type[Kept]:
    stage, _, relative = named.partition("/")
    return _MODELS[stage, relative.rpartition("/")[2]]


_MODELS = {(model.STAGE, model.NAME): model for model in (*ONCE, *PER_PLATFORM, *UNRECORDED)}
