"""Say what a release writes outside, effect by effect: what `plan` prints, and what a release is held against.

An effect is a state of somebody else's service that was not there before, or is there already: a blob, a manifest, a
certificate, an entry in a log, a referrer that is listed at its subject, a tag. How often it took a request is not one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from shipseal.attestation.piece import Piece
from shipseal.attestation.planned import Planned
from shipseal.attestation.services import Services
from shipseal.digest import Digest
from shipseal.distribution.moving import Moves
from shipseal.distribution.referrers import EMPTY
from shipseal.distribution.state import State
from shipseal.errors import VerificationFailed


class Kind(StrEnum):
    """What kinds of effects there are, in the order in which a release has them."""

    BLOB = "blob"
    MANIFEST = "manifest"
    CERTIFICATE = "certificate"
    ENTRY = "log entry"
    TIMESTAMP = "timestamp"
    BUNDLE = "bundle"
    REFERRER = "referrer"
    TAG = "tag"

    def number(self, count: int) -> str:
        """Return so many of these in words."""
        return (
            f"{count} {self}" if count == 1 else f"{count} {self.removesuffix('y')}{'ies' if self[-1] == 'y' else 's'}"
        )


@dataclass(frozen=True)
class Effect:
    """One effect.

    Args:
        kind: what it is.
        name: of what: a part of the image, a statement, a tag.
        at: where: the repository, the subject of a referrer, a service.
        digest: of what is or will be there; None for what is known only once it is signed, and for services.
        there: whether it is there already, so that nothing is written.
        size: bytes that are sent for it, where they are known.
        type: of a statement, the URI that consumers look for.
    """

    kind: Kind
    name: str
    at: str
    digest: Digest | None = None
    there: bool = False
    size: int = 0
    type: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        digest = str(self.digest) if self.digest else None
        return {**vars(self), "kind": str(self.kind), "type": str(self.type), "digest": digest}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `as_json` has written."""
        digest = Digest.parse(value["digest"]) if value["digest"] else None
        return cls(**{**value, "kind": Kind(value["kind"]), "digest": digest})

    def line(self) -> str:
        """Return it for people."""
        known = str(self.digest) if self.digest else "digest known once it is signed"
        what = known if self.kind in {Kind.BLOB, Kind.MANIFEST, Kind.BUNDLE} else ""
        what = f"at {self.at}, {known}" if self.kind is Kind.REFERRER else what or f"at {self.at}"
        size = f", {self.size} bytes" if self.size and not self.there else ""
        return f"{self.kind:<11} {self.name}: {what}{size}{' (there already)' if self.there else ''}"


@dataclass(frozen=True)
class Part:
    """A piece of an image: its role in words, its digest and its bytes."""

    kind: Kind
    name: str
    digest: Digest
    size: int


@dataclass(frozen=True)
class Effects:
    """All effects of a release, and how everything was before.

    Args:
        every: each effect.
        listed: the manifests that were listed at each subject before.
        tags: the names of all tags that were there before.
    """

    every: tuple[Effect, ...] = ()
    listed: Mapping[Digest, frozenset[str]] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()

    @property
    def written(self) -> tuple[Effect, ...]:
        """Those that are not there yet."""
        return tuple(each for each in self.every if not each.there)

    def of(self, kind: Kind, name: str = "") -> tuple[Effect, ...]:
        """Return those of a kind, or of one thing only."""
        return tuple(each for each in self.every if each.kind is kind and name in {"", each.name})

    def as_json(self) -> dict[str, Any]:
        """Return them for machines."""
        listed = {str(subject): sorted(found) for subject, found in self.listed.items()}
        return {"effects": [each.as_json() for each in self.every], "listed": listed, "tags": sorted(self.tags)}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `as_json` has written; raise `VerificationFailed` for anything else."""
        try:
            listed = {Digest.parse(subject): frozenset(found) for subject, found in value["listed"].items()}
            return cls(tuple(map(Effect.of_json, value["effects"])), listed, frozenset(value["tags"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise VerificationFailed(
                "attest/effects.json has a shape that this pipeline does not know",
                why=f"{type(error).__name__}: {error}",
                do="run `shipseal stage attest` again, and find out who wrote it",
            ) from error


def effects_of(
    repository: str,
    parts: Iterable[Part],
    statements: Sequence[tuple[Planned, Piece | None]],
    services: Services,
    before: tuple[State, Moves],
    image: Sequence[Mapping[str, Any]],
) -> Effects:
    """Return the effects of a release.

    Args:
        repository: where it goes.
        parts: of the image.
        statements: each that is to be there in the end, with what stands for it already.
        services: who certifies and logs.
        before: what the registry has, and where its tags are.
        image: descriptors of its manifests, the index first.
    """
    state, moves = before
    described = {str(each["digest"]): each for each in image}
    digest = Digest.parse(str(image[0]["digest"]))
    every = [
        Effect(part.kind, part.name, repository, part.digest, part.digest in state.stored, part.size) for part in parts
    ]
    there = Digest.of(EMPTY) in state.stored
    every.append(Effect(Kind.BLOB, "the empty configuration", repository, Digest.of(EMPTY), there, len(EMPTY)))
    for planned, piece in statements:
        every += _adopted(repository, planned, piece, described) if piece else _signed(repository, planned, services)
    for name, at in moves.before.items():
        every.append(Effect(Kind.TAG, name, repository, digest, at == digest))
    return Effects(tuple(every), state.listed, frozenset(moves.names))


def _signed(repository: str, planned: Planned, services: Services) -> Iterator[Effect]:
    name, kind = planned.name, planned.kind
    if services.authority:
        yield Effect(Kind.CERTIFICATE, name, services.authority, type=kind)
    for log in services.logs:
        yield Effect(Kind.ENTRY, name, log, type=kind)
    for stamps in services.timestamps:
        yield Effect(Kind.TIMESTAMP, name, stamps, type=kind)
    yield Effect(Kind.BUNDLE, name, repository, type=kind)
    for subject in planned.subjects:
        yield Effect(Kind.REFERRER, name, str(subject.digest), type=kind)


def _adopted(
    repository: str, planned: Planned, piece: Piece, described: Mapping[str, Mapping[str, Any]]
) -> Iterator[Effect]:
    name, kind, bundle = planned.name, planned.kind, piece.bundle
    attached = bool(piece.places)  # else it was signed by a run that was killed before it pushed
    yield Effect(Kind.BUNDLE, name, repository, Digest.of(bundle), attached, len(bundle), kind)
    for subject in planned.subjects:
        at, there = str(subject.digest), subject.digest in piece.places
        manifest = piece.at(described[at]).manifest
        yield Effect(Kind.REFERRER, name, at, Digest.of(manifest), there, len(manifest), kind)


def counted(effects: Effects) -> Iterator[str]:
    """Yield how many effects of each kind there are to be, and how many bytes of those whose size is known."""
    for kind in Kind:
        new = [each for each in effects.written if each.kind is kind]
        size = sum(each.size for each in new)
        if new:
            yield f"{kind.number(len(new))}{f' ({size} bytes)' if size else ''}"
