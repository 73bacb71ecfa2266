"""Find the statement that a run which was killed has left at an image, so that nobody attaches a second.

What is in a registry is believed for its signature alone: a statement that somebody else has put there is none.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.attestation.trust import Policy
from pipeline.attestation.verifiers import trusted_root, verify_bundle
from pipeline.digest import Digest
from pipeline.distribution.collecting import collect
from pipeline.distribution.registry import Registry
from pipeline.errors import VerificationFailed
from pipeline.oci.layout import Layout

SUMMARY = frozenset({"timeVerified"})
"""What two verification summaries may say otherwise of the same verification."""


async def earlier_statement(
    registry: Registry,
    subject: Digest,
    statement: bytes,
    policy: Policy,
    *,
    root: Path,
    layout: Layout,
    apart: Collection[str] = (),
) -> bytes | None:
    """Return the bundle at a subject that says what a statement says, signed by whom the policy names; None without.

    Args:
        registry: where the subject is.
        subject: an index or a manifest.
        statement: what would be signed.
        policy: who may sign it.
        root: the trust root.
        layout: has the image; what is attached to it is added.
        apart: keys of the predicate in which the two may differ.

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
        if says_the_same(signed.statement, statement, apart):
            return each.bundle
    return None


def says_the_same(one: bytes, other: bytes, apart: Collection[str] = ()) -> bool:
    """Say whether two statements differ in nothing but some keys of their predicates."""
    return bool(_intent(one, apart) == _intent(other, apart))


def _intent(statement: bytes, apart: Collection[str]) -> Any:
    value = json.loads(statement)
    if isinstance(value, dict) and isinstance(value.get("predicate"), dict):
        value["predicate"] = {key: each for key, each in value["predicate"].items() if key not in apart}
    return value
