"""Move the tags, last of all, to the digest that was verified, and attach the signed summary of that verification."""

from collections.abc import Sequence

from pipeline.attestation.earlier import SUMMARY, earlier_statement
from pipeline.attestation.roots import public_root
from pipeline.attestation.statements import PredicateType
from pipeline.digest import Digest, Reference
from pipeline.distribution.moving import moves
from pipeline.distribution.referrers import EMPTY, attach
from pipeline.distribution.registry import Registry
from pipeline.engine.stage import Context
from pipeline.engine.workspace import scratch
from pipeline.errors import RemoteFailed, VerificationFailed
from pipeline.oci.bytes import checked_json
from pipeline.oci.layout import Layout

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
        planned = await moves(registry, await _version(context, registry, layout, digest), digest)
        tags = list(planned.before)
        there = await _earlier(context, registry, subjects, layout)
        bundle = next(iter(there.values()), None) or await _sign_summary(context)
        (context.out / "summary.sigstore.json").write_bytes(bundle)
        for subject in subjects:
            if subject in there:
                context.say(f"the verification summary is attached to {subject} already")
                continue
            context.say(f"attaching the verification summary to {subject}")
            await _attach(context, registry, subject, bundle, layout)
        await _move(registry, digest, tags)
    context.write_json(
        "tags.json",
        {
            "digest": str(digest),
            "tags": tags,
            "before": {tag: str(old) if old else "there was none" for tag, old in planned.before.items()},
            "stay": dict(planned.stay),
        },
    )
    stay = "".join(f"; {tag} stays at {newer}, which is newer" for tag, newer in planned.stay.items())
    return f"{', '.join(tags)} -> {digest}{stay}"


def _one_image(context: Context) -> tuple[Reference, list[Digest]]:
    """Return what was published, and its manifests with the index last; it must be what was built and verified."""
    receipt, image = context.read_json("publish", "receipt.json"), context.read_json("image", "image.json")
    verification = context.read_json("verify", "verification.json")
    published, subjects = Reference.parse(receipt["reference"]), [Digest.parse(each) for each in receipt["subjects"]]
    said = {
        "to be tagged": f"{context.config.image.repository}@{subjects[-1]}",
        "built": image["reference"],
        "published": receipt["reference"],
        "verified": verification["reference"],
    }
    platforms = {Digest.parse(entry["digest"]) for entry in image["platforms"].values()}
    if set(said.values()) != {str(published)} or {*subjects[:-1]} != platforms:
        raise VerificationFailed(
            "what was built, published and verified is not one image",
            why=[f"{role:<12} {reference}" for role, reference in said.items()],
            do="run the release again: it begins with what has changed",
        )
    return published, subjects


async def _version(context: Context, registry: Registry, layout: Layout, index: Digest) -> str:
    """Return the version that the published image itself says that it is; the run's own word must be the same."""
    found = {context.read_json("image", "image.json")["service"]["version"]}
    for platform in layout.image(index)[1]:
        manifest = checked_json(layout.read(platform.digest), platform.digest, f"the manifest for {platform.name}")
        configuration = Digest.parse(manifest["config"]["digest"])
        said = checked_json(await registry.blob(configuration), configuration, f"the configuration for {platform.name}")
        found.add(str(((said.get("config") or {}).get("Labels") or {}).get(_VERSION)))
    if len(found) != 1:
        raise VerificationFailed(
            "the image and this run do not name one version",
            why=sorted(found),
            do="run the release again: the tag of a version has to be on the image of that version",
        )
    return str(found.pop())


async def _earlier(
    context: Context, registry: Registry, subjects: Sequence[Digest], layout: Layout
) -> dict[Digest, bytes]:
    """Return this run's summary where it is attached already: a run that was killed here goes on here."""
    if not context.world.public:  # its registry is a copy of what `publish` has left
        return {}
    policy, directory = context.world.policy()
    root, summary = policy.root(None, public_root(), directory), context.read("verify", "summary.json")
    found = {
        each: await earlier_statement(registry, each, summary, policy, root=root, layout=layout, apart=SUMMARY)
        for each in subjects
    }
    return {subject: bundle for subject, bundle in found.items() if bundle}


async def _sign_summary(context: Context) -> bytes:
    bundle = context.out / "summary.sigstore.json"
    async with context.world.signer(context.tools, context.out) as signer:
        context.say("signing the verification summary")
        await signer.sign(context.of("verify") / "summary.json", bundle, {})
    return bundle.read_bytes()


async def _attach(context: Context, registry: Registry, subject: Digest, bundle: bytes, layout: Layout) -> None:
    data = layout.read(subject)
    manifest = checked_json(data, subject, "a manifest of the image")
    referrer = attach(
        bundle,
        PredicateType.SUMMARY,
        {"mediaType": manifest["mediaType"], "digest": str(subject), "size": len(data)},
        context.now,
    )
    for blob in (EMPTY, bundle, referrer.manifest):
        layout.put(blob)
    layout.list_more([referrer.descriptor])
    await registry.push(layout.path, Digest.of(referrer.manifest), recursive=False)
    listed = {str(item["digest"]) for item in await registry.referrers(subject)}
    if str(Digest.of(referrer.manifest)) not in listed:
        raise RemoteFailed(
            f"{registry.host} does not list the verification summary at {subject}",
            do="no tag was moved; run this again",
        )


async def _move(registry: Registry, digest: Digest, tags: list[str]) -> None:
    await registry.tag(digest, *tags)
    for tag in tags:
        if await registry.resolve(tag) != digest:
            raise RemoteFailed(f"{registry.host} says that it moved the tag {tag}, and did not", do="run this again")
