"""The life of one environment, from init to an empty account, lived once and written down for the tests to ask."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.cloud.terraform import Done, Root, changes

Plan = dict[str, list[str]]


@dataclass(frozen=True)
class Change:
    """A variable to change once the environment stands."""

    variables: tuple[str, ...]


@dataclass
class Life:
    """What happened, in order; a step that was not reached is absent and `story` says where it ended."""

    apply: Done
    state: dict[str, Any]
    second_plan: Plan
    change_plan: Plan = field(default_factory=dict)
    while_locked: Done | None = None
    change: Done | None = None
    destroy: Done | None = None
    left_in_state: list[str] = field(default_factory=list)


def live(root: Root, variables: tuple[str, ...], change: tuple[str, ...], between: Callable[[], None] = lambda: None) -> Life:
    """Apply, plan again, plan a change, apply it, destroy.

    :param variables: arguments that set the environment's variables
    :param change: further arguments, that come after and so win
    :param between: called while the environment stands, before the change
    :raises AssertionError: when a step that must succeed does not, with the end of its output
    """
    applied = root.apply(*variables).expect()
    life = Life(applied, root.state(), changes(root.plan(*variables)))
    between()
    life.change_plan = changes(root.plan(*variables, *change))
    life.change = root.apply(*variables, *change).expect()
    life.destroy = root.destroy(*variables, *change).expect()
    life.left_in_state = root.run("state", "list").expect().output.split()
    return life
