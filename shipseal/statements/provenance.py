"""Say how an image came to be (SLSA provenance v1), and that it was verified (SLSA verification summary v1). Pure.

Provenance is made from the stages' records and nothing else that could drift from them. docs/provenance.md describes
the build type. Specification: SLSA v1.2, "Build: Provenance" and "Verification Summary Attestation (VSA)".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.statements.builders import VOCABULARY
from shipseal.times import timestamp

BUILD_TYPE = f"{VOCABULARY}/container-image/v1"
VERIFIER = f"{VOCABULARY}/verifier/v1"
SLSA_VERSION = "1.2"
DATABASE = "pkg:generic/vulnerability-database@"
"""How the package URL of a vulnerability database begins, as the scan records it among its materials."""


class StageRecord(Protocol):
    """What provenance reads of a stage's record."""

    @property
    def stage(self) -> str:
        """The stage's name."""

    @property
    def run_id(self) -> str:
        """The run that it was part of."""

    @property
    def started(self) -> str:
        """When it began, RFC 3339 in UTC."""

    @property
    def finished(self) -> str:
        """When it ended."""

    @property
    def tools(self) -> Mapping[str, Digest]:
        """The programs that it ran."""

    @property
    def materials(self) -> Mapping[str, Digest]:
        """What came in from outside the run."""

    @property
    def products(self) -> Mapping[str, Digest]:
        """What it left, by relative path."""


@dataclass(frozen=True)
class Source:
    """What was built. `dirty` means that the tree was not that of the revision."""

    uri: str
    ref: str
    revision: str
    tree: Digest
    dirty: bool


def provenance(
    *,
    builder: str,
    source: Source,
    parameters: Mapping[str, Any],
    records: Sequence[StageRecord],
    world: str,
    certified: Mapping[str, str] = MappingProxyType({}),
    origins: Mapping[Digest, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the predicate for one run.

    Args:
        builder: the identity that signs, which is the only one that can vouch for this.
        source: what was built.
        parameters: what the configuration asked for.
        records: of every stage that the image and its evidence come from.
        world: `dry-run` or `release`.
        certified: what the certificate will say of this build, by the names of `identity.CERTIFICATE_CLAIMS`: it is
            held against this.
        origins: of locked tools: whether each was built or from where it was fetched, in words.

    Raises:
        VerificationFailed: the records name no material, so they cannot be those of a build.
    """
    materials = _materials(records)
    if not materials:
        raise VerificationFailed(
            "provenance would name no material", why="no stage recorded anything that came from outside"
        )
    runner = certified.get("runner_environment")
    # A stage that was kept has the run that made it; the last to finish belongs to this run.
    run = max(records, key=lambda record: record.finished).run_id
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "source": {"uri": source.uri, "ref": source.ref},
                "configuration": dict(parameters),
            },
            "internalParameters": {"world": world, **({"runner": runner} if runner else {})},
            "resolvedDependencies": [_source(source), *materials, *_tools(records, origins)],
        },
        "runDetails": {
            "builder": {"id": builder},
            "metadata": {
                "invocationId": certified.get("run_invocation_uri", run),
                "startedOn": min(record.started for record in records),
                "finishedOn": max(record.finished for record in records),
            },
            "byproducts": _byproducts(records),
        },
    }


def _source(source: Source) -> dict[str, Any]:
    return {
        "name": "source",
        "uri": f"git+{source.uri}@{source.ref}",
        # gitCommit is what SLSA asks for; it is the parent of what was built when the tree was dirty, so it does not
        # stand alone.
        "digest": {"gitCommit": source.revision},
        "annotations": {"tree": str(source.tree), "dirty": source.dirty},
    }


def _materials(records: Iterable[StageRecord]) -> list[dict[str, Any]]:
    found = {(name, digest) for record in records for name, digest in record.materials.items()}
    return [{"uri": name, "digest": {digest.algorithm: digest.hex}} for name, digest in sorted(found)]


def _tools(records: Iterable[StageRecord], origins: Mapping[Digest, str]) -> list[dict[str, Any]]:
    found = {(name, digest) for record in records for name, digest in record.tools.items()}
    return [
        {
            "name": name,
            "digest": {digest.algorithm: digest.hex},
            "annotations": {"role": "tool", **({"origin": origins[digest]} if digest in origins else {})},
        }
        for name, digest in sorted(found)
    ]


def _byproducts(records: Iterable[StageRecord]) -> list[dict[str, Any]]:
    """Return the evidence beside the image; the image's own blobs are reached from the subjects."""
    found = {
        (f"{record.stage}/{name}", digest)
        for record in records
        for name, digest in record.products.items()
        if not name.startswith("layout/")
    }
    return [{"name": name, "digest": {digest.algorithm: digest.hex}} for name, digest in sorted(found)]


def verification_summary(
    *,
    resource: str,
    policy: tuple[str, Digest],
    inputs: Iterable[tuple[str, Digest]],
    level: int,
    now: datetime,
) -> dict[str, Any]:
    """Return the predicate that says that an image passed.

    Args:
        resource: the image, by reference.
        policy: name and digest of the policy that was applied.
        inputs: name and digest of each bundle that was looked at.
        level: the SLSA build level that the policy vouches for; what a set-up earns is argued in docs/provenance.md.
        now: when it was verified.
    """
    name, digest = policy
    return {
        "verifier": {"id": VERIFIER},
        "timeVerified": timestamp(now),
        "resourceUri": resource,
        "policy": {"uri": name, "digest": {digest.algorithm: digest.hex}},
        "inputAttestations": [{"uri": uri, "digest": {item.algorithm: item.hex}} for uri, item in sorted(inputs)],
        "verificationResult": "PASSED",
        "verifiedLevels": [f"SLSA_BUILD_LEVEL_{level}"],
        "slsaVersion": SLSA_VERSION,
    }
