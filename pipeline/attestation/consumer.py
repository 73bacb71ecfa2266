"""Fetch an image and all that is attached to it from a registry, verify it by both verifiers, and decide.

It needs a reference, a policy and a trust root, and nothing from the run that made the image.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import anyio

from pipeline.attestation.cosign import Cosign, agree, agree_on_any
from pipeline.attestation.statements import Who, timestamp
from pipeline.attestation.trust import Policy, kind_name
from pipeline.attestation.verification import Evidence, Image, Statement, decide
from pipeline.attestation.verifiers import trusted_root, verify_bundle
from pipeline.digest import Digest, Reference
from pipeline.distribution.referrers import Attached, attached
from pipeline.distribution.registry import Registry
from pipeline.errors import VerificationFailed, flatten
from pipeline.image.fetch_image import fetch
from pipeline.toolbox import Toolbox

_AT_ONCE = 4  # Cosign processes; each waits for the registry about half of its time


@dataclass(frozen=True)
class Examination:
    """What was found.

    Args:
        image: the image, which was read byte for byte.
        blobs: how many blobs that were, attachments not counted.
        statements: whose signatures both verifiers accept.
        evidence: which of them satisfies what the policy requires.
        refused: bundles whose signatures neither accepts, with the reason; the policy was satisfied without them.
    """

    image: Image
    blobs: int
    statements: tuple[Statement, ...]
    evidence: tuple[Evidence, ...]
    refused: Mapping[Digest, str]


async def examine(
    registry: Registry, digest: Digest, policy: Policy, *, root: Path, tools: Toolbox, work: Path
) -> Examination:
    """Examine an image.

    Args:
        registry: where it is.
        digest: its index.
        policy: what it must satisfy.
        root: the trust root; both verifiers start from it.
        tools: for Cosign.
        work: an empty directory for what is fetched.

    Raises:
        VerificationFailed: it was altered, does not satisfy the policy, or the two verifiers disagree.
        RemoteFailed: the registry did not answer as it should.
    """
    layout = await fetch(registry, digest, work / "layout")
    blobs = layout.check_image(digest)
    _, platforms = layout.image(digest)
    image = Image(digest, {platform.name: platform.digest for platform in platforms})
    found = [
        item
        for subject in (digest, *image.platforms.values())
        for item in attached(await registry.referrers(subject), subject, layout.read)
    ]
    if not found:
        raise VerificationFailed(f"nothing is attached to {digest}", do="it was never signed: do not use it")
    statements, refused = _verify(found, policy, root)
    await _cross_check(registry, image, policy, statements, Cosign(tools, root, registry.environment))
    return Examination(image, blobs, statements, decide(policy, image, statements, refused), refused)


def _verify(found: Iterable[Attached], policy: Policy, root: Path) -> tuple[tuple[Statement, ...], dict[Digest, str]]:
    """Verify each bundle once by sigstore-python, wherever it is attached."""
    trusted = trusted_root(root)
    places: dict[Digest, set[Digest]] = {}
    bundles: dict[Digest, bytes] = {}
    for item in found:
        places.setdefault(item.digest, set()).add(item.subject)
        bundles[item.digest] = item.bundle
    accepted: list[Statement] = []
    refused: dict[Digest, str] = {}
    for digest, bundle in bundles.items():
        try:
            accepted.append(Statement.read(digest, places[digest], verify_bundle(bundle, trusted, policy.signers)))
        except VerificationFailed as failure:
            refused[digest] = ": ".join((failure.what, *failure.why[:1]))
    return tuple(accepted), refused


async def _cross_check(
    registry: Registry, image: Image, policy: Policy, statements: Sequence[Statement], cosign: Cosign
) -> None:
    """Ask Cosign about every subject, every type and every signer, and compare."""
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def ask(subject: Digest, kind: str, who: Who) -> None:
        async with limit:
            theirs = await cosign.attested(registry.reference(subject), kind, who)
        ours = [each.signed.digest for each in _spoken(statements, subject, who) if each.kind == kind]
        agree(f"{kind} on {subject}", ours, theirs)

    async def ask_for_any(subject: Digest, who: Who) -> None:
        async with limit:
            theirs = await cosign.signed(registry.reference(subject), who)
        agree_on_any(str(subject), bool(_spoken(statements, subject, who)), theirs)

    subjects = (image.digest, *image.platforms.values())
    kinds = sorted({*map(str, policy.require), *(each.kind for each in statements)})
    try:
        async with anyio.create_task_group() as questions:
            for subject, who in product(subjects, policy.signers):
                questions.start_soon(ask_for_any, subject, who)
                for kind in kinds:
                    questions.start_soon(ask, subject, kind, who)
    except ExceptionGroup as failures:
        # One disagreement is enough, and the caller handles one failure.
        raise flatten(failures)[0] from failures


def _spoken(statements: Iterable[Statement], subject: Digest, who: Who) -> list[Statement]:
    return [each for each in statements if each.speaks_of(subject) and each.signed.who == who]


def describe(found: Examination, reference: Reference, policy: Policy, root: Digest) -> dict[str, Any]:
    """Return what was found, for people and for the stages after this one."""
    return {
        "reference": str(reference),
        "digest": str(reference.digest),
        "platforms": {name: str(digest) for name, digest in found.image.platforms.items()},
        "blobs": found.blobs,
        "policy": {"name": policy.name, "digest": str(policy.digest), "trust_root": policy.rules.trust_root},
        "trust_root": str(root),
        "slsa_build_level": policy.rules.slsa_build_level,
        # Each of these was accepted by both: `examine` ends where they disagree.
        "verifiers": ["sigstore-python", "cosign"],
        "statements": [
            {
                "type": each.kind,
                "bundle": str(each.bundle),
                "subjects": sorted(map(str, each.attached_to)),
                "signer": each.signed.who.identity,
                "issuer": each.signed.who.issuer,
                "signed_at": timestamp(each.signed.signed_at),
            }
            for each in found.statements
        ],
        "required": [
            {"kind": kind_name(each.kind), "about": each.scope, "bundle": str(each.statement.bundle)}
            for each in found.evidence
        ],
        "refused": {str(bundle): reason for bundle, reason in sorted(found.refused.items())},
    }
