"""What the emulated EKS remembers beside moto's own objects."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from moto.core.responses import ActionResult
from moto.eks.exceptions import ResourceInUseException, ResourceNotFoundException
from moto.eks.models import EKSBackend
from moto.eks.responses import EKSResponse

Key = tuple[str, str]


@dataclass
class Memory:
    """One account's EKS in one region; every key but an update's is (cluster, name)."""

    updates: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: dict[Key, dict[str, Any]] = field(default_factory=dict)
    policies: dict[Key, dict[str, dict[str, Any]]] = field(default_factory=dict)
    addons: dict[Key, dict[str, Any]] = field(default_factory=dict)
    associations: dict[Key, dict[str, Any]] = field(default_factory=dict)

    def tagged(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the ARN and the tags of everything here that carries some."""
        for kind, arn in (("entries", "accessEntryArn"), ("addons", "addonArn"), ("associations", "associationArn")):
            for item in getattr(self, kind).values():
                yield item[arn], item["tags"]


_memories: "WeakKeyDictionary[EKSBackend, Memory]" = WeakKeyDictionary()


def memory(backend: EKSBackend) -> Memory:
    """Return what is remembered for this account and region."""
    return _memories.setdefault(backend, Memory())


def update(response: EKSResponse, kind: str) -> ActionResult:
    """Answer with an update of that kind which is already done."""
    made: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "status": "Successful",
        "type": kind,
        "params": [],
        "createdAt": time.time(),
        "errors": [],
    }
    memory(response.eks_backend).updates[made["id"]] = made
    return ActionResult({"update": made})


def answered(result: ActionResult, key: str) -> Any:
    """Return what moto was about to answer with, so that it can be changed."""
    content: Any = result.result
    return content[key]


def arn(response: EKSResponse, kind: str, *parts: str) -> str:
    """Name something of EKS the way AWS does."""
    return f"arn:{response.partition}:eks:{response.region}:{response.current_account}:{kind}/" + "/".join(parts)


def find(items: dict[Key, dict[str, Any]], key: Key, what: str) -> dict[str, Any]:
    """Return the item under that key, or raise the error that EKS answers with."""
    if key not in items:
        raise missing(f"The specified {what} could not be found: {key[1]}")
    return items[key]


def missing(message: str) -> ResourceNotFoundException:
    """Build the error for something that is not there."""
    return ResourceNotFoundException(
        clusterName=None, nodegroupName=None, fargateProfileName=None, addonName=None, message=message
    )


def in_use(cluster: str, what: str) -> ResourceInUseException:
    """Build the error for something that is there already."""
    message = f"The specified {what} is already in use on this cluster."
    return ResourceInUseException(clusterName=cluster, nodegroupName=None, addonName=None, message=message)
