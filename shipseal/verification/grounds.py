"""Name why a statement does not count, for code that asks: no text decides anything. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from shipseal.errors import VerificationFailed
from shipseal.statements.builders import PredicateType


class Ground(StrEnum):
    """What is held against a statement, or against there being none."""

    ABSENT = "absent"
    SIGNER = "signer"
    PLACE = "place"
    NAME = "name"
    CONTENT = "content"
    AGE = "age"
    SUBJECT = "subject"
    DENIED = "denied"
    UNJUDGED = "unjudged"


@dataclass(frozen=True, order=True)
class UnmetRequirement:
    """A kind of statement that is required and not there as it should be, and one ground for that."""

    kind: PredicateType
    ground: Ground


@dataclass(frozen=True)
class Objection:
    """One ground, in words."""

    ground: Ground
    words: str


class Lacking(VerificationFailed):
    """Nothing satisfies what is required; `objections` are those against each candidate."""

    def __init__(self, objections: Iterable[Objection]) -> None:
        self.objections = tuple(objections)
        super().__init__("not there", why=[each.words for each in self.objections])

    def of(self, kind: PredicateType) -> frozenset[UnmetRequirement]:
        """Return what is lacking, where it is of a kind."""
        return frozenset(UnmetRequirement(kind, each.ground) for each in self.objections)
