"""Sign what a deploy has to say of an image, and attach it to the image: once, however often the deploy is repeated."""

from collections.abc import Collection, Mapping

from shipseal.distribution.attaching import push
from shipseal.engine.stage import Context
from shipseal.errors import VerificationFailed
from shipseal.rollout.preflight import ImageLocation, VerifiedRelease
from shipseal.signing.signer import Signer
from shipseal.statements.builders import PredicateType, Subject
from shipseal.statements.unsigned_statement import Planned
from shipseal.verification.trust import Policy, kind_name


async def require_signer(context: Context, place: ImageLocation) -> None:
    """Raise `VerificationFailed`, before anything is changed, when nobody would believe what we sign of a deploy."""
    where = place.work / "signer"
    where.mkdir()
    async with context.world.signer(context.tools, where) as signer:
        for kind in (PredicateType.RENDERED_SET, PredicateType.DEPLOYMENT):
            _require_allowed(place.policy, signer, kind)


def _require_allowed(policy: Policy, signer: Signer, kind: PredicateType) -> None:
    """Raise `VerificationFailed` when nobody would believe what this signer says of a deploy."""
    promise = signer.promise({})
    if not policy.allows(promise, kind):
        raise VerificationFailed(
            f"the policy {policy.name} does not let the signer of this deploy sign a {kind_name(kind)}",
            why=f"{promise.who.identity}, by {promise.who.issuer}, would sign",
            remedy="nothing was changed: name this signer in verification.toml, or deploy as somebody whom it names",
        )


async def say(
    context: Context,
    place: ImageLocation,
    verified: VerifiedRelease,
    kind: PredicateType,
    predicate: Mapping[str, object],
    apart: Collection[str] = (),
) -> bytes:
    """Return the bundle of a statement about an image, signed and attached unless that has been done before.

    Args:
        context: of the stage; the statement and the bundle are written into its directory.
        place: where the image is.
        verified: the image that it is about, and what is attached to it.
        kind: the type of the statement.
        predicate: what it says.
        apart: keys of the predicate in which an earlier statement of the same may differ.
    """
    name = kind_name(kind)
    where = context.out / name
    where.mkdir(exist_ok=True)
    statement, bundle = where / "statement.json", where / f"{name}.sigstore.json"
    statement.write_bytes(_statement(verified, kind, predicate))
    if (there := attached(context, verified, kind, predicate, apart)) is not None:
        context.say(f"the {name} is attached already")
        bundle.write_bytes(there)
        return there
    async with context.world.signer(context.tools, where) as signer:
        _require_allowed(place.policy, signer, kind)
        context.say(f"signing the {name}")
        await signer.sign(statement, bundle)
    index, _ = verified.layout.image(verified.reference.digest)
    await push(place.registry, verified.layout, bundle.read_bytes(), kind, index, context.now)
    return bundle.read_bytes()


def attached(
    context: Context,
    verified: VerifiedRelease,
    kind: PredicateType,
    predicate: Mapping[str, object],
    apart: Collection[str] = (),
) -> bytes | None:
    """Return the bundle of a statement that says the same and is attached already; None where there is none."""
    if not context.world.public:  # each authority of a dry run is a new one: another's is not adopted
        return None
    return verified.bundle(_statement(verified, kind, predicate), apart)


def _statement(verified: VerifiedRelease, kind: PredicateType, predicate: Mapping[str, object]) -> bytes:
    reference = verified.reference
    subject = Subject(f"{reference.registry}/{reference.repository}", reference.digest)
    return Planned(kind_name(kind), kind, (subject,), predicate).canonical()
