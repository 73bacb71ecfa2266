"""What `tools` leaves: every tool, and where it came from. Pure."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from shipseal.documents.document import DigestText, Names, Part


class StoredTool(Part):
    """A tool of the store, verified; `source` is a mirror, or what the store calls one that was built here."""

    version: str
    digest: DigestText
    source: str = Field(validation_alias="from", serialization_alias="from")


class ToolsDocument(Names[Annotated[Mapping[str, StoredTool], Field(min_length=1)]]):
    """`tools/tools.json`: by name."""

    STAGE: ClassVar = "tools"
    NAME: ClassVar = "tools.json"
