"""A piece of evidence: a bundle that both verifiers accept, what is signed in it, and where it is attached already."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shipseal.digest import Digest
from shipseal.distribution.referrers import BUNDLE_TYPE, EMPTY, MANIFEST_TYPE, Referrer, attach
from shipseal.oci.layout import Layout
from shipseal.verification.decision import Statement


@dataclass(frozen=True)
class SignedStatement:
    """One statement, signed.

    Args:
        bundle: its bytes.
        statement: what is signed, as it will be found: attached to each of its subjects.
        places: the manifest that attaches it, for each subject that has it.
    """

    bundle: bytes
    statement: Statement
    places: Mapping[Digest, bytes] = field(default_factory=dict)

    @property
    def missing(self) -> frozenset[Digest]:
        """The subjects that do not have it yet."""
        return self.statement.subjects - self.places.keys()

    def at(self, subject: Mapping[str, Any]) -> Referrer:
        """Return what attaches it to a subject, which is given by its descriptor: what is there, or the same anywhere.

        Its time is that of the signature, so that whoever attaches it where it is missing attaches the same bytes.
        """
        there = self.places.get(Digest.parse(subject["digest"]))
        if there is None:
            return attach(self.bundle, self.statement.kind, subject, self.statement.signed.signed_at)
        described = {"mediaType": MANIFEST_TYPE, "digest": str(Digest.of(there)), "size": len(there)}
        return Referrer(there, {**described, "artifactType": BUNDLE_TYPE})


def lay(
    pieces: Iterable[SignedStatement], layout: Layout, subjects: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Put evidence into a layout beside what it speaks of, and return the descriptors of what attaches it.

    Args:
        pieces: the evidence.
        layout: has the subjects.
        subjects: descriptors; what a piece says of something else is not laid there.
    """
    layout.put(EMPTY)
    listed: list[Mapping[str, Any]] = []
    for piece in pieces:
        layout.put(piece.bundle)
        for subject in subjects:
            if Digest.parse(subject["digest"]) in piece.statement.subjects:
                referrer = piece.at(subject)
                layout.put(referrer.manifest)
                listed.append(referrer.descriptor)
    layout.list_more(listed)
    return listed
