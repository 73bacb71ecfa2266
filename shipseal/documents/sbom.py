"""What `sbom` leaves of each platform: Syft's listing, and what is made of it: CycloneDX 1.6 and SPDX 2.3. Pure.

All that Syft says is kept. What is relied on has its type here, and the rest is written again as it was read.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from shipseal.documents.document import Whole, WholeDocument

_Some = Field(min_length=1)


class CycloneDxPart(Whole):
    """A component, and those that are inside of it (ECMA-424, `component.components`)."""

    type: str = ""
    name: str = ""
    version: str = ""
    ref: str = Field(default="", validation_alias="bom-ref", serialization_alias="bom-ref")
    purl: str | None = None
    licenses: object = None
    components: tuple["CycloneDxPart", ...] = ()


class CycloneDxMetadata(Whole):
    """When it was listed, and what."""

    timestamp: str = ""
    component: CycloneDxPart = CycloneDxPart()


class CycloneDxDocument(WholeDocument):
    """`sbom/PLATFORM/sbom.cdx.json`."""

    STAGE: ClassVar = "sbom"
    NAME: ClassVar = "sbom.cdx.json"

    serial: str = Field(default="", validation_alias="serialNumber", serialization_alias="serialNumber")
    metadata: CycloneDxMetadata = CycloneDxMetadata()
    components: Annotated[tuple[CycloneDxPart, ...], _Some]


class SpdxChecksum(Whole):
    """A checksum of a file (SPDX 2.3, 8.4)."""

    algorithm: str
    value: str = Field(validation_alias="checksumValue", serialization_alias="checksumValue")


class SpdxFile(Whole):
    """A file (SPDX 2.3, 8)."""

    id: str = Field(validation_alias="SPDXID", serialization_alias="SPDXID")
    name: str = Field(validation_alias="fileName", serialization_alias="fileName")
    checksums: tuple[SpdxChecksum, ...]

    @property
    def sha1(self) -> str:
        """Return its SHA-1, which every file has; of directories and links it is made of zeros."""
        return next(each.value for each in self.checksums if each.algorithm == "SHA1")


class SpdxReference(Whole):
    """What others call a package (SPDX 2.3, 7.21)."""

    type: str = Field(validation_alias="referenceType", serialization_alias="referenceType")
    locator: str = Field(validation_alias="referenceLocator", serialization_alias="referenceLocator")


class SpdxCode(Whole):
    """A digest of the digests of a package's files (SPDX 2.3, 7.9)."""

    value: str = Field(
        default="",
        validation_alias="packageVerificationCodeValue",
        serialization_alias="packageVerificationCodeValue",
    )


class SpdxPackage(Whole):
    """A package (SPDX 2.3, 7)."""

    id: str = Field(validation_alias="SPDXID", serialization_alias="SPDXID")
    name: str = ""
    version: str = Field(default="", validation_alias="versionInfo", serialization_alias="versionInfo")
    references: tuple[SpdxReference, ...] = Field(
        default=(), validation_alias="externalRefs", serialization_alias="externalRefs"
    )
    analyzed: bool = Field(default=True, validation_alias="filesAnalyzed", serialization_alias="filesAnalyzed")
    code: SpdxCode | None = Field(
        default=None,
        validation_alias="packageVerificationCode",
        serialization_alias="packageVerificationCode",
        exclude_if=lambda value: value is None,
    )


class SpdxRelationship(Whole):
    """What one thing is to another (SPDX 2.3, 11)."""

    element: str = Field(validation_alias="spdxElementId", serialization_alias="spdxElementId")
    type: str = Field(validation_alias="relationshipType", serialization_alias="relationshipType")
    related: str = Field(validation_alias="relatedSpdxElement", serialization_alias="relatedSpdxElement")


class SpdxCreation(Whole):
    """When a document was made, and by what (SPDX 2.3, 6.8 and 6.9)."""

    created: str = ""
    creators: tuple[str, ...] = ()


class SpdxDocument(WholeDocument):
    """`sbom/PLATFORM/sbom.spdx.json`."""

    STAGE: ClassVar = "sbom"
    NAME: ClassVar = "sbom.spdx.json"

    namespace: str = Field(default="", validation_alias="documentNamespace", serialization_alias="documentNamespace")
    creation: SpdxCreation = Field(
        default=SpdxCreation(), validation_alias="creationInfo", serialization_alias="creationInfo"
    )
    packages: Annotated[tuple[SpdxPackage, ...], _Some]
    files: tuple[SpdxFile, ...] = ()
    relationships: tuple[SpdxRelationship, ...] = ()


class SyftPackage(Whole):
    """A package that Syft has found; its package URL is empty where it has none."""

    purl: str
    name: str = ""


class SyftLocation(Whole):
    """Where a file lies: its path from the root, and the layer that it is in, by its `diff_id`."""

    path: str
    layer: str = Field(default="", validation_alias="layerID", serialization_alias="layerID")


class SyftMetadata(Whole):
    """What a file is: `RegularFile`, `SymbolicLink`, `Directory`, and how many bytes it has."""

    type: str = ""
    size: int = 0


class SyftFile(Whole):
    """A file that Syft has found."""

    location: SyftLocation
    metadata: SyftMetadata = SyftMetadata()


class SyftSource(Whole):
    """What was listed."""

    metadata: Mapping[str, object]


class SyftDocument(WholeDocument):
    """`sbom/PLATFORM/sbom.syft.json`."""

    STAGE: ClassVar = "sbom"
    NAME: ClassVar = "sbom.syft.json"

    artifacts: tuple[SyftPackage, ...]
    files: tuple[SyftFile, ...] | None = None
    source: SyftSource
