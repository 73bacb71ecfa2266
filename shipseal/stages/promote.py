"""Move the tags, last of all, to the digest that was verified, and attach the signed summary of that verification."""

from collections.abc import Sequence
from pathlib import Path

from shipseal.digest import Digest, Reference
from shipseal.distribution.listing import require_listed
from shipseal.distribution.moving import Moves, move, moves
from shipseal.distribution.registry import Registry
from shipseal.documents.attest import EffectsDocument, Kind
from shipseal.documents.image import ImageDocument
from shipseal.documents.promote import NOWHERE, TagsDocument
from shipseal.documents.publish import PublishedDocument
from shipseal.documents.verify import VerificationDocument
from shipseal.engine.stage import Context
from shipseal.engine.workspace import scratch
from shipseal.errors import VerificationFailed
from shipseal.evidence.release_check import look_after, require_planned
from shipseal.evidence.signing_journal import forget, place_for, signed_before
from shipseal.evidence.statements import SUMMARY
from shipseal.oci.layout import Layout
from shipseal.oci.models import OciConfiguration, OciManifest
from shipseal.signing.roots import public_root
from shipseal.verification.adoption import Adoption, attached_there
from shipseal.verification.both_verifiers import Both
from shipseal.verification.decision import ImageIndex
from shipseal.verification.piece import SignedStatement, lay

_VERSION = "org.opencontainers.image.version"


async def promote(context: Context) -> str:
    """Write tags.json.

    Raises:
        VerificationFailed: what was built, what `publish` has pushed and what `verify` has verified are not one image,
            or it says that it is of another version.
    """
    reference, subjects = _one_image(context)
    digest = reference.digest
    files = context.world.content(context.out, context.of("publish"))
    async with (
        context.world.registry(context.tools, files, writable=True) as registry,
        scratch(context) as work,
    ):
        layout = Layout.create(work / "layout")
        for subject in subjects:
            layout.put(await registry.manifest(subject))
        for bundle in context.of("attest").glob("bundles/*.sigstore.json"):
            layout.put(bundle.read_bytes())  # it need not be fetched
        version = await _version(context, registry, layout, digest)
        await moves(registry, version, digest, latest=context.config.registry.latest)
        summary = await _summary(context, registry, layout, digest, work)
        (context.out / "summary.sigstore.json").write_bytes(summary.bundle)
        await _attach(context, registry, subjects, summary, layout, work)
        planned, now = await _move(registry, version, digest, latest=context.config.registry.latest)
        await _require_planned(context, registry, now, layout, summary)
    forget(context)
    TagsDocument(
        digest=digest,
        tags=tuple(planned.before),
        before={tag: str(old) if old else NOWHERE for tag, old in planned.before.items()},
        stay=planned.stay,
    ).write(context)
    stay = "".join(f"; {tag} stays at {newer}, which is newer" for tag, newer in planned.stay.items())
    return f"{', '.join(planned.before)} -> {digest}{stay}"


def _one_image(context: Context) -> tuple[Reference, Sequence[Digest]]:
    """Return what was published, and its manifests with the index last; it must be what was built and verified."""
    published, image = PublishedDocument.read(context), ImageDocument.read(context)
    *platforms, index = published.subjects
    said = {
        "to be tagged": Reference.parse(f"{context.config.image.repository}@{index}"),
        "built": image.reference,
        "published": published.reference,
        "verified": VerificationDocument.read(context).reference,
    }
    if len(set(said.values())) != 1 or {*platforms} != {*image.manifests.values()}:
        raise VerificationFailed(
            "what was built, published and verified is not one image",
            why=[f"{role:<12} {reference}" for role, reference in said.items()],
            remedy="run the release again: it begins with what has changed",
        )
    return published.reference, published.subjects


async def _version(context: Context, registry: Registry, layout: Layout, index: Digest) -> str:
    """Return the version that the published image itself says that it is; the run's own word must be the same."""
    found = {ImageDocument.read(context).service.version}
    for platform in layout.image(index)[1]:
        manifest = OciManifest.of(layout.read(platform.digest), platform.digest, f"the manifest for {platform.name}")
        at, what = manifest.config.digest, f"the configuration for {platform.name}"
        said = OciConfiguration.of(await registry.blob(at), at, what)
        found.add(str(said.config.labels.get(_VERSION)))
    if len(found) != 1:
        raise VerificationFailed(
            "the image and this run do not name one version",
            why=sorted(found),
            remedy="run the release again: the tag of a version has to be on the image of that version",
        )
    return str(found.pop())


async def _summary(context: Context, registry: Registry, layout: Layout, digest: Digest, work: Path) -> SignedStatement:
    """Return the signed summary of this verification: the one that is attached already, or one that is signed now."""
    statement = context.of("verify") / "summary.json"
    if context.world.public:  # the registry of a dry run is a copy of what `publish` has left
        platforms = {each.name: each.digest for each in layout.image(digest)[1]}
        subjects = {digest: "the image", **{at: name for name, at in platforms.items()}}
        policy, _ = context.world.policy()
        name = policy.rules.repository or context.config.image.repository
        found = [*await attached_there(registry, subjects, layout), *signed_before(context, digest)]
        adoption = Adoption(policy, ImageIndex(digest, platforms, name), _both(context), context.now, found)
        if there := (await adoption.adopt({"summary": statement.read_bytes()}, work)).get("summary"):
            return there
    async with context.world.signer(context.tools, context.out) as signer:
        context.say("signing the verification summary")
        return await _both(context).sign(signer, statement, place_for(context, SUMMARY), {})


def _both(context: Context) -> Both:
    policy, directory = context.world.policy()
    left = context.out / "trusted_root.json"
    root = policy.root(left if left.exists() else None, public_root(), directory)
    return Both.by(context.tools, root, policy.keys)


async def _attach(
    context: Context,
    registry: Registry,
    subjects: Sequence[Digest],
    summary: SignedStatement,
    layout: Layout,
    work: Path,
) -> None:
    """Attach the summary to each of its subjects that does not have it."""
    for subject in subjects:
        if subject not in summary.missing:
            context.say(f"the verification summary is attached to {subject} already")
            continue
        context.say(f"attaching the verification summary to {subject}")
        (referrer,) = lay([summary], layout, [layout.described(subject)])
        await registry.push(layout.path, Digest.parse(referrer["digest"]), recursive=False)
        await require_listed(registry, subject, [referrer], work)


async def _require_planned(
    context: Context, registry: Registry, now: Moves, layout: Layout, summary: SignedStatement
) -> None:
    """Raise `VerificationFailed` where the registry has more or less of this release than `attest` had planned."""
    effects = EffectsDocument.read(context)
    policy, directory = context.world.policy()
    roots = {policy.root(each if each.exists() else None, public_root(), directory): None for each in _left(context)}
    trusted = [(Both.by(context.tools, root, policy.keys), policy.signers) for root in roots]
    own = {*PublishedDocument.read(context).bundles, Digest.of(summary.bundle)}
    names = {each.name for each in effects.of(Kind.REFERRER)} - {SUMMARY}
    statements = {name: context.read("attest", f"statements/{name}.json") for name in names}
    statements[SUMMARY] = context.read("verify", "summary.json")
    context.say("holding the registry against the plan")
    after = await look_after(registry, effects, now, layout, trusted)
    for line in require_planned(effects, after, statements, own):
        context.say(f"another release of the same bytes went on meanwhile: {line}")


def _left(context: Context) -> tuple[Path, Path]:
    """Return where the authorities of a dry run leave their trust roots; a release's is somewhere else."""
    return context.of("attest") / "trusted_root.json", context.out / "trusted_root.json"


async def _move(registry: Registry, version: str, digest: Digest, *, latest: bool) -> tuple[Moves, Moves]:
    """Move the tags, and return where they were before, and where they are a moment later.

    Another release may move a line's tag meanwhile. Whose it is, the version's own tag says, so it is moved once more.
    """
    before = await move(registry, version, digest, latest=latest)
    now = await moves(registry, version, digest, latest=latest)
    if any(at != digest for at in now.before.values()):
        await move(registry, version, digest, latest=latest)
        now = await moves(registry, version, digest, latest=latest)
    return before, now
