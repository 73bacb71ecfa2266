"""Why a rollout is stuck is told in few lines, the most telling first, whatever the cluster's objects hold."""

from typing import Any

import pytest
from hypothesis import given

from shipseal.deploying.trouble import logs_wanted, trouble
from tests.shapes import JSON, misshapen

DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": "app", "uid": "d"},
    "status": {
        "conditions": [
            {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"},
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"},
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: shop"},
        ]
    },
}
REPLICA_SET: dict[str, Any] = {
    "metadata": {"name": "app-1", "uid": "r"},
    "status": {"conditions": [DEPLOYMENT["status"]["conditions"][2]]},
}
QUOTA: dict[str, Any] = {
    "metadata": {"name": "shop"},
    "status": {
        "hard": {"pods": "10", "requests.cpu": "2", "limits.memory": "1Gi", "services.loadbalancers": "0"},
        "used": {"pods": "9", "requests.cpu": "2000m", "limits.memory": "1048575Ki", "services.loadbalancers": "0"},
    },
}
PULL = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
LOOP = {"waiting": {"reason": "CrashLoopBackOff"}}
RUNS = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
KILLED = "OOMKilled, exit code 137"
ENDED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


def state(now: object, name: str = "app", **more: object) -> dict[str, Any]:
    return {"name": name, "state": now, "ready": False, **more}


def pod(name: str, *states: dict[str, Any], init: tuple[dict[str, Any], ...] = (), **now: object) -> dict[str, Any]:
    status = {"phase": "Pending", "containerStatuses": [*states], "initContainerStatuses": [*init], **now}
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "status": status}


def event(about: str, reason: str, when: str, **more: object) -> dict[str, Any]:
    about_it = {"kind": "Pod", "name": about, "uid": f"uid-{about}"}
    return {"type": "Warning", "involvedObject": about_it, "reason": reason, "lastTimestamp": when, **more}


def of_pods(*pods: dict[str, Any]) -> tuple[str, ...]:
    return trouble({}, [], pods, [], [])


def of_events(*events: dict[str, Any]) -> tuple[str, ...]:
    return trouble({}, [], [pod("app-1"), pod("app-2")], events, [])


def test_the_most_telling_comes_first() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    pods = [pod("a", conditions=[unscheduled]), pod("b", state(PULL))]
    quota = {"metadata": {"name": "shop"}, "status": {"hard": {"pods": "2"}, "used": {"pods": "2"}}}
    events = [event("b", "Failed", "2026-01-01T00:00:00Z", message="no such image")]
    assert trouble(DEPLOYMENT, [REPLICA_SET], pods, events, [quota]) == (
        "Deployment app: FailedCreate: exceeded quota: shop",
        "Pod b: container app waits, ImagePullBackOff: Back-off pulling image",
        "Pod a: no node takes it, Unschedulable: 0/3 nodes",
        "Deployment app: ProgressDeadlineExceeded: timed out",
        "Pod b: Failed: no such image",
        "ResourceQuota shop: pods is used up, 2 of 2",
    )


def test_a_rollout_that_goes_well_has_no_trouble() -> None:
    fine = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
    done = state({"terminated": {"exitCode": 0, "reason": "Completed"}}, name="first")
    pods = [pod("a", state(RUNS) | {"ready": True}, init=(done,))]
    normal = event("a", "Pulled", "2026-01-01T00:00:00Z") | {"type": "Normal"}
    assert trouble({"status": {"conditions": [fine]}}, [{}], pods, [normal], []) == ()


@pytest.mark.parametrize(
    ("container", "line"),
    [
        (state(LOOP, lastState=ENDED), f"waits, CrashLoopBackOff; it ended before, {KILLED}"),
        (state(ENDED), f"has ended, {KILLED}"),
        (state({"terminated": {"exitCode": 0, "reason": "Completed"}}), "has ended, Completed, exit code 0"),
        (state(RUNS), "runs and is not ready"),
        (state(RUNS, lastState=ENDED), f"runs and is not ready; it ended before, {KILLED}"),
        (state({"waiting": {"reason": "ContainerCreating"}}), "is being made"),
        (state({"waiting": {"message": "no volume"}}), "waits, no reason given: no volume"),
    ],
)
def test_each_state_of_a_container_that_hinders_is_told(container: dict[str, Any], line: str) -> None:
    assert of_pods(pod("a", container)) == (f"Pod a: container app {line}",)


def test_a_container_that_waits_for_those_before_it_leaves_the_word_to_them() -> None:
    waiting = state({"waiting": {"reason": "PodInitializing"}})
    failing = state({"terminated": {"exitCode": 1, "reason": "Error", "message": "no database"}}, name="migrate")
    expected = "Pod a: container migrate has ended, Error, exit code 1: no database"
    assert of_pods(pod("a", waiting, init=(failing,))) == (expected,)


def test_what_several_pods_say_is_told_once_and_the_worst_first() -> None:
    slow = pod("slow", state({"waiting": {"reason": "ContainerCreating"}}))
    assert of_pods(slow, *(pod(each, state(PULL)) for each in "abc")) == (
        "Pod a and 2 more: container app waits, ImagePullBackOff: Back-off pulling image",
        "Pod slow: container app is being made",
    )


def test_a_pod_that_a_node_has_thrown_out_says_why() -> None:
    evicted = pod("a", phase="Failed", reason="Evicted", message="the node was low on memory")
    assert of_pods(evicted) == ("Pod a: it has failed, Evicted: the node was low on memory",)


def test_a_pod_that_is_being_deleted_hinders_nothing() -> None:
    going = pod("a", state(ENDED))
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert of_pods(going) == ()
    assert logs_wanted([going]) == ()


def test_the_newest_events_come_first_and_repeated_ones_once_with_their_number() -> None:
    assert of_events(
        event("app-1", "Unhealthy", "2026-01-01T00:00:01Z", message="probe failed on app-1", count=3),
        event("app-2", "Failed", "2026-01-01T00:00:03Z", message="no such image"),
        event("app-2", "Unhealthy", "2026-01-01T00:00:02Z", message="probe failed on app-2", count=2),
    ) == ("Pod app-2: Failed: no such image", "Pod app-2: Unhealthy: probe failed on app-2 (5 times)")


def test_events_of_the_newer_kind_are_read_too() -> None:
    about = {"kind": "Pod", "name": "app-1", "uid": "uid-app-1"}
    newer = {"type": "Warning", "regarding": about, "reason": "Failed", "note": "no", "series": {"count": 4}}
    assert of_events(newer) == ("Pod app-1: Failed: no (4 times)",)


def test_events_of_objects_of_others_do_not_count() -> None:
    named_alike = event("app-1", "Failed", "2026-01-01T00:00:00Z")
    named_alike["involvedObject"]["uid"] = "another"
    without = event("app-1", "Failed", "2026-01-01T00:00:00Z")
    del without["involvedObject"]["uid"]
    assert of_events(named_alike, without) == ()


def test_a_quota_is_used_up_in_whatever_units_it_is_written() -> None:
    assert trouble({}, [], [], [], [QUOTA]) == ("ResourceQuota shop: requests.cpu is used up, 2000m of 2",)


@pytest.mark.parametrize(
    ("used", "hard"), [("1024Mi", "1Gi"), ("1G", "1000000k"), ("1e3", "1000"), ("1E", "1000P"), ("1.5", "1500m")]
)
def test_each_way_to_write_a_quantity_is_read(used: str, hard: str) -> None:
    for have, most in ((used, hard), (hard, used)):
        quota = {"metadata": {"name": "shop"}, "status": {"hard": {"x": most}, "used": {"x": have}}}
        assert trouble({}, [], [], [], [quota]) == (f"ResourceQuota shop: x is used up, {have} of {most}",)


def test_of_each_kind_of_trouble_only_the_first_lines_are_told() -> None:
    pods = [pod(f"p{number}", state(PULL, name=f"c{number}")) for number in range(1000)]
    events = [event(f"p{number}", f"R{number}", "2026-01-01T00:00:00Z") for number in range(1000)]
    assert len(trouble({}, [], pods, events, [])) == 12


def test_the_logs_of_what_fell_over_are_wanted_before_those_of_what_is_slow() -> None:
    done = state({"terminated": {"exitCode": 0}}, name="done")
    pods = [
        pod(
            "a",
            done,
            state(RUNS, name="slow"),
            state(PULL, name="never-ran"),
            state(RUNS, name="fine") | {"ready": True},
        ),
        pod("b", state(LOOP, lastState=ENDED), init=(state(ENDED, name="first"),)),
    ]
    assert logs_wanted(pods) == (("b", "first", False), ("b", "app", True), ("a", "slow", False))


def test_at_most_three_logs_are_wanted_and_one_of_each_container() -> None:
    pods = [pod(each, *(state(ENDED, name=f"c{number}") for number in range(5))) for each in "ab"]
    assert logs_wanted(pods) == (("a", "c0", False), ("a", "c1", False), ("a", "c2", False))


def test_of_a_container_that_has_restarted_the_run_before_is_wanted() -> None:
    assert logs_wanted([pod("a", state(RUNS, lastState=ENDED))]) == (("a", "app", True),)


@pytest.mark.parametrize("name", ["../secrets", "a/b", "a?b", "", "A", "a\n"])
def test_no_name_that_kubernetes_would_not_give_is_asked_for(name: str) -> None:
    assert logs_wanted([pod(name, state(ENDED)), pod("a", state(ENDED, name=name))]) == ()


def test_what_a_cluster_says_stays_on_its_line_and_is_shortened() -> None:
    shouting = state({"waiting": {"reason": "x\x1b[2J", "message": "a\nb" + "c" * 10**6}})
    (line,) = of_pods(pod("a", shouting))
    assert line.startswith("Pod a: container app waits, x\\x1b[2J: a bccc")
    assert len(line) < 500


@given(
    bodies=misshapen(
        DEPLOYMENT,
        REPLICA_SET,
        pod("a", state(LOOP, lastState=ENDED), state(RUNS, name="b"), init=(state(ENDED),)),
        pod("b", state(PULL), conditions=[{"type": "PodScheduled", "status": "False"}]),
        event("a", "Failed", "2026-01-01T00:00:00Z", message="no", count=2),
        event("b", "Failed", "2026-01-01T00:00:00Z", series={"count": 2, "lastObservedTime": "2026"}),
        QUOTA,
    )
)
def test_no_shape_brings_it_down(bodies: list[Any]) -> None:
    deployment, replica_set, *pods = bodies[:4]
    lines = trouble(deployment, [replica_set], pods, bodies[4:6], bodies[6:])
    assert all(line.isprintable() and len(line) < 2000 for line in lines)
    assert len(logs_wanted(pods)) <= 3


@given(body=JSON)
def test_any_json_brings_no_trouble_of_its_own(body: Any) -> None:
    assert trouble(body, [body], [body], [body], [body]) == ()
    assert logs_wanted([body]) == ()
