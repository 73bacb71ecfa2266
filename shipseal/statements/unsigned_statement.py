"""A statement that is to be signed: what it is called, what it speaks of and what it says. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from shipseal.errors import VerificationFailed
from shipseal.statements.builders import PredicateType, Subject, statement


@dataclass(frozen=True)
class Planned:
    """A statement to be made: its name in the run directory, its type, what it speaks of and what it says."""

    name: str
    kind: PredicateType
    subjects: tuple[Subject, ...]
    predicate: Mapping[str, Any]

    def canonical(self) -> bytes:
        """Return the bytes that are signed (RFC 8785).

        Raises:
            VerificationFailed: it has a value that is no text, or a number that other languages read as another one.
        """
        try:
            return rfc8785.dumps(statement(self.kind, self.subjects, self.predicate))
        except (ValueError, RecursionError) as error:
            raise VerificationFailed(
                f"the statement {self.name} has a value that cannot be signed",
                why=str(error),
                remedy="find the stage whose document it repeats, and run that again",
            ) from error
