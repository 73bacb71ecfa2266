"""Verify what was published as a consumer would: from the registry alone, by the policy, by two implementations."""

from typing import Any

import rfc8785

from pipeline.consumer import Examination, examine, read_policy
from pipeline.digest import Digest, Reference
from pipeline.provenance import verification_summary
from pipeline.stage import Context
from pipeline.statements import PredicateType, Subject, statement, timestamp
from pipeline.venv import scratch
from pipeline.verification import FILENAME, Policy, kind_name
from pipeline.verifiers import public_root

_POLICY = {"dry-run": "dry-run", "release": "production"}


async def verify(context: Context) -> str:
    """Write verification.json, and summary.json: the statement that `promote` signs and attaches."""
    reference = Reference.parse(context.read_json("publish", "receipt.json")["reference"])
    directory = context.config.policy.directory
    policy = read_policy(directory / FILENAME, _POLICY[context.world.name])
    left = context.of("attest") / "trusted_root.json"
    root = policy.root(left if left.exists() else None, public_root(), directory)
    files = context.of("publish") / "registry"
    async with (
        scratch(context) as work,
        context.world.registry(context.tools, files if files.exists() else None) as registry,
    ):
        context.say(f"reading {reference.digest} back, and asking two verifiers")
        found = await examine(registry, reference.digest, policy, root=root, tools=context.tools, work=work)
    context.write_json("verification.json", describe(found, reference, policy, Digest.of_file(root)))
    (context.out / "summary.json").write_bytes(rfc8785.dumps(_summary(found, reference, policy, context)))
    signers = ", ".join(sorted({each.statement.signed.who.identity for each in found.evidence}))
    return f"{len(found.bundles)} statements by {signers}, accepted by sigstore-python and Cosign"


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
        "statements": [
            {
                "kind": kind_name(each.kind),
                "type": str(each.kind),
                "about": each.scope,
                "bundle": str(each.statement.bundle),
                "signer": each.statement.signed.who.identity,
                "issuer": each.statement.signed.who.issuer,
                "signed_at": timestamp(each.statement.signed.signed_at),
                "sigstore-python": "accepted",
                "cosign": "accepted",
            }
            for each in found.evidence
        ],
        "refused": {str(bundle): reason for bundle, reason in sorted(found.refused.items())},
    }


def _summary(found: Examination, reference: Reference, policy: Policy, context: Context) -> dict[str, Any]:
    name = f"{reference.registry}/{reference.repository}"
    subjects = [Subject(name, digest) for digest in (found.image.digest, *found.image.platforms.values())]
    predicate = verification_summary(
        resource=str(reference),
        policy=(f"{FILENAME}#{policy.name}", policy.digest),
        inputs=[(f"{name}@{bundle}", bundle) for bundle in found.bundles],
        level=policy.rules.slsa_build_level,
        now=context.now,
    )
    return statement(PredicateType.SUMMARY, subjects, predicate)
