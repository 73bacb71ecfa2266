"""Find the verification summary that a run which was killed has left at an image, so that nobody attaches a second.

What is in a registry is believed for its signature alone: a summary that somebody else has put there is none.
"""

import json
from pathlib import Path
from typing import Any

from pipeline.attestation.trust import Policy
from pipeline.attestation.verifiers import trusted_root, verify_bundle
from pipeline.digest import Digest
from pipeline.distribution.collecting import collect
from pipeline.distribution.registry import Registry
from pipeline.errors import VerificationFailed
from pipeline.oci.layout import Layout


async def earlier_summary(
    registry: Registry, subject: Digest, summary: bytes, policy: Policy, *, root: Path, layout: Layout
) -> bytes | None:
    """Return the bundle at a subject that says what a summary says, signed by whom the policy names; None without one.

    Args:
        registry: where the subject is.
        subject: an index or a manifest.
        summary: the statement that would be signed.
        policy: who may sign it.
        root: the trust root.
        layout: has the image; what is attached to it is added.

    Raises:
        VerificationFailed: the registry gives other bytes than those of a digest.
        RemoteFailed: the registry did not answer as it should.
    """
    trusted = trusted_root(root)
    for each in (await collect(registry, {subject: "the image"}, layout)).found:
        try:
            signed = verify_bundle(each.bundle, trusted, policy.signers)
        except VerificationFailed:
            continue
        if says_the_same(signed.statement, summary):
            return each.bundle
    return None


def says_the_same(one: bytes, other: bytes) -> bool:
    """Say whether two verification summaries differ in nothing but the time at which they were made."""
    return bool(_timeless(one) == _timeless(other))


def _timeless(statement: bytes) -> Any:
    value = json.loads(statement)
    if isinstance(value, dict) and isinstance(value.get("predicate"), dict):
        value["predicate"].pop("timeVerified", None)
    return value
