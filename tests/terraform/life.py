"""The life of one environment, from its first apply to an empty account, lived once and written down for tests to ask."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.cloud.terraform import Done, Root, changes

Plan = dict[str, list[str]]


@dataclass(frozen=True)
class Life:
    """What happened, step by step; a plan is what it would do to each resource that it does not leave alone."""

    applied: Done
    state: dict[str, Any]
    second_plan: Plan
    change_plan: Plan
    changed: Done
    destroyed: Done
    left_in_state: list[str]


def live(root: Root, change: str, make_change: Callable[[], Done], while_it_stands: Callable[[], None]) -> Life:
    """Apply, plan again, plan a change, make it, destroy.

    :param change: the argument that changes a variable
    :param make_change: makes the change for good
    :param while_it_stands: called before the change is planned
    :raises AssertionError: when a step that must succeed does not, with the end of its output
    """
    applied = root.apply().expect()
    state, second_plan = root.state(), changes(root.plan())
    while_it_stands()
    change_plan = changes(root.plan(change))
    changed = make_change().expect()
    destroyed = root.destroy(change).expect()
    left = root.run("state", "list").expect().output.split()
    return Life(applied, state, second_plan, change_plan, changed, destroyed, left)
