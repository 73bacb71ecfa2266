"""What `shipseal attack` leaves beside the stages: what was done to copies of a run, and what came of it. Pure."""

from collections.abc import Mapping
from typing import ClassVar

from shipseal.documents.document import Document, Part, TimeText


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
        image: what was attacked, by its digest.
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
    control: tuple[AttackOutcome, ...]
    attacks: tuple[AttackOutcome, ...]
    left_out: Mapping[str, str]
