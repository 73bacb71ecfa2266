"""See what a release has done outside, and hold it against the plan."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from shipseal.digest import Digest
from shipseal.distribution.moving import Moves
from shipseal.distribution.referrers import Attached
from shipseal.distribution.registry import Registry
from shipseal.distribution.state import look
from shipseal.documents.attest import EffectsDocument, Kind
from shipseal.errors import VerificationFailed
from shipseal.evidence.comparison import After, AttachedBundle, compare
from shipseal.oci.layout import Layout
from shipseal.signing.signers import Allowed
from shipseal.statements.builders import Signed
from shipseal.statements.intent import intent
from shipseal.verification.adoption import attached_there
from shipseal.verification.both_verifiers import Both

_MOST = 100  # tags that are new since the release has begun, and asked about


async def look_after(
    registry: Registry,
    effects: EffectsDocument,
    moves: Moves,
    layout: Layout,
    trusted: Sequence[tuple[Both, Iterable[Allowed]]],
) -> After:
    """Ask a registry how it is after a release.

    Args:
        registry: where it went.
        effects: the plan.
        moves: where its tags are now.
        layout: with the manifests of the image; what is fetched is added.
        trusted: the verifiers, each with whom it may accept.

    Raises:
        RemoteFailed: it does not answer.
        VerificationFailed: it gives other bytes than those of a digest.
    """
    subjects = {Digest.parse(each.at): each.at for each in effects.of(Kind.REFERRER)}
    of = {kind: [each.digest for each in effects.of(kind) if each.digest] for kind in (Kind.BLOB, Kind.MANIFEST)}
    state = await look(registry, of[Kind.BLOB], of[Kind.MANIFEST], subjects)
    named = {name: await registry.resolve(name) for name in [*_new(effects, moves)][:_MOST]}
    attached = await attached_there(registry, subjects, layout, effects.listed)
    return After(state, moves, named, [*_found(attached, trusted)])


def _new(effects: EffectsDocument, moves: Moves) -> Iterable[str]:
    """Yield the tags that are new, but for those in place of the referrers API: what they name is no image."""
    indexes = {str(subject).replace(":", "-") for subject in effects.listed}
    planned = {effect.name for effect in effects.of(Kind.TAG)}
    return (name for name in sorted({*moves.names} - effects.tags - planned - indexes))


def _found(attached: Iterable[Attached], trusted: Sequence[tuple[Both, Iterable[Allowed]]]) -> Iterable[AttachedBundle]:
    """Yield what an allowed signer has said since; what anybody else has attached is none of ours."""
    known: dict[Digest, Signed | None] = {}
    for each in attached:
        if each.digest not in known:
            known[each.digest] = _verified(each.bundle, trusted)
        if signed := known[each.digest]:
            yield AttachedBundle(each.subject, Digest.of(each.manifest), each.bundle, signed, intent(signed.statement))


def _verified(bundle: bytes, trusted: Sequence[tuple[Both, Iterable[Allowed]]]) -> Signed | None:
    for both, allowed in trusted:
        with suppress(VerificationFailed):
            return both.first(bundle, allowed)
    return None


def require_planned(
    effects: EffectsDocument, after: After, statements: Mapping[str, bytes], own: Collection[Digest]
) -> tuple[str, ...]:
    """Return what others did meanwhile; raise `VerificationFailed` that names each effect more or less than planned.

    Args:
        effects: the plan.
        after: how the registry is now.
        statements: each that was planned, by name.
        own: the bundles that this release stands for.
    """
    found = compare(effects, after, {name: intent(said) for name, said in statements.items()}, own)
    if found.wrong:
        raise VerificationFailed(
            "this release has not done outside what was planned, or not that alone",
            why=found.wrong,
            remedy="see who else writes to this repository; `stage attest --world release`, "
            "and then `release`, begin anew",
        )
    return found.surplus
