"""Read what a manifest names, of an image or of what is attached to one. Pure.

Formats: OCI image specification 1.1, manifest.md and config.md.
"""

from collections.abc import Iterator, Mapping
from typing import Self

from pydantic import Field, ValidationError

from shipseal.digest import Digest
from shipseal.documents.document import DigestText, Foreign
from shipseal.errors import VerificationFailed
from shipseal.oci.bytes import checked


class OciDescriptor(Foreign):
    """What names a blob or a manifest: its digest, and its bytes."""

    digest: DigestText
    size: int


class _Named(Foreign):
    @classmethod
    def read(cls, data: bytes, digest: Digest, what: str) -> Self:
        """Read bytes that are those of a digest; raise `VerificationFailed` when they are others, or of another shape.

        Args:
            data: the bytes.
            digest: theirs.
            what: what they are, in words.
        """
        try:
            return cls.model_validate_json(checked(data, digest, what))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise VerificationFailed(
                f"{what} is of an unknown shape: {digest}", why=f"{where}: {first['msg']}".removeprefix(": ")
            ) from error


class OciManifest(_Named):
    """The manifest of an image for one platform."""

    config: OciDescriptor
    layers: tuple[OciDescriptor, ...]

    @property
    def blobs(self) -> Iterator[tuple[str, OciDescriptor]]:
        """Each blob, with its role in words."""
        yield "configuration", self.config
        yield from (("layer", each) for each in self.layers)


class OciReferrer(_Named):
    """What a layout lists: a manifest that has a subject attaches its layers to that; an image or an index has none."""

    layers: tuple[OciDescriptor, ...] = ()
    subject: OciDescriptor | None = None


class _Started(Foreign):
    labels: Mapping[str, str] | None = Field(default=None, validation_alias="Labels")


class OciConfiguration(_Named):
    """How an image is started, as far as it is asked for."""

    config: _Started | None = None

    def label(self, name: str) -> str | None:
        """Return a label; None where there is no such one."""
        return ((self.config and self.config.labels) or {}).get(name)
