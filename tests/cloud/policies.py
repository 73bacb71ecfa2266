"""Evaluate IAM policies as AWS does (IAM user guide, "Policy evaluation logic"), for the language that ours are in.

A statement with an element or a condition operator that is not known here is an error, never a guess.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_KNOWN = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}


def allows(
    documents: Iterable[Mapping[str, Any]], action: str, resource: str = "*", context: Mapping[str, str] | None = None
) -> bool:
    """Tell whether the documents together allow an action: some statement does, and none denies it.

    :param context: condition keys that the request carries, by name
    :raises ValueError: for a statement that this evaluator does not understand
    """
    effects = {
        statement["Effect"]
        for document in documents
        for statement in _list(document["Statement"])
        if _applies(statement, action, resource, context or {})
    }
    return effects == {"Allow"}


def trusts(document: Mapping[str, Any], action: str, principal: str, context: Mapping[str, str]) -> bool:
    """Tell whether a trust policy lets a principal take the role."""
    statements = [each for each in _list(document["Statement"]) if principal in _principals(each)]
    return bool(statements) and allows([{"Statement": statements}], action, context=context)


def wildcards(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return each pair of action and "*" that a document allows, and "*" with each resource of an action with one."""
    found = []
    for statement in _list(document["Statement"]):
        if statement["Effect"] == "Allow":
            for action in _list(statement["Action"]):
                found += [(action, each) for each in _list(statement["Resource"]) if each == "*" or "*" in action]
    return found


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]) -> bool:
    if unknown := set(statement) - _KNOWN:
        raise ValueError(f"a statement with {', '.join(sorted(unknown))} is not understood")
    return (
        any(_like(pattern, action, fold=True) for pattern in _list(statement["Action"]))
        and any(_like(pattern, resource) for pattern in _list(statement.get("Resource", "*")))
        and all(
            _holds(operator, context.get(key), _list(wanted))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _holds(operator: str, value: str | None, wanted: list[str]) -> bool:
    """Test one key; a key that the request does not carry meets no condition."""
    if operator not in {"StringEquals", "ArnEquals", "ArnLike", "Bool"}:
        raise ValueError(f"the operator {operator} is not understood")
    if value is None:
        return False
    return any(_like(each, value) if operator.startswith("Arn") else each == value for each in wanted)


def _principals(statement: Mapping[str, Any]) -> list[str]:
    principal = statement["Principal"]
    return ["*"] if principal == "*" else [each for values in principal.values() for each in _list(values)]


def _like(pattern: str, text: str, *, fold: bool = False) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL if fold else re.DOTALL) is not None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
