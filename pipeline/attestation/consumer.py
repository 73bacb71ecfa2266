"""Fetch an image and all that is attached to it from a registry, verify it by both verifiers, and decide.

It needs a reference, a policy and a trust root, and nothing from the run that made the image.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import anyio

from pipeline.attestation.cosign import Cosign, agree, lay_out
from pipeline.attestation.roots import newest
from pipeline.attestation.statements import Who
from pipeline.attestation.trust import Policy, kind_name
from pipeline.attestation.verification import Evidence, Image, Statement, Unsatisfied, decide
from pipeline.attestation.verifiers import trusted_root, verify_bundle
from pipeline.digest import Digest, Reference
from pipeline.distribution.collecting import collect
from pipeline.distribution.fetch_image import fetch
from pipeline.distribution.referrers import Attached
from pipeline.distribution.registry import Registry
from pipeline.errors import VerificationFailed, flatten
from pipeline.times import timestamp
from pipeline.tools.toolbox import Toolbox

_AT_ONCE = 4  # Cosign processes


@dataclass(frozen=True)
class Examination:
    """What was found.

    Args:
        image: the image, which was read byte for byte.
        blobs: how many blobs that were, attachments not counted.
        statements: whose signatures both verifiers accept.
        evidence: which of them satisfies what the policy requires.
        refused: bundles whose signatures neither accepts, with the reason; the policy was satisfied without them.
        passed_over: what else is attached to the image, by digest as it is listed, with what it is.
    """

    image: Image
    blobs: int
    statements: tuple[Statement, ...]
    evidence: tuple[Evidence, ...]
    refused: Mapping[str, str]
    passed_over: Mapping[str, str]


async def examine(
    registry: Registry, digest: Digest, policy: Policy, *, root: Path, tools: Toolbox, work: Path, name: str = ""
) -> Examination:
    """Examine an image.

    Args:
        registry: where it is.
        digest: its index.
        policy: what it must satisfy.
        root: the trust root; both verifiers start from it.
        tools: for Cosign.
        work: an empty directory for what is fetched.
        name: the repository that statements must name, unless the policy names another; empty where any will do.

    Raises:
        VerificationFailed: it was altered, does not satisfy the policy, or the two verifiers disagree.
        RemoteFailed: the registry did not answer as it should.
    """
    layout = await fetch(registry, digest, work / "layout")
    blobs = layout.check_image(digest)
    index, platforms = layout.image(digest)
    image = Image(digest, {each.name: each.digest for each in platforms}, policy.rules.repository or name)
    collected = await collect(registry, {digest: "the image", **{each.digest: each.name for each in platforms}}, layout)
    if not collected.found:
        raise Unsatisfied(
            f"nothing is attached to {digest}",
            why=[f"passed over {what}: {reason}" for what, reason in collected.passed_over.items()][:10],
            do="it was never signed: do not use it",
        )
    statements, refused = _verify(collected.found, policy, root)
    for subject in (index, *(each.descriptor for each in platforms)):
        lay_out(work / "cosign", subject, collected.found)
    await _cross_check(image, policy, statements, Cosign(tools, root, work / "cosign"))
    try:
        evidence = decide(policy, image, statements, refused)
    except Unsatisfied as failure:
        failure.statements = statements
        raise
    return Examination(image, blobs, statements, evidence, refused, collected.passed_over)


def _verify(found: Iterable[Attached], policy: Policy, root: Path) -> tuple[tuple[Statement, ...], dict[str, str]]:
    """Verify each bundle once by sigstore-python, wherever it is attached."""
    trusted = trusted_root(root)
    places: dict[Digest, set[Digest]] = {}
    bundles: dict[Digest, bytes] = {}
    for item in found:
        places.setdefault(item.digest, set()).add(item.subject)
        bundles[item.digest] = item.bundle
    accepted: list[Statement] = []
    refused: dict[str, str] = {}
    for digest, bundle in bundles.items():
        try:
            accepted.append(Statement.read(digest, places[digest], verify_bundle(bundle, trusted, policy.signers)))
        except VerificationFailed as failure:
            refused[str(digest)] = ": ".join((failure.what, *failure.why[:1]))
    return tuple(accepted), refused


async def _cross_check(image: Image, policy: Policy, statements: Sequence[Statement], cosign: Cosign) -> None:
    """Ask Cosign what it accepts on every subject of every signer, and compare."""
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def ask(subject: Digest, who: Who) -> None:
        async with limit:
            theirs = await cosign.accepted(subject, who)
        agree(str(subject), {each.signed.digest: each.kind for each in _spoken(statements, subject, who)}, theirs)

    try:
        async with anyio.create_task_group() as questions:
            for subject, who in product((image.digest, *image.platforms.values()), policy.signers):
                questions.start_soon(ask, subject, who)
    except ExceptionGroup as failures:
        # One disagreement is enough, and the caller handles one failure.
        raise flatten(failures)[0] from failures


def _spoken(statements: Iterable[Statement], subject: Digest, who: Who) -> list[Statement]:
    return [each for each in statements if each.speaks_of(subject) and each.signed.who == who]


def describe(found: Examination, reference: Reference, policy: Policy, root: bytes) -> dict[str, Any]:
    """Return what was found, for people and for the stages after this one."""
    return {
        "reference": str(reference),
        "digest": str(reference.digest),
        "platforms": {name: str(digest) for name, digest in found.image.platforms.items()},
        "blobs": found.blobs,
        "policy": {"name": policy.name, "digest": str(policy.digest), "trust_root": policy.rules.trust_root},
        "trust_root": str(Digest.of(root)),
        "trust_root_newest": timestamp(since) if (since := newest(root)) else "unknown",
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
        "refused": dict(sorted(found.refused.items())),
        "passed_over": dict(sorted(found.passed_over.items())),
    }
