"""Find out, by the policy, from what an image was built, before anything is built again on somebody's word."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import anyio

from shipseal.digest import Digest, Reference
from shipseal.errors import VerificationFailed
from shipseal.image.verification import source
from shipseal.oci.layout import Layout
from shipseal.statements.builders import PredicateType
from shipseal.statements.rebuild import BuildClaims, recorded_by
from shipseal.tools.toolbox import Toolbox
from shipseal.verification.consumer import Examination, examine
from shipseal.verification.decision import decide
from shipseal.verification.trust import Policy, Scope


@dataclass(frozen=True)
class Proven:
    """An image whose provenance satisfies a policy.

    Args:
        reference: the image.
        layout: its bytes.
        platforms: the manifest of each platform.
        records: what its provenances say that satisfy the policy, by the digest of the bundle of each.
    """

    reference: Reference
    layout: Layout
    platforms: dict[str, Digest]
    records: dict[Digest, BuildClaims]


async def prove(image: str, policy: Policy, *, root: Path, tools: Toolbox, work: Path, now: datetime) -> Proven:
    """Fetch an image, and verify its provenance as `verify` does; what else the policy requires is no matter here.

    An image that is too old to be used, or was denied since, can be built again all the same. A revoked one cannot.

    Args:
        image: as `verify_image` takes it.
        policy: who may sign provenance, and of which source.
        root: the trust root.
        tools: ORAS, olareg and Cosign.
        work: an empty directory, where the image stays.
        now: the time to judge by.

    Raises:
        VerificationFailed: it was altered or revoked, or no provenance of it satisfies the policy.
        RemoteFailed: the registry did not answer as it should.
        UsageError: there is no such image.
    """
    alone = replace(policy, require={PredicateType.PROVENANCE: Scope.IMAGE})
    elsewhere = await anyio.Path(image).exists()
    (place := work / "proven").mkdir()
    async with source(image, tools, work) as (registry, reference):
        published = reference.digest if elsewhere else reference
        found = await examine(registry, published, alone, root=root, tools=tools, work=place, now=now)
    records = {bundle: recorded_by(said, reference.digest) for bundle, said in _provenances(alone, found, now)}
    return Proven(reference, Layout(place / "layout"), dict(found.image.platforms), records)


def _provenances(alone: Policy, found: Examination, now: datetime) -> Iterator[tuple[Digest, object]]:
    """Yield each provenance that satisfies the policy: one digest may have been built several times."""
    for each in found.statements:
        if each.kind == PredicateType.PROVENANCE:
            with suppress(VerificationFailed):
                (evidence,) = decide(alone, found.image, [each], {}, now=now)
                yield evidence.statement.bundle, evidence.statement.predicate
