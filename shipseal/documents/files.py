"""What Syft says of the files of an image, and nothing else of its listing. Pure.

Shape: syft/format/syftjson/model/file.go, Syft 1.57.
"""

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from shipseal.documents.document import Document, Foreign

MOST_BYTES = 2**63 - 1
"""What a file can have: Go counts them in an int64."""


class FilePlace(Foreign):
    """Where a file is: its path from the root, and the layer that it is in, by `diff_id`."""

    path: str
    layer: str = Field(validation_alias="layerID")


class FileNature(Foreign):
    """What a file is, `RegularFile` or another kind, and its bytes."""

    type: str
    size: Annotated[int, Field(ge=0, le=MOST_BYTES)]


class ListedFile(Foreign):
    """A file."""

    place: FilePlace = Field(validation_alias="location")
    nature: FileNature = Field(validation_alias="metadata")


class FilesDocument(Document):
    """`sbom/PLATFORM/sbom.syft.json`, as far as it is about files."""

    model_config = ConfigDict(extra="ignore")

    STAGE: ClassVar = "sbom"
    NAME: ClassVar = "sbom.syft.json"

    files: tuple[ListedFile, ...]
