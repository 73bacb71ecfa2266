"""Budgets with the people who are told and the tags (AWS Budgets API reference), which moto drops."""

import json
from typing import Any
from weakref import WeakKeyDictionary

from moto.budgets.exceptions import NotFoundException
from moto.budgets.models import BudgetsBackend
from moto.budgets.responses import BudgetsResponse

_IDENTITY = ("NotificationType", "ComparisonOperator", "Threshold")
_tags: "WeakKeyDictionary[BudgetsBackend, dict[str, list[dict[str, str]]]]" = WeakKeyDictionary()


def install() -> None:
    """Keep tags and answer for subscribers from here on."""
    create = BudgetsResponse.create_budget

    def create_budget(self: BudgetsResponse) -> str:
        _tags.setdefault(self.backend, {})[self._get_param("Budget")["BudgetName"]] = self._get_param(
            "ResourceTags", []
        )
        return create(self)

    BudgetsResponse.create_budget = create_budget  # type: ignore[method-assign]
    BudgetsResponse.list_tags_for_resource = _list_tags  # type: ignore[attr-defined]
    BudgetsResponse.describe_subscribers_for_notification = _subscribers  # type: ignore[attr-defined]


def _list_tags(self: BudgetsResponse) -> str:
    name = self._get_param("ResourceARN").rpartition("budget/")[2]
    return json.dumps({"ResourceTags": _tags.get(self.backend, {}).get(name, [])})


def _subscribers(self: BudgetsResponse) -> str:
    wanted = self._get_param("Notification")
    budget = self.backend.budgets[self._get_param("AccountId")].get(self._get_param("BudgetName"))
    for notification in budget.notifications if budget else ():
        if _identity(notification.details) == _identity(wanted):
            return json.dumps({"Subscribers": notification.subscribers})
    raise NotFoundException("Unable to get subscribers - the notification doesn't exist.")


def _identity(details: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(details[key] for key in _IDENTITY)
