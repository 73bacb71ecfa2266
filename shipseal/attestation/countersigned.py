"""Say that somebody has built an image again and found every byte the same: what, from what, and on what machine. Pure.

The predicate type is ours, and described in docs/releases.md. It is worth as much as whoever signs it is another than
who has built the image: a policy can name that identity for `rebuild` alone, and require it.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shipseal.digest import Digest, Reference

Image = Annotated[str, AfterValidator(lambda text: str(Reference.parse(text)))]
Sha256 = Annotated[str, AfterValidator(lambda text: str(Digest.parse(text)))]


class _Said(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, alias_generator=to_camel, populate_by_name=True)


class Source(_Said):
    """What was built: the commit, the digest of its files, and the bundle with the provenance that names both."""

    revision: str
    tree: Sha256
    provenance: Sha256


class Compared(_Said):
    """What was compared: the manifest of each platform, and how many blobs, each by all of its bytes."""

    platforms: dict[str, Sha256]
    blobs: int = Field(ge=1)
    result: str


class Machine(_Said):
    """On what it was built: the system, the interpreter, and the digest of the pipeline's own code."""

    system: str
    python: str
    pipeline: Sha256


class Rebuild(_Said):
    """That an image was built again."""

    image: Image
    rebuilt_at: str
    source: Source
    compared: Compared
    machine: Machine

    def predicate(self) -> dict[str, Any]:
        """Return it as it is signed."""
        return self.model_dump(mode="json", by_alias=True)


SAME = "SAME"
