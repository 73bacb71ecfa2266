"""The life of one environment, from apply to an empty account, lived once and written down for tests to ask."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.cloud.terraform import Done, Root

Step = Callable[[], Done]


@dataclass(frozen=True)
class Life:
    """What happened, step by step; a plan is what it would do to each resource that it does not leave alone."""

    applied: Done
    state: dict[str, dict[str, Any]]
    outputs: dict[str, Any]
    second_plan: dict[str, str]
    change_plan: dict[str, str]
    changed: Done
    destroyed: Done
    left_in_state: dict[str, dict[str, Any]]


def live(root: Root, apply: Step, while_it_stands: Callable[[], None], change: str, make_change: Step) -> Life:
    """Apply, plan again, plan a change, make it, destroy.

    :param apply: makes the environment
    :param while_it_stands: called before the change is planned
    :param change: the argument that changes a variable
    :param make_change: makes the change for good
    :raises AssertionError: when a step that must succeed does not, with the end of its output
    """
    applied = apply().expect()
    state, outputs, second_plan = root.state(), root.outputs(), root.plan()
    while_it_stands()
    change_plan = root.plan(change)
    changed = make_change().expect()
    destroyed = root.destroy(change).expect()
    return Life(applied, state, outputs, second_plan, change_plan, changed, destroyed, root.state())
