"""Move the tags, last of all, to the digest that was verified, and attach the signed summary of that verification."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.attestation.earlier import earlier_summary
from pipeline.attestation.statements import PredicateType
from pipeline.attestation.trust import FILENAME
from pipeline.attestation.verifiers import public_root
from pipeline.digest import Digest
from pipeline.distribution.moving import moves
from pipeline.distribution.referrers import EMPTY, attach
from pipeline.distribution.registry import Registry
from pipeline.errors import RemoteFailed, VerificationFailed
from pipeline.image.layout import Layout
from pipeline.judging.policy_files import either, read_policy
from pipeline.stage import Context
from pipeline.venv import scratch


async def promote(context: Context) -> str:
    """Write tags.json; raise `VerificationFailed` unless `verify` has verified what `publish` has pushed."""
    receipt = context.read_json("publish", "receipt.json")
    digest = Digest.parse(receipt["subjects"][-1])
    verified = context.read_json("verify", "verification.json")["digest"]
    if verified != str(digest):
        raise VerificationFailed(
            f"what was verified is not what was published: {verified} and {digest}", do="run the release again"
        )
    version = str(context.read_json("image", "image.json")["service"]["version"])
    subjects = [Digest.parse(subject) for subject in receipt["subjects"]]
    async with context.world.registry(context.tools, _copy(context), writable=True) as registry:
        planned = await moves(registry, version, digest)
        tags = list(planned.before)
        there = await _earlier(context, registry, subjects)
        bundle = next(iter(there.values()), None) or await _sign_summary(context)
        (context.out / "summary.sigstore.json").write_bytes(bundle)
        for subject in subjects:
            if subject in there:
                context.say(f"the verification summary is attached to {subject} already")
                continue
            context.say(f"attaching the verification summary to {subject}")
            await _attach(context, registry, subject, bundle)
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


async def _earlier(context: Context, registry: Registry, subjects: Sequence[Digest]) -> dict[Digest, bytes]:
    """Return this run's summary where it is attached already: a run that was killed here goes on here."""
    if context.world.name == "dry-run":  # its registry is a copy of what `publish` has left
        return {}
    file = either(context.config.policy.directory, FILENAME)
    policy = read_policy(file, "production")
    root, summary = policy.root(None, public_root(), file.parent), context.read("verify", "summary.json")
    found = {each: await earlier_summary(registry, each, summary, policy, root=root) for each in subjects}
    return {subject: bundle for subject, bundle in found.items() if bundle}


async def _sign_summary(context: Context) -> bytes:
    bundle = context.out / "summary.sigstore.json"
    async with context.world.signer(context.tools, context.out) as signer:
        context.say("signing the verification summary")
        await signer.sign(context.of("verify") / "summary.json", bundle, {})
    return bundle.read_bytes()


def _copy(context: Context) -> Path | None:
    """Give a dry run a registry of its own, with the content that `publish` left."""
    if context.world.name != "dry-run":
        return None
    return Path(shutil.copytree(context.of("publish") / "registry", context.out / "registry"))


async def _attach(context: Context, registry: Registry, subject: Digest, bundle: bytes) -> None:
    manifest: dict[str, Any] = json.loads(data := await registry.manifest(subject))
    descriptor = {"mediaType": manifest["mediaType"], "digest": str(subject), "size": len(data)}
    referrer = attach(bundle, PredicateType.SUMMARY, descriptor, context.now)
    async with scratch(context) as work:
        layout = Layout.create(work / "layout")
        for blob in (EMPTY, bundle, data, referrer.manifest):
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
