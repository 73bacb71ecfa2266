"""Ask the cluster what this login may do, before anything is done (kubernetes.io, "Authorization")."""

from collections.abc import Iterable

import anyio

from shipseal.cluster.api import Api
from shipseal.cluster.resources import collection
from shipseal.deploying.manifests import dig
from shipseal.deploying.platform import Right
from shipseal.errors import flatten

_AT_ONCE = 8
_REVIEW = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}


async def lacking(api: Api, rights: Iterable[Right]) -> tuple[Right, ...]:
    """Return the rights that this login has not, in the order in which they were asked for.

    Raises:
        RemoteFailed: the server does not answer one of the questions.
    """
    asked = tuple(dict.fromkeys(rights))
    may: dict[Right, bool] = {}
    slots = anyio.CapacityLimiter(_AT_ONCE)

    async def ask(right: Right) -> None:
        async with slots:
            may[right] = await allowed(api, right)

    try:
        async with anyio.create_task_group() as questions:
            for right in asked:
                questions.start_soon(ask, right)
    except ExceptionGroup as failures:
        raise flatten(failures)[0] from failures
    return tuple(right for right in asked if not may[right])


async def allowed(api: Api, right: Right) -> bool:
    """Say whether this login has a right; anything but a plain yes is a no."""
    body = {**_REVIEW, "spec": {"resourceAttributes": dict(right.attributes)}}
    answer = await api.create(collection("", "authorization.k8s.io", "selfsubjectaccessreviews"), body)
    return dig(answer, "status").get("allowed") is True
