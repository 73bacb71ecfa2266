"""What `publish` leaves: what was pushed, and found again when it was read back. Pure."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from shipseal.documents.document import DigestText, Document, ReferenceText

_Some = Field(min_length=1)


class PublishedDocument(Document):
    """`publish/receipt.json`.

    Args:
        reference: the image.
        registry: where it is, or what stands in for that.
        bundles: the evidence, signed or adopted by this run.
        subjects: the manifest of each platform, and the index last.
        referrers: the manifests that attach the evidence, by subject.
        blobs: how many there are.
        bytes: how many they have.
        sent: how many of these bytes the registry had not.
    """

    STAGE: ClassVar = "publish"
    NAME: ClassVar = "receipt.json"

    reference: ReferenceText
    registry: str
    bundles: Annotated[tuple[DigestText, ...], _Some]
    subjects: Annotated[tuple[DigestText, ...], _Some]
    referrers: Mapping[DigestText, tuple[DigestText, ...]]
    blobs: int
    bytes: int
    sent: int
