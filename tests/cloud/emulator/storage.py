"""Bucket policies with their conditions, which moto leaves out: a "deny unless TLS" would deny everything."""

import json
from typing import Any

from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.s3.models import FakeBucket

# The loopback address stands for AWS's own endpoint, which is reached by TLS.
_REQUEST = {"aws:SecureTransport": "true"}


def install() -> None:
    """Judge every request for a bucket by the statements whose conditions hold."""
    FakeBucket.get_permission = _permission  # type: ignore[method-assign]


def _permission(self: FakeBucket, action: str, resource: str) -> PermissionResult:
    if self.policy is None:
        return PermissionResult.NEUTRAL
    statements = [statement for statement in json.loads(self.policy)["Statement"] if _holds(statement)]
    answers = {_judge(statement, action, resource) for statement in statements}
    for answer in (PermissionResult.DENIED, PermissionResult.PERMITTED):
        if answer in answers:
            return answer
    return PermissionResult.NEUTRAL


def _judge(statement: dict[str, Any], action: str, resource: str) -> PermissionResult:
    unconditional = {key: value for key, value in statement.items() if key != "Condition"}
    return IAMPolicyStatement(unconditional).is_action_permitted(action, resource)


def _holds(statement: dict[str, Any]) -> bool:
    """Tell whether every condition is met; one on something that a request here does not carry is not."""
    conditions = statement.get("Condition", {})
    return all(_REQUEST.get(key) == wanted for keys in conditions.values() for key, wanted in keys.items())
