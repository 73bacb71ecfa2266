"""Say what is known of the image in signed statements, and put each beside the image that it speaks of.

The digest is known before anything is pushed, so signatures come before publication: no unsigned image is ever there.
"""

from dataclasses import replace
from pathlib import Path

from shipseal.distribution.moving import require_writable
from shipseal.distribution.referrers import EMPTY
from shipseal.distribution.registry import Registry
from shipseal.documents.attest import Kind
from shipseal.documents.image import ImageDocument
from shipseal.documents.verdict import VerdictDocument
from shipseal.engine.stage import Context
from shipseal.engine.workspace import scratch
from shipseal.errors import VerificationFailed
from shipseal.evidence.foreseeing import Foreseen, There, foresee, look_there
from shipseal.evidence.signing_journal import forget, place_for, signed_before
from shipseal.evidence.statements import claims_of
from shipseal.judging.policy import require_fresh
from shipseal.oci.layout import Layout
from shipseal.signing.identity import Certified
from shipseal.signing.signer import Signer
from shipseal.statements.unsigned_statement import Planned
from shipseal.times import read_time
from shipseal.verification.piece import SignedStatement, lay
from shipseal.verification.rehearsal import rehearse


async def attest(context: Context) -> str:
    """Write statements/, bundles/ and layout/: the image with every bundle as a referrer of each of its subjects.

    Raises:
        RemoteFailed: the registry does not let this login in, or not write, so that what is logged for good would not
            be published; or the signing services refused.
        UsageError: the version has been released with other bytes.
        VerificationFailed: the evidence is not of this image, or `verify` would refuse it once it is signed.
        PolicyDenied: the verdict is too old.
    """
    image = ImageDocument.read(context)
    digest = image.digest
    layout = Layout.of_image(context.of("image") / "layout", digest).copy_to(context.out / "layout")
    layout.check_image(digest)
    _require_same(image, layout)
    require_fresh(read_time(VerdictDocument.read(context).judged), context.now)
    for name in ("statements", "bundles"):
        (context.out / name).mkdir()
    latest = context.config.registry.latest
    there = There.nothing(image.service.version, latest=latest)
    async with scratch(context) as work:

        async def ask(registry: Registry) -> None:
            nonlocal there
            context.say("asking the registry what it has, and which tags")
            there = await look_there(registry, image, layout, work, latest=latest)
            there = replace(there, attached=(*there.attached, *signed_before(context, digest)))

        await context.world.preflight(context.tools, ask)
        async with context.world.signer(context.tools, context.out) as signer:
            seen = await foresee(context, image, layout, signer, there, work)
            pieces = await _sign(context, seen, signer, layout)
    for each in seen.planned:
        _statement(context.out, each).write_bytes(pieces[each.name].statement.signed.statement)
        _bundle(context.out, each).write_bytes(pieces[each.name].bundle)
    index, platforms = layout.image(digest)
    lay([pieces[each.name] for each in seen.planned], layout, [index, *(each.descriptor for each in platforms)])
    forget(context)
    signed = f"{len(pieces) - len(seen.pieces)} statements signed by {signer.authority}"
    adopted = f", {len(seen.pieces)} found signed" if seen.pieces else ""
    return f"{signed}{adopted}, attached to {1 + len(platforms)} manifests"


async def _sign(context: Context, seen: Foreseen, signer: Signer, layout: Layout) -> dict[str, SignedStatement]:
    """Write down what will be done, sign what is not signed already, and return all of it by name."""
    claims, pieces = claims_of(context), dict(seen.pieces)
    for each in seen.planned:
        _statement(context.out, each).write_bytes(each.canonical())
    seen.effects.write(context)
    _rehearse(context, seen, signer.promise(claims))
    layout.put(EMPTY)
    missing = [each.digest for each in seen.effects.of(Kind.BLOB) if each.digest and not each.there]

    async def may_write(registry: Registry) -> None:
        context.say("asking the registry whether this login may write")
        await require_writable(registry, layout, missing)

    if missing:
        await context.world.preflight(context.tools, may_write)
    for each in seen.planned:
        if each.name not in pieces:
            context.say(f"signing {each.name}")
            statement, bundle = _statement(context.out, each), place_for(context, each.name)
            pieces[each.name] = await seen.adoption.both.sign(signer, statement, bundle, claims)
    return pieces


def _rehearse(context: Context, seen: Foreseen, promise: Certified) -> None:
    """Raise `VerificationFailed` where `verify` would refuse what is signed already and what will be."""
    made = [_statement(context.out, each).read_bytes() for each in seen.planned if each.name not in seen.pieces]
    there = [each.statement for each in seen.pieces.values()]
    rehearse(seen.adoption.policy, seen.adoption.image, made, promise, context.now, there)


def _statement(out: Path, planned: Planned) -> Path:
    return out / "statements" / f"{planned.name}.json"


def _require_same(image: ImageDocument, layout: Layout) -> None:
    """Refuse to sign for platforms that the image has not."""
    said, found = image.manifests, {platform.name: platform.digest for platform in layout.image(image.digest)[1]}
    if said != found:
        raise VerificationFailed(
            "image/image.json has other platforms than the image itself",
            why=[f"{name}: {at}" for name, at in sorted(said.items() ^ found.items())],
            remedy="run `shipseal stage image` again, and find out who wrote it",
        )


def _bundle(out: Path, planned: Planned) -> Path:
    return out / "bundles" / f"{planned.name}.sigstore.json"
