"""What a deploy waits for: each kind of object by the rules of kstatus, and stricter only where that is said."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given

from shipseal.deploying.kstatus import KStatus, ObjectStatus, status
from tests.shapes import JSON, misshapen

Body = dict[str, Any]
AVAILABLE = {"type": "Available", "status": "True"}
COMPLETE = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
LOOPING = {"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
REPLICAS = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3, "currentReplicas": 3}
PODS = dict.fromkeys(("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled"), 3) | {
    "numberAvailable": 3,
    "numberReady": 3,
}


def thing(version: str, kind: str, spec: Body, now: Body, **metadata: object) -> Body:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "app", **metadata}, "spec": spec, "status": now}


def deployment(*conditions: Body, spec: Body | None = None, **now: object) -> Body:
    whole = {"observedGeneration": 2, **REPLICAS, "conditions": [*conditions], **now}
    return thing(
        "apps/v1", "Deployment", {"replicas": 3, "progressDeadlineSeconds": 600, **(spec or {})}, whole, generation=2
    )


def replica_set(kind: str = "ReplicaSet", **now: object) -> Body:
    version = "apps/v1" if kind == "ReplicaSet" else "v1"
    return thing(version, kind, {"replicas": 3}, {**REPLICAS, "fullyLabeledReplicas": 3, **now})


def stateful_set(strategy: Body | None = None, **now: object) -> Body:
    return thing("apps/v1", "StatefulSet", {"replicas": 3, "updateStrategy": strategy or {}}, {**REPLICAS, **now})


def daemon_set(*, observed: object = 1, **now: object) -> Body:
    return thing("apps/v1", "DaemonSet", {}, {"observedGeneration": observed, **PODS, **now}, generation=1)


def job(*conditions: str, **now: object) -> Body:
    holding = [{"type": each, "status": "True", "message": "BackoffLimitExceeded"} for each in conditions]
    return thing("batch/v1", "Job", {"completions": 2}, {"conditions": holding, **now})


def pod(phase: str, *conditions: Body, **now: object) -> Body:
    return thing("v1", "Pod", {}, {"phase": phase, "conditions": [*conditions], **now})


def service(**spec: object) -> Body:
    return thing("v1", "Service", spec, {})


def states(bodies: Sequence[Body]) -> list[KStatus]:
    return [status(each).state for each in bodies]


CURRENT = [
    deployment(AVAILABLE, COMPLETE),
    deployment(AVAILABLE, spec={"progressDeadlineSeconds": 2**31 - 1}),
    replica_set(),
    replica_set("ReplicationController"),
    stateful_set(),
    stateful_set({"type": "OnDelete"}, replicas=0),
    stateful_set({"rollingUpdate": {"partition": 2}}, updatedReplicas=1, currentReplicas=2, updateRevision="b"),
    daemon_set(),
    job("Complete"),
    job("Suspended"),
    job(startTime="2026-01-01T00:00:00Z"),
    pod("Running", {"type": "Ready", "status": "True"}),
    pod("Succeeded"),
    thing("v1", "PersistentVolumeClaim", {}, {"phase": "Bound"}),
    service(type="LoadBalancer", clusterIP="10.0.0.1"),
    service(),
    *(thing("v1", kind, {}, {}) for kind in ("ConfigMap", "Secret", "ServiceAccount", "PodTemplate")),
    thing("policy/v1", "PodDisruptionBudget", {}, {"observedGeneration": 1}, generation=1),
    thing("batch/v1", "CronJob", {}, {}),
    thing("autoscaling/v2", "HorizontalPodAutoscaler", {}, {"conditions": [{"type": "Ready", "status": "True"}]}),
    thing("networking.k8s.io/v1", "NetworkPolicy", {}, {}),
    thing("rbac.authorization.k8s.io/v1", "Role", {}, {}),
]
IN_PROGRESS = [
    (deployment(AVAILABLE, COMPLETE, replicas=2), "2 of 3 replicas exist"),
    (deployment(AVAILABLE, COMPLETE, updatedReplicas=1), "1 of 3 replicas updated"),
    (deployment(AVAILABLE, COMPLETE, replicas=4), "old replicas to end: 1"),
    (deployment(AVAILABLE, COMPLETE, availableReplicas=2), "2 of 3 updated replicas available"),
    (deployment(AVAILABLE, COMPLETE, readyReplicas=2), "2 of 3 replicas ready"),
    (deployment(AVAILABLE), "its new ReplicaSet is not available"),
    (deployment(COMPLETE), "too few of its replicas are available"),
    (deployment(AVAILABLE, COMPLETE, observedGeneration=1), "its controller has not seen its latest change"),
    (replica_set(fullyLabeledReplicas=2), "2 of 3 replicas have its labels"),
    (replica_set(availableReplicas=2), "2 of 3 replicas available"),
    (replica_set(readyReplicas=2), "2 of 3 replicas ready"),
    (replica_set(replicas=5), "replicas to end: 2"),
    (
        replica_set(conditions=[{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]),
        "pods cannot be made: exceeded quota",
    ),
    (replica_set("ReplicationController", readyReplicas=2), "2 of 3 replicas ready"),
    (stateful_set(replicas=2), "2 of 3 replicas exist"),
    (stateful_set(readyReplicas=2), "2 of 3 replicas ready"),
    (stateful_set(replicas=4), "replicas to end: 1"),
    (stateful_set(currentReplicas=2), "2 of 3 replicas current"),
    (stateful_set({"rollingUpdate": {"partition": 1}}, updatedReplicas=1), "1 of 2 replicas updated"),
    (stateful_set(currentRevision="a", updateRevision="b"), "its replicas are not all of its newest revision"),
    (daemon_set(observed=None), "its controller has not seen it"),
    (daemon_set(desiredNumberScheduled=None), "its controller has not seen it"),
    (daemon_set(currentNumberScheduled=2), "2 of 3 pods exist"),
    (daemon_set(updatedNumberScheduled=2), "2 of 3 pods updated"),
    (daemon_set(numberAvailable=2), "2 of 3 pods available"),
    (daemon_set(numberReady=2), "2 of 3 pods ready"),
    (job(), "it has not begun"),
    (pod("Running"), "it runs and is not ready"),
    (pod("Pending"), "its phase is Pending"),
    (pod("Pending", UNSCHEDULABLE), "no node takes it: 0/3 nodes"),
    (pod(""), "its phase is unknown"),
    (thing("v1", "PersistentVolumeClaim", {}, {"phase": "Pending"}), "it is not bound, its phase is Pending"),
    (service(type="LoadBalancer"), "it has no address yet"),
    (
        thing("example.org/v1", "Thing", {}, {"conditions": [{"type": "Ready", "status": "False", "reason": "Slow"}]}),
        "Slow",
    ),
    (thing("v1", "ConfigMap", {}, {"conditions": [{"type": "Reconciling", "status": "True"}]}), "Reconciling"),
]
FAILED = [
    (
        deployment(AVAILABLE, {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}),
        "its progress deadline is exceeded",
    ),
    (job("Failed", failed=2), "pods that failed: 2: BackoffLimitExceeded"),
    (pod("Running", containerStatuses=[LOOPING]), "these containers end again and again: app"),
    (pod("Failed", message="Evicted"), "Evicted"),
    (thing("v1", "ConfigMap", {}, {"conditions": [{"type": "Stalled", "status": "True", "message": "no"}]}), "no"),
]


def test_what_is_as_it_was_asked_for_is_current() -> None:
    assert [KStatus.CURRENT] * len(CURRENT) == states(CURRENT)


@pytest.mark.parametrize(("body", "message"), IN_PROGRESS)
def test_what_is_not_there_yet_is_in_progress(body: Body, message: str) -> None:
    assert ObjectStatus(KStatus.IN_PROGRESS, message) == status(body)


@pytest.mark.parametrize(("body", "message"), FAILED)
def test_what_will_not_come_has_failed(body: Body, message: str) -> None:
    assert ObjectStatus(KStatus.FAILED, message) == status(body)


def test_what_is_being_deleted_is_terminating_whatever_else_it_says() -> None:
    bodies = [body | {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}} for body in CURRENT]
    assert [KStatus.TERMINATING] * len(CURRENT) == states(bodies)


def test_what_was_just_made_is_never_current_before_its_controller_has_seen_it() -> None:
    new = [
        thing("apps/v1", kind, {}, {}, generation=1)
        for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
    ]
    assert states(new) == [KStatus.IN_PROGRESS] * 4


def test_an_object_that_names_no_kind_is_taken_for_nothing_that_is_done() -> None:
    assert ObjectStatus(KStatus.IN_PROGRESS, "it names no kind") == status({"metadata": {"name": "app"}})


def test_a_truth_value_is_no_number_of_replicas() -> None:
    assert status(deployment(AVAILABLE, COMPLETE, spec={"replicas": 1}, replicas=True)).state == KStatus.IN_PROGRESS


def test_what_a_controller_says_is_shown_on_one_line_and_shortened() -> None:
    condition = {"type": "Stalled", "status": "True", "message": "first\n\x1b[2Jsecond " + "x" * 10**6}
    message = status(thing("v1", "ConfigMap", {}, {"conditions": [condition]})).message
    assert message.startswith("first \\x1b[2Jsecond xxx")
    assert len(message) < 400


@given(bodies=misshapen(*CURRENT, *(body for body, _ in [*IN_PROGRESS, *FAILED])))
def test_no_shape_brings_it_down(bodies: list[Any]) -> None:
    assert all(status(body).message.isprintable() for body in bodies)


@given(body=JSON)
def test_any_json_has_a_status(body: Any) -> None:
    assert status(body).message != ""
