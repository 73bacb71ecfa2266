"""Read what was signed: an in-toto statement of version 1, and where it was found. Pure."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.statements.builders import STATEMENT_TYPE, Signed

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Statement:
    """A verified in-toto statement, the bundle that it came in, and the manifests that the bundle is attached to.

    `names` are those that it gives to its subjects; empty where it gives none.
    """

    bundle: Digest
    attached_to: frozenset[Digest]
    signed: Signed
    kind: str
    subjects: frozenset[Digest]
    names: frozenset[tuple[Digest, str]]
    predicate: object

    @classmethod
    def read(cls, bundle: Digest, attached_to: Iterable[Digest], signed: Signed) -> Self:
        """Read what was signed; raise `VerificationFailed` when it is no in-toto statement of version 1."""
        match _json(signed.statement):
            case {"_type": str(version), "subject": list(subjects), "predicateType": str(kind), **rest} if (
                version == STATEMENT_TYPE
            ):
                named = frozenset(_subjects(subjects))
                places, about = frozenset(attached_to), frozenset(digest for digest, _ in named)
                return cls(bundle, places, signed, kind, about, named, rest.get("predicate"))
        raise VerificationFailed("what was signed is not an in-toto statement of version 1")

    def speaks_of(self, subject: Digest) -> bool:
        """Say whether it is attached to a subject and names it."""
        return subject in self.attached_to and subject in self.subjects


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _subjects(subjects: Iterable[object]) -> Iterator[tuple[Digest, str]]:
    """Yield the digests that a statement names, with the names for them; what is malformed names nothing."""
    for subject in subjects:
        match subject:
            case {"digest": {"sha256": str(digits)}, **rest} if _SHA256.fullmatch(digits):
                yield Digest("sha256", digits), str(rest.get("name") or "")
