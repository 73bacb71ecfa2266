"""Say how far an object of a cluster is from what was asked of it. Pure.

The rules are those of kstatus (sigs.k8s.io/cli-utils v0.37.2, `pkg/kstatus/status`: generic.go first, then core.go by
the kind, then `checkReadyCondition` of status.go), and of its later rule for a suspended Job. They differ in three
places, each time so that less is taken for done: a Pod that has failed is failed, and there it is current; a
ReplicationController is judged as a ReplicaSet, and there by nothing; an object that names no kind is in progress.
A Pod that cannot be scheduled is in progress, for there is no clock here that would give it kstatus' 15 seconds: who
waits has an end of its own, and until then a node may come.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shipseal.deploying.manifests import Object, dig, entries
from shipseal.deploying.unstructured import conditions, holds, number, said

# What the controller takes for "no deadline" (pkg/controller/deployment/util, HasProgressDeadline).
_NO_DEADLINE = 2**31 - 1


class KStatus(StrEnum):
    """How far an object is."""

    CURRENT = "current"
    IN_PROGRESS = "in progress"
    FAILED = "failed"
    TERMINATING = "terminating"


@dataclass(frozen=True)
class ObjectStatus:
    """How far an object is, and what that was concluded from, on one line fit to be shown."""

    state: KStatus
    message: str


def status(body: Object) -> ObjectStatus:
    """Return how far an object is, by its whole body as the API server gives it, `kind` and `apiVersion` included."""
    version, kind = dig(body).get("apiVersion"), dig(body).get("kind")
    if not isinstance(version, str) or not isinstance(kind, str):
        return ObjectStatus(KStatus.IN_PROGRESS, "it names no kind")
    group = version.rpartition("/")[0]
    return _generic(body) or _KINDS.get((group, kind), _other)(body)


def _generic(body: Object) -> ObjectStatus | None:
    metadata, now = dig(body, "metadata"), dig(body, "status")
    if metadata.get("deletionTimestamp") not in (None, ""):
        return ObjectStatus(KStatus.TERMINATING, "it is being deleted")
    generation, observed = metadata.get("generation"), now.get("observedGeneration")
    if generation is not None and observed is not None and number(generation, -1) != number(observed, -2):
        return ObjectStatus(KStatus.IN_PROGRESS, "its controller has not seen its latest change")
    for each in entries(now.get("conditions")):
        if each.get("status") == "True" and each.get("type") == "Reconciling":
            return ObjectStatus(KStatus.IN_PROGRESS, _reason(each))
        if each.get("status") == "True" and each.get("type") == "Stalled":
            return ObjectStatus(KStatus.FAILED, _reason(each))
    return None


def _reason(condition: Object) -> str:
    return said(condition.get("message")) or said(condition.get("reason")) or said(condition.get("type"))


def _until(*waits: tuple[bool, str], done: str) -> ObjectStatus:
    """Return the first thing that is waited for, else that nothing is."""
    message = next((message for waited, message in waits if waited), None)
    return ObjectStatus(KStatus.CURRENT, done) if message is None else ObjectStatus(KStatus.IN_PROGRESS, message)


def _always(_body: Object) -> ObjectStatus:
    return ObjectStatus(KStatus.CURRENT, "it has nothing to wait for")


def _other(body: Object) -> ObjectStatus:
    for each in conditions(body, "Ready"):
        if each.get("status") == "True":
            return ObjectStatus(KStatus.CURRENT, "it is ready")
        if each.get("status") in ("False", "Unknown"):
            return ObjectStatus(KStatus.IN_PROGRESS, _reason(each))
    return ObjectStatus(KStatus.CURRENT, "it says nothing that could be waited for")


def _counts(body: Object, *names: str) -> tuple[int, ...]:
    return tuple(number(dig(body, "status").get(name), 0) for name in names)


def _wanted(body: Object) -> int:
    return number(dig(body, "spec").get("replicas"), 1)


def _deployment(body: Object) -> ObjectStatus:
    for each in conditions(body, "Progressing"):
        if each.get("reason") == "ProgressDeadlineExceeded":
            return ObjectStatus(KStatus.FAILED, said(each.get("message")) or "its progress deadline is exceeded")
    wanted = _wanted(body)
    have, updated, ready, available = _counts(body, "replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    complete = number(dig(body, "spec").get("progressDeadlineSeconds"), _NO_DEADLINE) == _NO_DEADLINE or any(
        each.get("status") == "True" and each.get("reason") == "NewReplicaSetAvailable"
        for each in conditions(body, "Progressing")
    )
    return _until(
        (wanted > have, f"{have} of {wanted} replicas exist"),
        (wanted > updated, f"{updated} of {wanted} replicas updated"),
        (have > wanted, f"old replicas to end: {have - wanted}"),
        (updated > available, f"{available} of {updated} updated replicas available"),
        (wanted > ready, f"{ready} of {wanted} replicas ready"),
        (not complete, "its new ReplicaSet is not available"),
        (not holds(body, "Available"), "too few of its replicas are available"),
        done=f"replicas updated and available: {have}",
    )


def _replica_set(body: Object) -> ObjectStatus:
    wanted = _wanted(body)
    have, ready, available, labelled = _counts(
        body, "replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas"
    )
    failures = [each for each in conditions(body, "ReplicaFailure") if each.get("status") == "True"]
    return _until(
        (bool(failures), f"pods cannot be made: {_reason(failures[0])}" if failures else ""),
        (wanted > labelled, f"{labelled} of {wanted} replicas have its labels"),
        (wanted > available, f"{available} of {wanted} replicas available"),
        (wanted > ready, f"{ready} of {wanted} replicas ready"),
        (have > wanted, f"replicas to end: {have - wanted}"),
        done=f"replicas available: {have}",
    )


def _stateful_set(body: Object) -> ObjectStatus:
    strategy, now = dig(body, "spec", "updateStrategy"), dig(body, "status")
    if strategy.get("type") == "OnDelete":
        return ObjectStatus(KStatus.CURRENT, "its pods are updated by whoever deletes them")
    wanted = _wanted(body)
    have, ready, current, updated = _counts(body, "replicas", "readyReplicas", "currentReplicas", "updatedReplicas")
    partition = number(dig(strategy, "rollingUpdate").get("partition"), -1)
    moved = wanted - partition
    whole = partition == -1
    same = said(now.get("currentRevision")) == said(now.get("updateRevision"))
    return _until(
        (wanted > have, f"{have} of {wanted} replicas exist"),
        (wanted > ready, f"{ready} of {wanted} replicas ready"),
        (have > wanted, f"replicas to end: {have - wanted}"),
        (not whole and updated < moved, f"{updated} of {moved} replicas updated"),
        (whole and wanted > current, f"{current} of {wanted} replicas current"),
        (whole and not same, "its replicas are not all of its newest revision"),
        done=f"replicas as they should be: {have}",
    )


def _daemon_set(body: Object) -> ObjectStatus:
    seen = (
        number(dig(body, "metadata").get("generation"), -1),
        number(dig(body, "status").get("observedGeneration"), -1),
    )
    wanted = number(dig(body, "status").get("desiredNumberScheduled"), -1)
    have, updated, available, ready = _counts(
        body, "currentNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady"
    )
    return _until(
        (-1 in (*seen, wanted), "its controller has not seen it"),
        (wanted > have, f"{have} of {wanted} pods exist"),
        (wanted > updated, f"{updated} of {wanted} pods updated"),
        (wanted > available, f"{available} of {wanted} pods available"),
        (wanted > ready, f"{ready} of {wanted} pods ready"),
        done=f"pods as they should be: {wanted}",
    )


def _job(body: Object) -> ObjectStatus:
    spec = dig(body, "spec")
    wanted = number(spec.get("completions"), number(spec.get("parallelism"), 1))
    succeeded, active, failed = _counts(body, "succeeded", "active", "failed")
    for each in entries(dig(body, "status").get("conditions")):
        if each.get("status") == "True" and each.get("type") == "Complete":
            return ObjectStatus(KStatus.CURRENT, f"{succeeded} of {wanted} pods succeeded")
        if each.get("status") == "True" and each.get("type") == "Failed":
            return ObjectStatus(KStatus.FAILED, f"pods that failed: {failed}: {_reason(each)}")
        if each.get("status") == "True" and each.get("type") == "Suspended":
            return ObjectStatus(KStatus.CURRENT, "it is suspended")
    if not said(dig(body, "status").get("startTime")):
        return ObjectStatus(KStatus.IN_PROGRESS, "it has not begun")
    return ObjectStatus(KStatus.CURRENT, f"it runs: pods succeeded {succeeded}, active {active}, failed {failed}")


def _claim(body: Object) -> ObjectStatus:
    phase = said(dig(body, "status").get("phase")) or "unknown"
    return _until((phase != "Bound", f"it is not bound, its phase is {phase}"), done="it is bound")


def _service(body: Object) -> ObjectStatus:
    spec = dig(body, "spec")
    waits = spec.get("type") == "LoadBalancer" and not said(spec.get("clusterIP"))
    return _until((waits, "it has no address yet"), done="it has what it asks for")


def _pod(body: Object) -> ObjectStatus:
    phase = said(dig(body, "status").get("phase"))
    if phase == "Succeeded":
        return ObjectStatus(KStatus.CURRENT, "it has succeeded")
    if phase == "Failed":
        return ObjectStatus(KStatus.FAILED, said(dig(body, "status").get("message")) or "it has failed")
    if phase == "Running":
        return _running_pod(body)
    for each in conditions(body, "PodScheduled") if phase == "Pending" else ():
        if each.get("status") == "False" and each.get("reason") == "Unschedulable":
            return ObjectStatus(KStatus.IN_PROGRESS, f"no node takes it: {_reason(each)}")
    return ObjectStatus(KStatus.IN_PROGRESS, f"its phase is {phase or 'unknown'}")


def _running_pod(body: Object) -> ObjectStatus:
    if holds(body, "Ready"):
        return ObjectStatus(KStatus.CURRENT, "it is ready")
    looping = [
        said(each.get("name"), 63)
        for each in entries(dig(body, "status").get("containerStatuses"))
        if dig(each, "state", "waiting").get("reason") == "CrashLoopBackOff"
    ]
    if looping:
        return ObjectStatus(KStatus.FAILED, said(f"these containers end again and again: {', '.join(looping)}"))
    return ObjectStatus(KStatus.IN_PROGRESS, "it runs and is not ready")


_ALWAYS = (("", "ConfigMap"), ("", "Secret"), ("batch", "CronJob"), ("policy", "PodDisruptionBudget"))
_KINDS: dict[tuple[str, str], Callable[[Any], ObjectStatus]] = {
    **dict.fromkeys(_ALWAYS, _always),
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "ReplicationController"): _replica_set,
    ("", "Service"): _service,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
}
