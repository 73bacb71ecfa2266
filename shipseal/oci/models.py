"""The documents of an OCI image as they are read: what is relied on has its type, the rest is kept as it was. Pure.

Specification: opencontainers/image-spec v1.1 (descriptor, manifest, image-index, config). What is written here is
written by `documents`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import Field, ValidationError

from shipseal.digest import Digest
from shipseal.documents.document import DigestText, Whole, problems
from shipseal.errors import VerificationFailed
from shipseal.oci.bytes import checked


def _named(key: str, **more: Any) -> Any:
    return Field(validation_alias=key, serialization_alias=key, **more)


class OciObject(Whole):
    """An object of such a document."""

    @classmethod
    def of(cls, data: bytes, digest: Digest, what: str) -> Self:
        """Read a document of a digest; raise `VerificationFailed` where its bytes are others, or are none."""
        return cls.read(checked(data, digest, what), what, f": {digest}")

    @classmethod
    def read(cls, data: bytes, what: str, which: str = "") -> Self:
        """Read a document; raise `VerificationFailed` where it is none."""
        try:
            return cls.model_validate_json(data, by_alias=True, by_name=False)
        except ValidationError as error:
            raise VerificationFailed(
                f"{what} has another shape than those of images have{which}", why=problems(error)
            ) from error

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it, with all that nobody here knows."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class OciDescriptor(OciObject):
    """What content is, and which (descriptor.md); `size` is in bytes."""

    media_type: str = _named("mediaType", default="")
    digest: DigestText
    size: int = 0
    annotations: Mapping[str, str] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it says all that the specification asks for."""
        return bool(self.media_type) and "size" in self.model_fields_set

    @property
    def pointer(self) -> dict[str, Any]:
        """What leads to the content, and nothing besides."""
        return {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}


class OciManifest(OciObject):
    """An image for one platform (manifest.md)."""

    config: OciDescriptor
    layers: tuple[OciDescriptor, ...]

    @property
    def blobs(self) -> Iterator[tuple[str, OciDescriptor]]:
        """Each blob, with its role in words."""
        yield "configuration", self.config
        yield from (("layer", each) for each in self.layers)


class OciReferrer(OciObject):
    """What a layout lists: a manifest that has a subject attaches its layers to that; an image or an index has none."""

    layers: tuple[OciDescriptor, ...] = ()
    subject: OciDescriptor | None = None


class OciIndex(OciObject):
    """Several manifests (image-index.md); `index.json` of a layout is one (image-layout.md)."""

    media_type: str = _named("mediaType", default="")
    manifests: tuple[OciDescriptor, ...]


class OciProcess(OciObject):
    """How a container of an image starts (config.md, "config")."""

    environment: tuple[str, ...] = _named("Env", default=())
    entrypoint: tuple[str, ...] = _named("Entrypoint", default=())
    labels: Mapping[str, str] = _named("Labels", default_factory=dict)


class OciConfiguration(OciObject):
    """What an image is besides its layers (config.md)."""

    config: OciProcess
