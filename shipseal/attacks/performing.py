"""Perform attacks on a run, side by side, each on a copy of its own; and let untouched copies pass the same gates."""

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import anyio
import anyio.to_thread

from shipseal.attacks.attack import Attack, Control
from shipseal.attacks.catalogue import CONTROLS
from shipseal.attacks.gates import VERIFY, bring_before, needs, prepare
from shipseal.attacks.refusal import Refusal
from shipseal.attacks.target import AttackTarget, Copy
from shipseal.documents.attack import AttackOutcome
from shipseal.errors import ShipsealError, flatten

ACCEPTED = "accepted"


@dataclass(frozen=True)
class AttackResult:
    """What came of an attack, or of a control.

    Args:
        name: of the attack, or of the control.
        did: what was done.
        gate: what looked at it.
        expected: what should have come of it.
        came: what has.
        ok: whether that is the same.
        why: the words of a failure that was not expected, for people.
    """

    name: str
    did: str
    gate: str
    expected: str
    came: str
    ok: bool
    why: str = ""

    @property
    def told(self) -> AttackOutcome:
        """What `attack.json` says of it."""
        return AttackOutcome(
            name=self.name,
            did=self.did,
            gate=self.gate,
            expected=self.expected,
            refused_by="" if self.came == ACCEPTED else self.came,
            ok=self.ok,
        )


@dataclass(frozen=True)
class AttackSummary:
    """What came of all of it.

    Args:
        attacks: those that were made.
        controls: the copies that have to pass.
        left_out: the attacks for which the policy asks for nothing, with the reason.
    """

    attacks: tuple[AttackResult, ...]
    controls: tuple[AttackResult, ...]
    left_out: dict[str, str]

    @property
    def wrong(self) -> list[AttackResult]:
        """What did not end as it should."""
        return [each for each in (*self.controls, *self.attacks) if not each.ok]


async def perform(
    target: AttackTarget, attacks: Iterable[Attack], say: Callable[[AttackResult], None]
) -> AttackSummary:
    """Make attacks.

    Args:
        target: the run.
        attacks: which.
        say: is told each outcome as it is known.

    Raises:
        Exception: an attack could not be made; that says nothing of any check.
    """
    policy = target.policy[0]
    wanted = list(attacks)
    made = [each for each in wanted if not each.missing(policy)]
    gates = {each.gate for each in made} or {VERIFY}
    controls = [each for each in CONTROLS if each.gate in gates]
    found: dict[str, AttackResult] = {}
    limit = anyio.CapacityLimiter(max(2, os.cpu_count() or 1))

    async def control(each: Control) -> None:
        async with limit:
            found[each.name] = await _control(target, each)
        say(found[each.name])

    async def attack(each: Attack) -> None:
        async with limit:
            found[each.name] = await attempt(target, each)
        say(found[each.name])

    async with anyio.create_task_group() as group:
        for untouched in controls:
            group.start_soon(control, untouched)
        for each in made:
            group.start_soon(attack, each)
    return AttackSummary(
        tuple(found[each.name] for each in made),
        tuple(found[each.name] for each in controls),
        {
            each.name: f"the policy {policy.name} asks for no {', '.join(kind.name.lower() for kind in missing)}"
            for each in wanted
            if (missing := each.missing(policy))
        },
    )


async def _control(target: AttackTarget, control: Control) -> AttackResult:
    copy = await anyio.to_thread.run_sync(_copied, target, control.name, control.gate)
    await anyio.to_thread.run_sync(control.change, copy)
    came, why = await _came(control.gate, copy)
    return AttackResult(control.name, control.did, control.gate, ACCEPTED, str(came or ACCEPTED), came is None, why)


async def attempt(target: AttackTarget, attack: Attack) -> AttackResult:
    """Make one attack, and return what came of it."""
    copy = await anyio.to_thread.run_sync(_copied, target, attack.name, attack.gate)
    await anyio.to_thread.run_sync(attack.tamper, copy)
    came, why = await _came(attack.gate, copy)
    expected = attack.refusal(target.policy[0])
    ok = came == expected
    return AttackResult(
        attack.name, attack.did, attack.gate, str(expected), str(came or ACCEPTED), ok, "" if ok else why
    )


def _copied(target: AttackTarget, name: str, gate: str) -> Copy:
    copy = Copy.of(target, name, needs(gate))
    prepare(gate, copy)
    return copy


async def _came(gate: str, copy: Copy) -> tuple[Refusal | None, str]:
    """Bring a copy before a gate, and remove it; return what refuses it, in words too."""
    try:
        await bring_before(gate, copy)
    except (ShipsealError, ExceptionGroup) as error:
        failures = [each for each in flatten(error) if isinstance(each, ShipsealError)]
        if len(failures) < len(flatten(error)):
            raise  # a bug has refused nothing
        return Refusal.of(failures[0]), failures[0].explain()
    finally:
        await anyio.to_thread.run_sync(shutil.rmtree, copy.directory)
    return None, ""
