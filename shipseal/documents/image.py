"""What `image` leaves: the image by digest, with everything in it by name. Pure."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from shipseal.digest import Digest
from shipseal.documents.document import DigestText, Document, Names, Part, PlatformText, PurlText, ReferenceText

_Some = Field(min_length=1)


class ImageLayer(Part):
    """A layer: what it is called here, the digest of its blob, of what is in it unpacked, and the blob's bytes."""

    name: str
    digest: DigestText
    diff_id: DigestText
    size: int


class ImagePackage(Part):
    """A package of the image, and the paths of its files in it."""

    purl: PurlText
    name: str
    version: str
    type: str
    files: tuple[str, ...]


class ImagePlatform(Part):
    """What the image is on one platform.

    Args:
        digest: of its manifest.
        size: bytes of manifest, configuration and layers.
        layers: the lowest first.
        packages: by name.
        generated: paths of files that belong to no package.
        files: how many there are.
    """

    digest: DigestText
    size: int
    layers: Annotated[tuple[ImageLayer, ...], _Some]
    packages: Annotated[tuple[ImagePackage, ...], _Some]
    generated: tuple[str, ...]
    files: int

    @property
    def paths(self) -> frozenset[str]:
        """The path of every file."""
        return frozenset({*self.generated, *(path for package in self.packages for path in package.files)})


class ImageService(Part):
    """The service in the image, as its wheel names it."""

    name: str
    version: str


class ImageDocument(Document):
    """`image/image.json`.

    Args:
        format: the number of the writer, `oci.documents.FORMAT`.
        reference: the repository that it is for, by digest.
        digest: of its index.
        platforms: by name, `linux/amd64`.
        service: what it serves.
    """

    STAGE: ClassVar = "image"
    NAME: ClassVar = "image.json"

    format: int
    reference: ReferenceText
    digest: DigestText
    platforms: Annotated[Mapping[PlatformText, ImagePlatform], _Some]
    service: ImageService

    @property
    def manifests(self) -> dict[str, Digest]:
        """The digest of each platform's manifest."""
        return {name: platform.digest for name, platform in self.platforms.items()}


class ClosurePlatform(Part):
    """The modules that the service needs on one platform, as `image.closure.Closure` names them."""

    needed: Mapping[str, str]
    left_out: Mapping[str, str]
    made: Mapping[str, str]


class ClosureDocument(Names[Annotated[Mapping[PlatformText, ClosurePlatform], _Some]]):
    """`image/closure.json`: by platform."""

    STAGE: ClassVar = "image"
    NAME: ClassVar = "closure.json"


class OfferedPlatform(Part):
    """What one platform's image was chosen from: its files, modules inside the interpreter, symbols by library."""

    files: tuple[str, ...]
    inside: tuple[str, ...]
    symbols: Mapping[str, tuple[str, ...]]


class OfferedDocument(Names[Annotated[Mapping[PlatformText, OfferedPlatform], _Some]]):
    """`image/offered.json`: by platform."""

    STAGE: ClassVar = "image"
    NAME: ClassVar = "offered.json"


class WrittenLayer(Part):
    """A layer as the next run may take it over: its blob, and the paths in it by package URL."""

    digest: DigestText
    diff_id: DigestText
    size: int
    files: Mapping[str, tuple[str, ...]]


class LayersDocument(Names[Mapping[DigestText, WrittenLayer]]):
    """`image/layers.json`: by the digest of what each was made from."""

    STAGE: ClassVar = "image"
    NAME: ClassVar = "layers.json"
