"""What `promote` leaves: which tags are at the image now, and where they were. Pure."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from shipseal.documents.document import DigestText, Document

NOWHERE = "there was none"
"""Where a tag was that is new."""


class TagsDocument(Document):
    """`promote/tags.json`.

    Args:
        digest: of the index that was verified.
        tags: those that are at it.
        before: where each of them was, a digest or `NOWHERE`.
        stay: tags that were not moved, each with the newer version that has it.
    """

    STAGE: ClassVar = "promote"
    NAME: ClassVar = "tags.json"

    digest: DigestText
    tags: Annotated[tuple[str, ...], Field(min_length=1)]
    before: Mapping[str, str]
    stay: Mapping[str, str]
