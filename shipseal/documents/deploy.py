"""What `deploy` leaves beside the rendered set: what came of it. Pure."""

from enum import StrEnum
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from shipseal.documents.document import DigestText, Document, ReferenceText


class DeployState(StrEnum):
    """How far a deploy went."""

    NOT_RUN = "not run"
    CHECKED = "checked, not applied"
    DEPLOYED = "deployed"


def _where_known() -> Any:
    return Field(default=None, exclude_if=lambda value: value is None)


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
    reference: ReferenceText | None = _where_known()
    manifests: str | None = _where_known()
    kubernetes: str | None = _where_known()
    objects: tuple[str, ...] | None = _where_known()
    rendered: DigestText | None = _where_known()

    @model_validator(mode="after")
    def _all_or_nothing(self) -> Self:
        told = {name for name, value in self if value is not None}
        wanted = {"state", "reason"} if self.state is DeployState.NOT_RUN else set(type(self).model_fields)
        if not told == self.model_fields_set == wanted:
            raise ValueError("what was deployed is named as a whole, and where nothing was, it is not")
        return self
