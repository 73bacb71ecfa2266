"""What `deploy` leaves beside the rendered set: what came of it. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import model_validator

from shipseal.documents.document import DigestText, Document, Lacking, ReferenceText


class DeployState(StrEnum):
    """How far a deploy went."""

    NOT_RUN = "not run"
    CHECKED = "checked, not applied"
    DEPLOYED = "deployed"


class DeployDocument(Document):
    """`deploy/receipt.json`.

    Args:
        state: how far it went.
        reason: why no further, or which receipt in which namespace.
        reference: the image that was deployed; this and what follows are not there where it was not run.
        manifests: the directory that was rendered, from the project's root.
        kubernetes: the version that it was checked against.
        objects: what messages call them.
        rendered: the digest of the rendered set.
    """

    STAGE: ClassVar = "deploy"
    NAME: ClassVar = "receipt.json"

    state: DeployState
    reason: str
    reference: Lacking[ReferenceText] = None
    manifests: Lacking[str] = None
    kubernetes: Lacking[str] = None
    objects: Lacking[Sequence[str]] = None
    rendered: Lacking[DigestText] = None

    @model_validator(mode="after")
    def _all_or_nothing(self) -> Self:
        wanted = {"state", "reason"} if self.state is DeployState.NOT_RUN else type(self).model_fields.keys()
        if self.model_fields_set != wanted:
            raise ValueError("what was deployed is named as a whole, and where nothing was, it is not")
        return self
