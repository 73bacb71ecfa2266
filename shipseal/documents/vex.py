"""What `vex` leaves: the statements that apply, how each stands to this image, and what is proposed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from shipseal.documents.document import DigestText, Document, Lacking, Names, Part, PurlText, TimeText


class OpenVexVulnerability(Part):
    """What a statement is about."""

    name: str
    aliases: tuple[str, ...] = ()


class OpenVexPart(Part):
    """A package of an image."""

    id: PurlText = Field(validation_alias="@id", serialization_alias="@id")


class OpenVexProduct(Part):
    """An image, or one platform of it, by digest."""

    id: PurlText = Field(validation_alias="@id", serialization_alias="@id")
    hashes: Mapping[str, str]
    subcomponents: tuple[OpenVexPart, ...]


class OpenVexStatement(Part):
    """A statement as it is published (openvex/spec 0.2.0, "Statement Fields")."""

    vulnerability: OpenVexVulnerability
    products: tuple[OpenVexProduct, ...]
    status: Literal["not_affected", "affected", "fixed", "under_investigation"]
    status_notes: str
    justification: Lacking[str] = None
    impact_statement: Lacking[str] = None
    action_statement: Lacking[str] = None
    timestamp: Lacking[TimeText] = None


class OpenVexDocument(Document):
    """`vex/openvex.json`: what is published."""

    STAGE: ClassVar = "vex"
    NAME: ClassVar = "openvex.json"

    context: str = Field(validation_alias="@context", serialization_alias="@context")
    id: str = Field(validation_alias="@id", serialization_alias="@id")
    author: str
    timestamp: TimeText
    version: int
    tooling: str
    statements: tuple[OpenVexStatement, ...]


@dataclass(frozen=True)
class Observation:
    """One piece of evidence: its tier, the digest of what it was seen on, and what was seen."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    tier: str
    on: DigestText
    says: str

    def __str__(self) -> str:
        """Return it as `status_notes` has it."""
        return f"{self.tier} on {self.on}: {self.says}"


class RecordedClaim(Part):
    """A statement about one package, held against an image on a day: `judging.claims.Claim`.

    Args:
        source: the name of its file.
        author: who states it.
        state: how it stands.
        days_left: whole days until its end, when it was held.
        product: the package as the statement names it.
        packages: the packages of the image that it covers.
        refuted_by: what in the image speaks against it.
        seen: the evidence that it follows from, where a machine has made it.
        statement: what is stated, as `judging.vex.VexStatement` has it.
    """

    source: str
    author: str
    state: Literal["applied", "expired", "refuted", "not-yet-valid", "not-in-image"]
    days_left: int
    product: PurlText
    packages: tuple[PurlText, ...]
    refuted_by: tuple[str, ...]
    seen: tuple[Observation, ...]
    statement: Mapping[str, Any]


class SeenPart(Part):
    """One place of vulnerable code: how it stands in words, by which evidence, and what speaks against more."""

    standing: str
    seen: tuple[Observation, ...]
    against: tuple[str, ...]


class LookedAt(Part):
    """What was seen for one finding, whatever followed.

    Args:
        finding: its id.
        package: the package.
        fact: the file of what is known of its code.
        standing: how its weakest place stands.
        parts: every place.
    """

    finding: str
    package: PurlText
    fact: str
    standing: str
    parts: tuple[SeenPart, ...]


class EvidenceDocument(Document):
    """`vex/evidence.json`.

    Args:
        image: the index that the statements were held against.
        held: when.
        claims: every statement, those too that do not apply.
        looked_at: what was seen for each finding of which somebody has said where its code is.
        policy: the digest of each file of statements and facts.
        suppressed_by_grype_too: how many findings Grype leaves out by the same statements.
    """

    STAGE: ClassVar = "vex"
    NAME: ClassVar = "evidence.json"

    image: DigestText
    held: TimeText
    claims: tuple[RecordedClaim, ...]
    looked_at: tuple[LookedAt, ...]
    policy: Mapping[str, DigestText]
    suppressed_by_grype_too: int


class Proposal(Part):
    """A draft of a statement that a person may accept, with its evidence in words."""

    finding: str
    package: PurlText
    told: tuple[str, ...]
    draft: Mapping[str, Any]


class ProposalsDocument(Names[tuple[Proposal, ...]]):
    """`vex/proposals.json`."""

    STAGE: ClassVar = "vex"
    NAME: ClassVar = "proposals.json"
