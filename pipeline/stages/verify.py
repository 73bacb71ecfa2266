"""Verify what was published as a consumer would: from the registry alone, by the policy, by two implementations."""

from typing import Any

import rfc8785

from pipeline.attestation.consumer import Examination, describe, examine
from pipeline.attestation.provenance import verification_summary
from pipeline.attestation.roots import age, public_root
from pipeline.attestation.statements import PredicateType, Subject, statement
from pipeline.attestation.trust import FILENAME, Policy
from pipeline.digest import Digest, Reference
from pipeline.engine.stage import Context
from pipeline.engine.workspace import scratch
from pipeline.errors import VerificationFailed


async def verify(context: Context) -> str:
    """Write verification.json, and summary.json: the statement that `promote` signs and attaches."""
    reference = Reference.parse(context.read_json("publish", "receipt.json")["reference"])
    policy, directory = context.world.policy()
    left = context.of("attest") / "trusted_root.json"
    root = policy.root(left if left.exists() else None, public_root(), directory)
    files = context.of("publish") / "registry"
    async with (
        scratch(context) as work,
        context.world.registry(context.tools, files if files.exists() else None) as registry,
    ):
        context.say(f"reading {reference.digest} back, and asking two verifiers")
        found = await examine(
            registry, reference.digest, policy, root=root, tools=context.tools, work=work, name=_name(reference)
        )
    if not left.exists():
        context.say(f"verified by {age(root.read_bytes(), context.now)}")
    _require_own(context, found, policy)
    context.write_json("verification.json", describe(found, reference, policy, root.read_bytes()))
    (context.out / "summary.json").write_bytes(rfc8785.dumps(_summary(found, reference, policy, context)))
    signers = ", ".join(sorted({each.signed.who.identity for each in found.statements}))
    return f"{len(found.statements)} statements by {signers}, accepted by sigstore-python and Cosign"


def _name(reference: Reference) -> str:
    return f"{reference.registry}/{reference.repository}"


def _require_own(context: Context, found: Examination, policy: Policy) -> None:
    """Refuse what satisfies the policy only by what an earlier release of the same bytes has left in the registry."""
    accepted = {each.bundle for each in found.statements}
    own = [Digest.parse(text) for text in context.read_json("publish", "receipt.json")["bundles"]]
    if missing := [digest for digest in own if digest not in accepted]:
        raise VerificationFailed(
            f"{len(missing)} of {len(own)} statements signed by this run are not accepted",
            why=sorted(
                {found.refused.get(str(digest), f"{digest} is not attached to the image") for digest in missing}
            ),
            do=f"sign as somebody whom the policy {policy.name} names; no tag was moved",
        )


def _summary(found: Examination, reference: Reference, policy: Policy, context: Context) -> dict[str, Any]:
    name = _name(reference)
    subjects = [Subject(name, digest) for digest in (found.image.digest, *found.image.platforms.values())]
    predicate = verification_summary(
        resource=str(reference),
        policy=(f"{FILENAME}#{policy.name}", policy.digest),
        inputs=[(f"{name}@{each.bundle}", each.bundle) for each in found.statements],
        level=policy.rules.slsa_build_level,
        now=context.now,
    )
    return statement(PredicateType.SUMMARY, subjects, predicate)
