"""Wait until everything that was applied is what was asked for, by the rules of kstatus; tell why where it is not."""

from collections.abc import Sequence

import anyio

from shipseal.cluster.api import Api, Refused
from shipseal.cluster.resources import collection, member, path
from shipseal.deploying.kstatus import KStatus, ObjectStatus, status
from shipseal.deploying.manifests import Manifest, Object
from shipseal.deploying.running import pods_of
from shipseal.deploying.trouble import logs_wanted, trouble
from shipseal.engine.stage import Context
from shipseal.errors import RemoteFailed, SubjectFailed
from shipseal.rollout.rendering import Rendered

_SOON, _PAUSE, _LATER = 5, 0.2, 1.0  # seconds: for so long, so much between two looks; afterwards so much
_SPOKEN = 10  # seconds after which what is waited for is said again
_SURE = 1.5  # seconds: a controller that begins anew first repeats the condition of the rollout before
_LOG = 4096  # bytes of a log


async def until_current(api: Api, rendered: Rendered, context: Context) -> None:
    """Return when every object is current.

    Raises:
        SubjectFailed: one has failed, or was not current within `[deploy] timeout-seconds`; what a person needs to
            know is the reason: conditions, states of containers, events, quota, last lines of logs.
    """
    left, said, began = dict[str, ObjectStatus](), "", anyio.current_time()
    spoken, failing = began, 0.0
    with anyio.move_on_after(context.config.deploy.timeout_seconds):
        while True:
            every = await statuses(api, rendered)
            left = {title: each for title, each in every.items() if each.state is not KStatus.CURRENT}
            if not left:
                return
            now = anyio.current_time()
            failed = [title for title, each in left.items() if each.state is KStatus.FAILED]
            failing = (failing or now) if failed else 0.0
            if failed and now - failing >= _SURE:
                raise await _failure(api, rendered, context, f"{failed[0]} has failed", left[failed[0]].message)
            text = "; ".join(f"{title}: {each.message}" for title, each in left.items())
            if text != said or now - spoken >= _SPOKEN:
                context.say(f"waiting for {text}")
                said, spoken = text, now
            await anyio.sleep(_PAUSE if now - began < _SOON else _LATER)
    title, last = next(iter(left.items()), ("nothing", ObjectStatus(KStatus.IN_PROGRESS, "it was never seen")))
    seconds = anyio.current_time() - began
    raise await _failure(api, rendered, context, f"{title} was not current within {seconds:.0f} s", last.message)


async def statuses(api: Api, rendered: Rendered) -> dict[str, ObjectStatus]:
    """Return how far each object is, by what messages call it."""
    found = dict[str, ObjectStatus]()
    for manifest in rendered.manifests:
        live = await api.get(path(manifest))
        gone = ObjectStatus(KStatus.IN_PROGRESS, "it is not there")
        found[manifest.title] = gone if live is None else status({**_kind(manifest), **live})
    return found


def _kind(manifest: Manifest) -> dict[str, object]:
    return {"apiVersion": manifest.api_version, "kind": manifest.kind}


async def _failure(api: Api, rendered: Rendered, context: Context, what: str, why: str) -> SubjectFailed:
    lines = list[str]()
    try:
        lines = await diagnose(api, rendered)
    except RemoteFailed as failure:
        context.say(f"why cannot be found out: {failure.what}")
    return SubjectFailed(what, why=[why, *lines], remedy="see the reasons; `shipseal status` tells what runs now")


async def diagnose(api: Api, rendered: Rendered) -> list[str]:
    """Return what a person needs to know of workloads that do not become what they should."""
    lines = list[str]()
    seen = [await _list(api, rendered.namespace, *each) for each in _LOOKED_AT]
    replica_sets, pods, events, quotas = seen
    for manifest in (each for each in rendered.manifests if each.kind == "Deployment"):
        live = await api.get(path(manifest)) or {}
        own = pods_of(live, replica_sets, pods)
        lines += trouble(live, replica_sets, own, events, quotas)
        for pod, container, previous in logs_wanted(own):
            lines += await _log(api, rendered.namespace, pod, container, previous=previous)
    return lines


_LOOKED_AT = (("apps", "replicasets"), ("", "pods"), ("", "events"), ("", "resourcequotas"))


async def _list(api: Api, namespace: str, group: str, resource: str) -> Sequence[Object]:
    return await api.entries(collection(namespace, group, resource))


async def _log(api: Api, namespace: str, pod: str, container: str, *, previous: bool) -> list[str]:
    where = member(collection(namespace, "", "pods"), pod, "log")
    more = {"previous": "true"} if previous else {}
    try:
        text = await api.text(where, most=_LOG, container=container, tailLines="5", **more)
    except Refused as refused:
        return [f"the log of {pod} cannot be read: {refused.said}"]
    return [f"{pod} said: {line}" for line in text.splitlines()[-5:]]
