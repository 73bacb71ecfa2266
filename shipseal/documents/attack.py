"""What `shipseal attack` leaves beside the stages: what was done to copies of a run, and what came of it. Pure."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from shipseal.documents.document import Document, Part, TimeText

_Some = Field(min_length=1)


class AttackOutcome(Part):
    """What came of an attack, or of an untouched copy.

    Args:
        name: of the attack.
        did: what was done.
        gate: what looked at it.
        expected: what should refuse it; `accepted` for an untouched copy.
        refused_by: what has; empty where it was accepted.
        ok: whether that is the same.
    """

    name: str
    did: str
    gate: str
    expected: str
    refused_by: str
    ok: bool


class AttackDocument(Document):
    """`attack/attack.json`.

    Args:
        image: the reference of what was attacked.
        at: when.
        ok: whether every attack and every untouched copy came out as expected.
        control: the untouched copies.
        attacks: the attacks.
        left_out: those for which the policy asks for nothing, with the reason.
    """

    STAGE: ClassVar = "attack"
    NAME: ClassVar = "attack.json"

    image: str
    at: TimeText
    ok: bool
    control: Annotated[tuple[AttackOutcome, ...], _Some]
    attacks: Annotated[tuple[AttackOutcome, ...], _Some]
    left_out: Mapping[str, str]
