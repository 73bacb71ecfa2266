"""Say what a release writes outside, effect by effect: what `plan` prints, and what a release is held against.

An effect is a state of somebody else's service that was not there before, or is there already: a blob, a manifest, a
certificate, an entry in a log, a referrer that is listed at its subject, a tag. How often it took a request is not one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shipseal.digest import Digest
from shipseal.distribution.moving import Moves
from shipseal.distribution.referrers import EMPTY
from shipseal.distribution.state import RegistryState
from shipseal.documents.attest import Effect, EffectsDocument, Kind
from shipseal.signing.services import Services
from shipseal.statements.unsigned_statement import Planned
from shipseal.verification.piece import SignedStatement


@dataclass(frozen=True)
class ImagePart:
    """A piece of an image: its role in words, its digest and its bytes."""

    kind: Kind
    name: str
    digest: Digest
    size: int

    def effect(self, repository: str, state: RegistryState) -> Effect:
        """Return what it is to push it, where the registry may have it."""
        there = self.digest in state.stored
        return Effect(kind=self.kind, name=self.name, at=repository, digest=self.digest, there=there, size=self.size)


NONE = EffectsDocument(effects=(), listed={}, tags=frozenset())
"""What nothing does."""


def effects_of(
    repository: str,
    parts: Iterable[ImagePart],
    statements: Sequence[tuple[Planned, SignedStatement | None]],
    services: Services,
    before: tuple[RegistryState, Moves],
    image: Sequence[Mapping[str, object]],
) -> EffectsDocument:
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
    described = {Digest.parse(str(each["digest"])): each for each in image}
    digest = next(iter(described))
    empty = ImagePart(Kind.BLOB, "the empty configuration", Digest.of(EMPTY), len(EMPTY))
    every = [part.effect(repository, state) for part in (*parts, empty)]
    for planned, piece in statements:
        every += _adopted(repository, planned, piece, described) if piece else _signed(repository, planned, services)
    for name, at in moves.before.items():
        every.append(Effect(kind=Kind.TAG, name=name, at=repository, digest=digest, there=at == digest))
    return EffectsDocument(effects=tuple(every), listed=state.listed, tags=frozenset(moves.names))


def _signed(repository: str, planned: Planned, services: Services) -> Iterator[Effect]:
    """Yield what comes of a new signature: where each thing will be is known, and no digest of it."""
    where = [(Kind.CERTIFICATE, services.authority)] if services.authority else []
    where += [(Kind.ENTRY, log) for log in services.logs]
    where += [(Kind.TIMESTAMP, stamps) for stamps in services.timestamps]
    where += [(Kind.BUNDLE, repository), *((Kind.REFERRER, str(subject.digest)) for subject in planned.subjects)]
    for kind, at in where:
        yield Effect(kind=kind, name=planned.name, at=at, digest=None, type=planned.kind)


def _adopted(
    repository: str, planned: Planned, piece: SignedStatement, described: Mapping[Digest, Mapping[str, object]]
) -> Iterator[Effect]:
    def known(kind: Kind, at: str, data: bytes, *, there: bool) -> Effect:
        return Effect(
            kind=kind, name=planned.name, at=at, digest=Digest.of(data), there=there, size=len(data), type=planned.kind
        )

    # Else it was signed by a run that was killed before it pushed.
    yield known(Kind.BUNDLE, repository, piece.bundle, there=bool(piece.places))
    for subject in planned.subjects:
        manifest = piece.at(described[subject.digest]).manifest
        yield known(Kind.REFERRER, str(subject.digest), manifest, there=subject.digest in piece.places)


def counted(effects: EffectsDocument) -> Iterator[str]:
    """Yield how many effects of each kind there are to be, and how many bytes of those whose size is known."""
    for kind in Kind:
        new = [each for each in effects.written if each.kind is kind]
        size = sum(each.size for each in new)
        if new:
            yield f"{kind.number(len(new))}{f' ({size} bytes)' if size else ''}"
