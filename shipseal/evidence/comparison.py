"""Hold what a registry has after a release against the plan: one effect more or less, of the release's own, is named.

What counts is what this release could have done. Others may have attached and tagged what they like meanwhile: no rule
about it could be kept by somebody who does not own the registry.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shipseal.digest import Digest
from shipseal.distribution.moving import Moves
from shipseal.distribution.state import RegistryState
from shipseal.documents.attest import Effect, EffectsDocument, Kind
from shipseal.statements.builders import Signed


@dataclass(frozen=True)
class AttachedBundle:
    """A bundle of an allowed signer that a subject has now, and had not before.

    Args:
        subject: where it is attached.
        manifest: what attaches it.
        bundle: its bytes.
        signed: what both its signature and its signer vouch for.
        meant: the identity of what it means.
    """

    subject: Digest
    manifest: Digest
    bundle: bytes
    signed: Signed
    meant: Digest | None

    @property
    def digest(self) -> Digest:
        """The digest of the bundle."""
        return Digest.of(self.bundle)


@dataclass(frozen=True)
class After:
    """How a registry is after a release.

    Args:
        state: what it has of the image, and lists beside it.
        moves: where the tags are that were to move.
        named: where each tag is that was not there before.
        found: what has been attached since.
    """

    state: RegistryState
    moves: Moves
    named: Mapping[str, Digest | None] = field(default_factory=dict)
    found: Sequence[AttachedBundle] = ()


@dataclass(frozen=True)
class Differences:
    """What a release did otherwise than planned, in words; and what others did meanwhile, which is no fault of it."""

    wrong: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()


def compare(
    effects: EffectsDocument, after: After, meant: Mapping[str, Digest | None], own: Collection[Digest]
) -> Differences:
    """Return how a registry differs from what was planned.

    Args:
        effects: the plan.
        after: the registry.
        meant: what each statement means, by name.
        own: the bundles that this release stands for.
    """
    wrong = [*_stored(effects, after), *_tags(effects, after)]
    seconds: list[tuple[Effect, AttachedBundle]] = []
    first: list[tuple[str, str]] = []
    for effect in effects.of(Kind.REFERRER):
        here = [each for each in after.found if str(each.subject) == effect.at and each.meant == meant[effect.name]]
        ours = [each for each in here if each.digest in own]
        first += [_order(each) for each in ours]
        seconds += [(effect, each) for each in here if each.digest not in own]
        wrong += _referrers(effect, after, ours, len(here))
    for name in [effect.name for effect in effects.of(Kind.BUNDLE) if effect.digest is None]:  # what was to be signed
        wrong += _services(effects, name, [each for each in after.found if each.meant == meant[name]], own)
    # Two releases of the same bytes at once cannot see each other: the one that signed first was there first.
    late = bool(first) and bool(seconds) and min(_order(each) for _, each in seconds) < min(first)
    said = tuple(f"more: {effect.name} at {effect.at} a second time, {each.digest}" for effect, each in seconds)
    return Differences((*wrong, *said), ()) if late else Differences(tuple(wrong), said)


def _order(found: AttachedBundle) -> tuple[str, str]:
    return found.signed.signed_at.isoformat(), str(found.digest)


def _stored(effects: EffectsDocument, after: After) -> Iterator[str]:
    for effect in (*effects.of(Kind.BLOB), *effects.of(Kind.MANIFEST)):
        if effect.digest not in after.state.stored:
            yield f"less: {effect.kind} {effect.name}, {effect.digest}, is not there"


def _tags(effects: EffectsDocument, after: After) -> Iterator[str]:
    """Yield the tags that are not where they should be, and those that name the image and that nobody planned."""
    planned = {effect.name: effect.digest for effect in effects.of(Kind.TAG)}
    for name, digest in planned.items():
        if name not in after.moves.stay and after.moves.before.get(name) != digest:
            yield f"less: tag {name} is at {after.moves.before.get(name)}"
    ours = {effect.digest for effect in effects.effects if effect.digest} | {each.manifest for each in after.found}
    for name, at in after.named.items():
        if name not in planned and at in ours:
            yield f"more: tag {name}, at {at}"


def _referrers(effect: Effect, after: After, ours: Sequence[AttachedBundle], here: int) -> Iterator[str]:
    """Yield what is wrong with one piece of evidence at one subject."""
    listed = after.state.listed.get(Digest.parse(effect.at), frozenset())
    if effect.there:
        if str(effect.digest) not in listed:
            yield f"less: {effect.name} is no longer listed at {effect.at}, {effect.digest}"
    elif not here:
        yield f"less: {effect.name} is not attached to {effect.at}"
    for digest, times in Counter(each.digest for each in ours).items():
        if times > (0 if effect.there else 1):
            yield f"more: {effect.name} at {effect.at} is attached a second time, {digest}"


def _services(
    effects: EffectsDocument, name: str, found: Sequence[AttachedBundle], own: Collection[Digest]
) -> Iterator[str]:
    """Yield where a signature has another number of certificates, log entries and timestamps than planned."""
    for digest, bundle in {each.digest: each.bundle for each in found if each.digest in own}.items():
        material = json.loads(bundle)["verificationMaterial"]
        stamps = material.get("timestampVerificationData") or {}
        entries, times = material.get("tlogEntries") or (), stamps.get("rfc3161Timestamps") or ()
        for kind, there in ((Kind.ENTRY, len(entries)), (Kind.TIMESTAMP, len(times))):
            planned = len(effects.of(kind, name))
            # To Cosign a timestamp authority that does not answer is no failure: whether there is time enough is for
            # the verifiers to say.
            if there > planned or (there < planned and kind is Kind.ENTRY):
                how = "more" if there > planned else "less"
                yield f"{how}: {name}, {digest}, has {kind.number(there)}, not {planned}"
