"""What pods say they run, held against what was verified: equal, different, or unproven, and never assumed."""

from typing import Any

import pytest
from hypothesis import given

from shipseal.deploying.running import Match, pods_of, running
from shipseal.digest import Digest
from tests.shapes import JSON, misshapen

INDEX, PLATFORM, OTHER = (Digest.of(each) for each in (b"index", b"platform", b"other"))
VERIFIED = {INDEX, PLATFORM}
RUNS = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def pod(image_id: object, *, state: object = RUNS, **metadata: object) -> dict[str, Any]:
    return {
        "metadata": {"name": "app-1", "uid": "pod-1", "ownerReferences": [{"uid": "set-1"}], **metadata},
        "spec": {"nodeName": "node-1"},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {"name": "other", "imageID": f"docker.io/example/other@{OTHER}", "state": RUNS},
                {"name": "app", "imageID": image_id, "state": state},
            ],
        },
    }


def compared(image_id: object, *, state: object = RUNS) -> tuple[Match, str]:
    (found,) = running([pod(image_id, state=state)], "app", VERIFIED)
    return found.match, found.why


@pytest.mark.parametrize(
    "image_id",
    [
        f"docker.io/example/app@{INDEX}",
        f"docker.io/example/app@{PLATFORM}",
        f"registry.internal:5000/copy/of/app@{PLATFORM}",
        f"docker.io/example/app:1.2@{INDEX}",
        f"docker-pullable://example/app@{INDEX}",
        str(INDEX),
    ],
)
def test_a_verified_digest_is_equal_in_any_repository(image_id: str) -> None:
    assert compared(image_id) == (Match.EQUAL, "")


@pytest.mark.parametrize("prefix", ["docker.io/example/app@", "docker-pullable://example/app@", "localhost:5000/app@"])
def test_the_digest_of_another_manifest_is_different_in_the_same_repository_too(prefix: str) -> None:
    assert (Match.DIFFERENT, f"{OTHER} was not verified") == compared(f"{prefix}{OTHER}")


@pytest.mark.parametrize("image_id", [str(OTHER), f"docker://{OTHER}", OTHER.hex])
def test_the_digest_of_a_configuration_proves_nothing(image_id: str) -> None:
    match, why = compared(image_id)
    assert match == Match.UNPROVEN
    assert "configuration" in why


@pytest.mark.parametrize("image_id", ["", None, 7, [f"app@{INDEX}"]])
def test_a_node_that_names_no_image_proves_nothing(image_id: object) -> None:
    assert compared(image_id) == (Match.UNPROVEN, "the node does not say which image it runs")


@pytest.mark.parametrize(
    "image_id",
    [
        "docker.io/example/app:1.2",
        f"@{INDEX}",
        f"docker.io/example/app@{INDEX}\n",
        f"docker.io/example/app@sha512:{'0' * 128}",
        f"docker.io/example/app@{str(INDEX).upper()}",
        f"app@{OTHER}@{INDEX}",
    ],
)
def test_what_cannot_be_read_proves_nothing(image_id: str) -> None:
    assert compared(image_id) == (Match.UNPROVEN, "the node names its image by no sha256 digest")


def test_a_container_that_does_not_run_is_not_proved_by_the_image_that_it_had() -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    assert compared(f"app@{INDEX}", state=waiting) == (Match.UNPROVEN, "the container does not run")
    assert compared(f"app@{OTHER}", state=waiting)[0] == Match.DIFFERENT


def test_a_container_that_is_not_reported_or_is_twice_proves_nothing() -> None:
    twice = pod(f"app@{INDEX}")
    twice["status"]["initContainerStatuses"] = twice["status"]["containerStatuses"]
    found = running([pod(f"app@{INDEX}") | {"status": {}}, twice], "app", VERIFIED)
    assert [each.why for each in found] == ["the node does not report the container yet", "the node reports it twice"]
    assert [each.match for each in found] == [Match.UNPROVEN] * 2


def test_each_pod_is_named_with_its_node_and_what_it_says() -> None:
    (found,) = running([pod(f"app@{INDEX}")], "app", VERIFIED)
    assert ("app-1", "pod-1", "node-1", f"app@{INDEX}") == (found.pod, found.uid, found.node, found.image_id)


def test_nothing_is_equal_when_nothing_was_verified() -> None:
    assert running([pod(f"app@{INDEX}")], "app", [])[0].match == Match.DIFFERENT


DEPLOYMENT = {"metadata": {"name": "app", "uid": "deployment-1"}}
REPLICA_SETS = [
    {"metadata": {"name": "app-new", "uid": "set-1", "ownerReferences": [{"uid": "deployment-1"}]}},
    {"metadata": {"name": "app-old", "uid": "set-2", "ownerReferences": [{"uid": "deployment-1"}]}},
    {"metadata": {"name": "other", "uid": "set-3", "ownerReferences": [{"uid": "deployment-3"}]}},
]


def owned(*pods: dict[str, Any]) -> list[str]:
    return [str(each["metadata"]["name"]) for each in pods_of(DEPLOYMENT, REPLICA_SETS, pods)]


def test_the_pods_of_a_deployment_are_those_of_all_its_replica_sets() -> None:
    old, foreign = ({"ownerReferences": [{"uid": uid}], "name": uid} for uid in ("set-2", "set-3"))
    assert owned(pod(""), pod("", **old), pod("", **foreign), pod("", ownerReferences=None)) == ["app-1", "set-2"]


def test_a_pod_that_is_going_or_gone_is_not_among_them() -> None:
    going = pod("", deletionTimestamp="2026-01-01T00:00:00Z")
    gone = [pod("") | {"status": {"phase": phase}} for phase in ("Succeeded", "Failed")]
    assert owned(going, *gone) == []


def test_what_has_no_uid_owns_nothing() -> None:
    orphan = {"metadata": {"name": "app", "ownerReferences": [{"uid": ""}, {}]}}
    assert pods_of({"metadata": {"name": "app"}}, [orphan], [orphan]) == ()


@given(bodies=misshapen(DEPLOYMENT, *REPLICA_SETS, pod(f"app@{INDEX}"), pod(str(OTHER))))
def test_no_shape_brings_it_down(bodies: list[Any]) -> None:
    found = running(pods_of(bodies[0], bodies[1:4], bodies[4:]), "app", VERIFIED)
    assert all(each.why.isprintable() and each.image_id.isprintable() for each in found)
    assert all((each.match is Match.EQUAL) == (each.why == "") for each in found)


@given(body=JSON)
def test_any_json_in_the_place_of_a_pod_is_unproven(body: Any) -> None:
    assert [each.match for each in running([body], "app", VERIFIED)] == [Match.UNPROVEN]
