"""What `verify` leaves: why the image is accepted, and who finds what is attached to it. Pure.

`shipseal verify --json` prints the former, in the order of the fields here.
"""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from shipseal.documents.document import DigestText, Document, Part, ReferenceText, TimeText


class DiscoveryRegistry(Part):
    """What was asked, a registry or what stands in for it, and how it keeps what is attached."""

    host: str
    keeps: str


class DiscoveryWay(Part):
    """One way to look.

    Args:
        way: the tool or the place.
        measured: whether the real tool was run; else its rule was applied.
        found: the types of statements that it finds.
        missing: those of `kinds` that it does not.
        says: why it finds no more, or what else there is to know.
    """

    way: str
    measured: bool
    found: tuple[str, ...]
    missing: tuple[str, ...]
    says: str


class DiscoveryDocument(Document):
    """`verify/discovery.json`: what is found of an image, at the digest of its index.

    Args:
        reference: the image.
        registry: where.
        kinds: the types of the statements that are attached to it and were accepted.
        ways: the ways.
    """

    STAGE: ClassVar = "verify"
    NAME: ClassVar = "discovery.json"

    reference: ReferenceText
    registry: DiscoveryRegistry
    kinds: tuple[str, ...]
    ways: tuple[DiscoveryWay, ...]


class VerificationPolicy(Part):
    """The policy that was applied: its name, the digest of its file, and whom it trusts."""

    name: str
    digest: DigestText
    trust_root: str


class VerificationStatement(Part):
    """A statement that both verifiers accept: its type, its bundle, what it is attached to, and who signed it when."""

    type: str
    bundle: DigestText
    subjects: tuple[DigestText, ...]
    signer: str
    issuer: str
    signed_at: TimeText


class VerificationRequired(Part):
    """What the policy requires, about what, and the bundle that satisfies it."""

    kind: str
    about: str
    bundle: DigestText


class VerificationProof(Part):
    """One thing that was proved, and from what."""

    what: str
    by: str = Field(validation_alias="from", serialization_alias="from")


class VerificationDocument(Document):
    """`verify/verification.json`.

    Args:
        reference: the image.
        digest: of its index.
        platforms: the manifest of each.
        blobs: how many were read, attachments not counted.
        policy: what was applied.
        trust_root: its digest.
        trust_root_newest: when its newest part began to be used, or `unknown`.
        slsa_build_level: what the policy vouches for.
        verifiers: who has accepted each statement.
        statements: those whose signatures they accept.
        required: what satisfies the policy.
        proved: the image first, then what each of `required` has proved.
        not_proved: what a reader could otherwise take for shown.
        told: what people must hear although it is satisfied.
        refused: bundles that no verifier accepts, with the reason.
        passed_over: what else is attached, with what it is.
        mirror: what was asked in the place of the registry, if anything was.
        discovery: who finds what is attached, where that was asked.
    """

    STAGE: ClassVar = "verify"
    NAME: ClassVar = "verification.json"

    reference: ReferenceText
    digest: DigestText
    platforms: Mapping[str, DigestText]
    blobs: int
    policy: VerificationPolicy
    trust_root: DigestText
    trust_root_newest: str
    slsa_build_level: int
    verifiers: tuple[str, ...]
    statements: tuple[VerificationStatement, ...]
    required: tuple[VerificationRequired, ...]
    proved: tuple[VerificationProof, ...]
    not_proved: tuple[str, ...]
    told: tuple[str, ...]
    refused: Mapping[str, str]
    passed_over: Mapping[str, str]
    mirror: str = Field(default="", exclude_if=lambda value: not value)
    discovery: DiscoveryDocument | None = Field(default=None, exclude_if=lambda value: value is None)
