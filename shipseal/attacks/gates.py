"""Bring a copy before a gate: the product's own stage, its `replay`, or its decision whether a stage is kept."""

import tempfile
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import ClassVar

from shipseal.attacks.target import Copy
from shipseal.engine.schedule import wanted
from shipseal.engine.stage import Stage
from shipseal.engine.table import TABLE
from shipseal.errors import VerificationFailed
from shipseal.evidence.verdict_inputs import MOST_SHOWN, differences, recorded, require_same
from shipseal.judging.case import decide

VERIFY, REPLAY, KEPT = "verify", "replay", "kept"
_JUDGED = ("facts", "image", "smoke", "sbom", "scan", "vex", "assess")
_KEPT = "image"  # it has all locks among what it reads


class NotKept(VerificationFailed):
    """A finished stage does not stand for another run of it."""

    by: ClassVar[str] = "engine.run.Run.kept"


def row(name: str) -> Stage:
    """Return a row of the table."""
    return wanted(TABLE, name)[-1]


def needs(gate: str) -> tuple[str, ...]:
    """Return the stages that a gate looks at."""
    if gate == REPLAY:
        return _JUDGED
    return (*row(_KEPT).needs, _KEPT) if gate == KEPT else row(gate).needs


def prepare(gate: str, copy: Copy) -> None:
    """Make a copy what the gate would have of a run that nobody has touched."""
    if gate == VERIFY:
        copy.trust()


async def bring_before(gate: str, copy: Copy) -> None:
    """Return when the gate accepts a copy.

    Raises:
        ShipsealError: it refuses it.
    """
    await _GATES.get(gate, _stage(gate))(copy)


def _stage(name: str) -> Callable[[Copy], Awaitable[None]]:
    async def perform(copy: Copy) -> None:
        await copy.run.perform(row(name))

    return perform


async def _replay(copy: Copy) -> None:
    with tempfile.TemporaryDirectory(prefix="shipseal-attack-") as work:
        kept = recorded(copy.directory, Path(work))
    again = decide(kept.case).as_json()
    require_same("the copy", list(islice(differences(kept.written, again), MOST_SHOWN + 1)))


async def _kept(copy: Copy) -> None:
    if copy.run.kept(row(_KEPT)) is None:
        raise NotKept(f"{_KEPT} is done again", remedy="nothing: what is there stands for nothing else")


_GATES: Mapping[str, Callable[[Copy], Awaitable[None]]] = {REPLAY: _replay, KEPT: _kept}
