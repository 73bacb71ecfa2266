"""What `image` of another run has left, maybe one by another version of this program: what is compared of it. Pure."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import ConfigDict

from shipseal.documents.document import DigestText, Document, Foreign


class EarlierLayer(Foreign):
    """A layer: what it is called, the digest of its blob, and that one's bytes."""

    name: str
    digest: DigestText
    size: int


class EarlierPackage(Foreign):
    """A package of the image."""

    name: str
    version: str


class EarlierPlatform(Foreign):
    """What the image is on one platform."""

    layers: tuple[EarlierLayer, ...]
    packages: tuple[EarlierPackage, ...]


class EarlierImage(Document):
    """`image/image.json` of that run."""

    model_config = ConfigDict(extra="ignore")

    STAGE: ClassVar = "image"
    NAME: ClassVar = "image.json"

    platforms: Mapping[str, EarlierPlatform]
