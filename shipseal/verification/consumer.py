"""Fetch an image and all that is attached to it from a registry, verify it by both verifiers, and decide.

It needs a reference, a policy and a trust root, and nothing from the run that made the image.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from pathlib import Path

import anyio

from shipseal.digest import Digest, Reference
from shipseal.distribution.collecting import collect
from shipseal.distribution.fetch_image import fetch
from shipseal.distribution.referrers import Attached
from shipseal.distribution.registry import Registry
from shipseal.documents.verify import (
    VerificationDocument,
    VerificationPolicy,
    VerificationRequired,
    VerificationStatement,
)
from shipseal.errors import VerificationFailed, flatten
from shipseal.signing.cosign import Cosign, agree, lay_out
from shipseal.signing.roots import newest
from shipseal.signing.verifiers import Stranger, trusted_root, verify_bundle
from shipseal.statements.builders import SignerIdentity
from shipseal.times import timestamp
from shipseal.tools.toolbox import Toolbox
from shipseal.verification.decision import Evidence, ImageIndex, Statement, Unsatisfied, decide
from shipseal.verification.proof import not_proved, proved
from shipseal.verification.revocation import Revoked, passed_over
from shipseal.verification.trust import Policy, kind_name

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
        manifests: the bundle behind each manifest that attaches one.
    """

    image: ImageIndex
    blobs: int
    statements: tuple[Statement, ...]
    evidence: tuple[Evidence, ...]
    refused: Mapping[str, str]
    passed_over: Mapping[str, str]
    manifests: Mapping[Digest, Digest] = field(default_factory=dict)


class Unsigned(Unsatisfied):
    """Nothing that could be evidence is attached to the image."""


async def examine(
    registry: Registry,
    published: Reference | Digest,
    policy: Policy,
    *,
    root: Path,
    tools: Toolbox,
    work: Path,
    now: datetime,
) -> Examination:
    """Examine an image.

    Args:
        registry: where it is.
        published: its index; by a reference, statements must name that repository, unless the policy names another, and
            by a digest any.
        policy: what it must satisfy.
        root: the trust root; both verifiers start from it.
        tools: for Cosign.
        work: an empty directory for what is fetched.
        now: the time to judge by.

    Raises:
        VerificationFailed: it was altered, was revoked, does not satisfy the policy, or the two verifiers disagree.
        RemoteFailed: the registry did not answer as it should.
    """
    reference = published if isinstance(published, Reference) else None
    digest = published.digest if isinstance(published, Reference) else published
    name = f"{reference.registry}/{reference.repository}" if reference else ""
    layout = await fetch(registry, digest, work / "layout")
    blobs = layout.check_image(digest)
    index, platforms = layout.image(digest)
    image = ImageIndex(digest, {each.name: each.digest for each in platforms}, policy.rules.repository or name)
    collected = await collect(registry, {digest: "the image", **{each.digest: each.name for each in platforms}}, layout)
    if not collected.found:
        raise Unsigned(
            f"nothing is attached to {digest}",
            why=[f"passed over {what}: {reason}" for what, reason in collected.passed_over.items()][:10],
            remedy="it was never signed: do not use it",
        )
    statements, strangers, failures = _verify(collected.found, policy, root)
    refused = {bundle: ": ".join((failure.what, *failure.why[:1])) for bundle, failure in failures.items()}
    for subject in (index, *(each.descriptor for each in platforms)):
        lay_out(work / "cosign", subject, collected.found)
    await _cross_check(image, policy, statements, strangers, Cosign(tools, root, work / "cosign", policy.keys))
    try:
        evidence = decide(policy, image, statements, refused, now=now)
    except (Unsatisfied, Revoked) as failure:
        failure.statements = statements
        if isinstance(failure, Unsatisfied):
            failure.refused = failures
        raise
    others = {**collected.passed_over, **passed_over(policy, image.manifests, (*statements, *strangers))}
    manifests = {Digest.of(each.manifest): each.digest for each in collected.found}
    return Examination(image, blobs, statements, evidence, refused, others, manifests)


def _verify(
    found: Iterable[Attached], policy: Policy, root: Path
) -> tuple[tuple[Statement, ...], tuple[Statement, ...], dict[str, VerificationFailed]]:
    """Verify each bundle once by sigstore-python, wherever it is attached.

    Returns:
        What somebody whom the policy names has signed, what others have, and why each other bundle is refused.
    """
    trusted = trusted_root(root)
    places: dict[Digest, set[Digest]] = {}
    bundles: dict[Digest, bytes] = {}
    for item in found:
        places.setdefault(item.digest, set()).add(item.subject)
        bundles[item.digest] = item.bundle
    accepted: list[Statement] = []
    strangers: list[Statement] = []
    refused: dict[str, VerificationFailed] = {}
    for digest, bundle in bundles.items():
        try:
            accepted.append(
                Statement.read(digest, places[digest], verify_bundle(bundle, trusted, policy.signers, policy.keys))
            )
        except VerificationFailed as failure:
            refused[str(digest)] = failure
            if isinstance(failure, Stranger):
                with suppress(VerificationFailed):
                    strangers.append(Statement.read(digest, places[digest], failure.signed))
    return tuple(accepted), tuple(strangers), refused


async def _cross_check(
    image: ImageIndex, policy: Policy, statements: Sequence[Statement], strangers: Sequence[Statement], cosign: Cosign
) -> None:
    """Ask Cosign what it accepts on every subject of every signer, and compare.

    Cosign is asked by exact identities alone, those of the policy and those in the certificates that were accepted. It
    knows nothing of the other claims, so what the policy refuses for one of them is held against its answer too.
    """
    everybody = (*statements, *strangers)
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def ask(subject: Digest, who: SignerIdentity) -> None:
        async with limit:
            theirs = await cosign.accepted(subject, who)
        agree(str(subject), {each.signed.digest: each.kind for each in _spoken(everybody, subject, who)}, theirs)

    asked = sorted({*policy.named, *(each.signed.who for each in statements)})
    try:
        async with anyio.create_task_group() as questions:
            for subject, who in product((image.digest, *image.platforms.values()), asked):
                questions.start_soon(ask, subject, who)
    except ExceptionGroup as failures:
        # One disagreement is enough, and the caller handles one failure.
        raise flatten(failures)[0] from failures


def _spoken(statements: Iterable[Statement], subject: Digest, who: SignerIdentity) -> list[Statement]:
    return [each for each in statements if each.speaks_of(subject) and each.signed.who == who]


def describe(found: Examination, reference: Reference, policy: Policy, root: bytes) -> VerificationDocument:
    """Return what was found, for people and for the stages after this one."""
    return VerificationDocument(
        reference=reference,
        digest=reference.digest,
        platforms=found.image.platforms,
        blobs=found.blobs,
        policy=VerificationPolicy(name=policy.name, digest=policy.digest, trust_root=policy.rules.trust_root),
        trust_root=Digest.of(root),
        trust_root_newest=timestamp(since) if (since := newest(root)) else "unknown",
        slsa_build_level=policy.rules.slsa_build_level,
        # Each of these was accepted by both: `examine` ends where they disagree.
        verifiers=("sigstore-python", "cosign"),
        statements=tuple(map(_statement, found.statements)),
        required=tuple(
            VerificationRequired(kind=kind_name(each.kind), about=each.scope, bundle=each.statement.bundle)
            for each in found.evidence
        ),
        proved=tuple(proved(found.image, found.blobs, found.evidence)),
        not_proved=tuple(not_proved(policy, found.evidence, newest(root))),
        told=tuple(line for each in found.evidence for line in each.caveats),
        refused=dict(sorted(found.refused.items())),
        passed_over=dict(sorted(found.passed_over.items())),
    )


def _statement(said: Statement) -> VerificationStatement:
    return VerificationStatement(
        type=said.kind,
        bundle=said.bundle,
        subjects=tuple(sorted(said.attached_to)),
        signer=said.signed.who.identity,
        issuer=said.signed.who.issuer,
        signed_at=timestamp(said.signed.signed_at),
    )
