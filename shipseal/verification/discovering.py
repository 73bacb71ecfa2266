"""Look for what is attached to an image by the ways of consumers, with the real tools where they run here.

Cosign is asked over the registry itself here, as a consumer asks it. It reads what is attached, of any size, so that is
done only where an examination has found nothing else than bundles whose sizes are known.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from shipseal.digest import Digest, Reference
from shipseal.distribution.registry import Registry
from shipseal.documents.verify import DiscoveryDocument
from shipseal.errors import RemoteFailed, ToolFailed
from shipseal.signing.cosign import signed_by
from shipseal.signing.keys import Keys
from shipseal.tools.outputs import Completed
from shipseal.verification.consumer import Examination
from shipseal.verification.discovery import LEGACY, DiscoveryMethod, Keeps, described, discovery, emulated

_TREE = re.compile(r"(\S{1,300}) artifacts via OCI referrer:")
_SECONDS = 60
_STRANGE = "not asked: things are attached that are none of ours, and it would read them whatever their size"


async def discover(
    registry: Registry, reference: Reference, found: Examination, *, where: str, root: Path, keys: Keys, work: Path
) -> DiscoveryDocument:
    """Look for what an examination has accepted at the digest of the image's index.

    Args:
        registry: where the image is.
        reference: its name.
        found: the examination of it.
        where: what the registry is called: its name, or what it is that stands in for it.
        root: the trust root.
        keys: the keys that may sign.
        work: a directory for files.

    Raises:
        RemoteFailed: the registry did not answer as it should. A tool that finds nothing, or fails, is a result.
    """
    subject = reference.digest
    kinds = {each.bundle: each.kind for each in found.statements if subject in each.attached_to}
    known = {manifest: kinds[bundle] for manifest, bundle in found.manifests.items() if bundle in kinds}
    keeps = Keeps.API if await registry.has_referrers_api(subject) else Keeps.INDEX
    listed = await registry.referrers(subject)
    legacy = await _legacy(registry, subject)
    ways = [
        await _verified(registry, reference, found, root, keys, work),
        await _tree(registry, reference, found),
        described("oras discover", listed),
        await _fallback(registry, subject, keeps),
        DiscoveryMethod("the tags .sig and .att", measured=True, says=legacy),
        *emulated(listed, known, legacy),
    ]
    return discovery(reference, where, keeps, kinds.values(), ways)


async def _verified(
    registry: Registry, reference: Reference, found: Examination, root: Path, keys: Keys, work: Path
) -> DiscoveryMethod:
    """Have Cosign look for itself, as each of those who have signed."""
    name = "cosign verify"
    if found.passed_over:
        return DiscoveryMethod(name, measured=False, says=_STRANGE)
    kinds: set[str] = set()
    try:
        for who in sorted({each.signed.who for each in found.statements}):
            output = work / f"{uuid4().hex}.txt"
            signer = ("--trusted-root", str(root), *signed_by(who, keys, work))
            await _cosign(registry, "verify", reference, "--output", "text", *signer, to=output)
            with output.open("rb") as lines:
                kinds |= {json.loads(each)["critical"]["type"] for each in lines}
    except ToolFailed as error:
        return _failed(name, error)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return DiscoveryMethod(name, measured=True, says=f"it printed what nobody expected: {type(error).__name__}")
    return DiscoveryMethod(name, measured=True, found=frozenset(kinds))


async def _tree(registry: Registry, reference: Reference, found: Examination) -> DiscoveryMethod:
    name = "cosign tree"
    if found.passed_over:
        return DiscoveryMethod(name, measured=False, says=_STRANGE)
    try:
        done = await _cosign(registry, "tree", reference)
    except ToolFailed as error:
        return _failed(name, error)
    return DiscoveryMethod(name, measured=True, found=frozenset(_TREE.findall(done.stdout.decode("utf-8", "replace"))))


def _failed(name: str, error: ToolFailed) -> DiscoveryMethod:
    return DiscoveryMethod(name, measured=True, says="; ".join((error.what, *error.why[-1:])))


async def _cosign(
    registry: Registry, verb: str, reference: Reference, *arguments: str, to: Path | None = None
) -> Completed:
    trusted = ("--registry-cacert", str(registry.ca_file)) if registry.ca_file else ()
    plain = ("--allow-http-registry",) if registry.plain_http else ()
    name = f"{registry.host}/{registry.repository}@{reference.digest}"
    return await registry.tools.run(
        "cosign", verb, *arguments, *trusted, *plain, name, env=registry.environment, timeout=_SECONDS, stdout_to=to
    )


async def _fallback(registry: Registry, subject: Digest, keeps: Keeps) -> DiscoveryMethod:
    """Read the tag in the place of the referrers API, which ORAS and Cosign read where there is no API."""
    name = f"the tag {subject.algorithm}-DIGEST"
    there = await registry.tagged(f"{subject.algorithm}-{subject.hex}")
    if there is None:
        why = "the registry has the API, and clients write no such tag" if keeps is Keeps.API else "there is none"
        return DiscoveryMethod(name, measured=True, says=why)
    return described(name, _listed(there))


def _listed(index: bytes) -> Sequence[Mapping[str, object]]:
    try:
        return [each for each in json.loads(index)["manifests"] if isinstance(each, dict)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


async def _legacy(registry: Registry, subject: Digest) -> str:
    names = [f"{subject.algorithm}-{subject.hex}.{suffix}" for suffix in ("sig", "att")]
    there = [name.rpartition(".")[2] for name in names if await _resolved(registry, name)]
    return f"others have put something there, and it was not read: .{', .'.join(there)}" if there else LEGACY


async def _resolved(registry: Registry, tag: str) -> bool:
    try:
        return await registry.resolve(tag) is not None
    except RemoteFailed:
        return True  # something answers there that is no manifest
