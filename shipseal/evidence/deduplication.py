"""Push no second piece of evidence: another release of the same bytes may have attached its own since this one signed.

That one has ended where this one was killed, on another machine perhaps. What it has attached is taken in the place of
what means the same here, and was not pushed yet.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from shipseal.digest import Digest
from shipseal.distribution.registry import Registry
from shipseal.distribution.state import RegistryState, look
from shipseal.documents.attest import EffectsDocument, Kind
from shipseal.documents.image import ImageDocument
from shipseal.engine.stage import Context
from shipseal.evidence.foreseeing import adoption_of
from shipseal.evidence.statements import SUMMARY
from shipseal.oci.layout import Layout
from shipseal.oci.models import OciReferrer
from shipseal.verification.adoption import attached_there
from shipseal.verification.piece import lay


async def without_seconds(
    context: Context, registry: Registry, image: ImageDocument, layout: Layout, work: Path
) -> Layout:
    """Return what is to be pushed: a layout as it is, or a copy of it with what others have attached meanwhile.

    Args:
        context: of the stage that pushes.
        registry: where it goes.
        image: `image/image.json`.
        layout: the image with its evidence, as it was signed.
        work: a directory for the copy, and for what is fetched.

    Raises:
        VerificationFailed: the two verifiers disagree about what is there.
        RemoteFailed: the registry does not answer as it should.
    """
    effects = EffectsDocument.read(context)
    subjects = {Digest.parse(each.at): each.at for each in effects.of(Kind.REFERRER)}
    state = await look(registry, (), (), subjects)
    ours = _referrers(layout)
    known = {subject: {*effects.listed.get(subject, ()), *map(str, ours)} for subject in subjects}
    if all(found <= known[subject] for subject, found in state.listed.items()):
        return layout
    context.say("others have attached something since it was signed: looking whether it says the same")
    seen = Layout.create(work / "meanwhile")
    for subject in subjects:
        seen.put(layout.read(subject))
    found = await attached_there(registry, subjects, seen, known)
    statements = _unpushed(context, effects, ours, state)
    theirs = await replace(adoption_of(context, image), found=found).adopt(statements, work)
    if not theirs:
        return layout
    context.say(f"attached meanwhile by another release: {', '.join(theirs)}")
    left_out = {_bundle(context, name) for name in theirs}
    referrers = {each for each, bundle in ours.items() if bundle in left_out}
    released = layout.copy_to(work / "released").without(left_out | referrers)
    index, platforms = released.image(image.digest)
    lay(theirs.values(), released, [index, *(each.descriptor for each in platforms)])
    return released


def _unpushed(
    context: Context, effects: EffectsDocument, ours: Mapping[Digest, Digest], state: RegistryState
) -> dict[str, bytes]:
    """Return the statements that were signed here and are attached nowhere yet, by name."""
    listed = {digest for found in state.listed.values() for digest in found}
    pushed = {bundle for manifest, bundle in ours.items() if str(manifest) in listed}
    names = [each.name for each in effects.of(Kind.BUNDLE) if not each.there and each.name != SUMMARY]
    return {
        name: context.read("attest", f"statements/{name}.json")
        for name in names
        if _bundle(context, name) not in pushed
    }


def _bundle(context: Context, name: str) -> Digest:
    return Digest.of(context.read("attest", f"bundles/{name}.sigstore.json"))


def _referrers(layout: Layout) -> dict[Digest, Digest]:
    """Return the bundle that each manifest of a layout attaches."""
    found: dict[Digest, Digest] = {}
    for item in layout.listed():
        digest = Digest.parse(item["digest"])
        manifest = OciReferrer.of(layout.read(digest), digest, "a manifest of attest/layout")
        if manifest.subject and manifest.layers:
            found[digest] = manifest.layers[0].digest
    return found
