"""What a deploy may delete: objects that say that they are of its set and that it brings no more, and nothing else."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given

from shipseal.deploying.inventory import identifier, kind_of, kinds_of, member, parent, refusal, strays
from shipseal.deploying.manifests import Manifest
from shipseal.errors import SubjectFailed
from tests.shapes import JSON, misshapen

SET = identifier("app-set", "shop")
LABEL = "applyset.kubernetes.io/part-of"
PARENT = parent("app-set", "shop", "pipeline/1", ["Service", "Deployment.apps", "Service"])


def thing(version: str, kind: str, name: str = "app", **metadata: object) -> dict[str, Any]:
    named = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "labels": {LABEL: SET}, **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": named}


SERVICE = Manifest(thing("v1", "Service", labels={"app": "shop"}))
DEPLOYMENT = Manifest(
    thing("apps/v1", "Deployment", labels=None) | {"spec": {"template": {"metadata": {"labels": {"app": "shop"}}}}}
)


def test_the_identifier_is_that_of_the_specification() -> None:
    # printf 'app-set.shop.ConfigMap.' | openssl dgst -sha256 -binary | basenc --base64url
    assert identifier("app-set", "shop") == "applyset-2ePbAF2SWRq45aYA0_Wp4VVT-6_pBu3SFUyug-GKq_E-v1"


def test_each_identifier_can_be_the_value_of_a_label() -> None:
    for number in range(200):
        value = identifier(f"app-{number}", "shop")
        assert len(value) <= 63
        assert value.replace("-", "").replace("_", "").isalnum()


def test_the_parent_names_its_set_its_tool_and_each_kind_once() -> None:
    assert PARENT.body == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "app-set",
            "namespace": "shop",
            "labels": {"applyset.kubernetes.io/id": SET},
            "annotations": {
                "applyset.kubernetes.io/tooling": "pipeline/1",
                "applyset.kubernetes.io/contains-group-kinds": "Deployment.apps,Service",
            },
        },
    }


def test_kinds_are_named_with_their_group_and_read_back() -> None:
    assert [kind_of(SERVICE), kind_of(DEPLOYMENT)] == ["Service", "Deployment.apps"]
    assert kinds_of(PARENT.body) == (("Deployment", "apps"), ("Service", ""))


@pytest.mark.parametrize(
    "named", ["", ",", "deployments.apps", "Role/../../secrets", "Role.rbac authorization", "R\n", "Role.", "R" * 64]
)
def test_what_is_no_kind_is_left_out(named: str) -> None:
    body = parent("app-set", "shop", "pipeline/1", [named, "Service"]).body
    assert kinds_of(body) == (("Service", ""),)


def test_no_more_kinds_are_read_than_a_set_could_have() -> None:
    assert len(kinds_of(parent("a", "b", "c/1", [f"K{number}" for number in range(10**5)]).body)) == 100


def test_a_member_is_marked_and_its_pods_are_not() -> None:
    marked = member(DEPLOYMENT, SET).body
    assert marked["metadata"]["labels"] == {LABEL: SET}
    assert marked["spec"] == DEPLOYMENT.body["spec"]
    assert member(SERVICE, SET).body["metadata"]["labels"] == {"app": "shop", LABEL: SET}


def test_what_is_given_is_left_as_it_is_and_marked_twice_as_once() -> None:
    before = deepcopy(SERVICE.body)
    assert member(member(SERVICE, SET), SET) == member(SERVICE, SET)
    assert before == SERVICE.body


@pytest.mark.parametrize("label", ["applyset-other-v1", "", 7, ["x"]])
def test_an_object_of_another_set_is_refused(label: object) -> None:
    with pytest.raises(SubjectFailed, match=r"Service shop/app says that it is of another set"):
        member(Manifest(thing("v1", "Service", labels={LABEL: label})), SET)


def test_a_parent_is_ours_whichever_version_wrote_it() -> None:
    assert refusal(parent("app-set", "shop", "pipeline/2", []).body, PARENT) == ""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, f"its label applyset.kubernetes.io/id is not {SET}"),
        (parent("other", "shop", "pipeline/1", []).body, f"its label applyset.kubernetes.io/id is not {SET}"),
        (
            parent("app-set", "shop", "kubectl/v1.35.4", []).body,
            "its annotation applyset.kubernetes.io/tooling says that it is of kubectl/v1.35.4",
        ),
        (
            {"metadata": {"labels": {"applyset.kubernetes.io/id": SET}}},
            "its annotation applyset.kubernetes.io/tooling says that it is of nobody",
        ),
    ],
)
def test_a_parent_of_another_set_or_tool_is_not_ours(body: dict[str, Any], why: str) -> None:
    assert refusal(body, PARENT) == why


def test_what_carries_the_label_and_is_brought_no_more_is_a_stray() -> None:
    old = thing("v1", "Service", "old")
    assert strays([old, thing("v1", "Service")], SET, [SERVICE, DEPLOYMENT]) == (old,)


@pytest.mark.parametrize(
    ("listed", "stray"),
    [
        (thing("v1", "ConfigMap"), True),
        (thing("apps/v1", "Service"), True),
        (thing("v1", "Service", namespace="other"), True),
        (thing("v2", "Service"), False),
        (thing("v1", "Service"), False),
    ],
)
def test_objects_are_compared_by_kind_group_namespace_and_name(listed: dict[str, Any], stray: bool) -> None:
    assert (strays([listed], SET, [SERVICE]) != ()) == stray


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {LABEL: identifier("other", "shop")}},
        {"labels": {}},
        {"labels": None},
        {"ownerReferences": [{"uid": "1", "controller": True}]},
        {"name": ""},
        {"uid": None},
    ],
)
def test_what_is_not_surely_of_the_set_is_no_stray(change: dict[str, Any]) -> None:
    listed = thing("v1", "Service")
    assert strays([listed], SET, []) == (listed,)
    listed["metadata"].update(change)
    assert strays([listed], SET, []) == ()


def test_an_object_of_a_list_that_names_no_kind_is_no_stray() -> None:
    listed = thing("v1", "Service")
    del listed["kind"]
    assert strays([listed], SET, []) == ()


@given(bodies=misshapen(thing("v1", "Service"), thing("v1", "Service", "old"), PARENT.body))
def test_no_shape_brings_it_down(bodies: list[Any]) -> None:
    found = strays(bodies[:2], SET, [SERVICE])
    assert all(each["metadata"]["labels"][LABEL] == SET for each in found)
    assert set(kinds_of(bodies[2])) <= {("Deployment", "apps"), ("Service", "")}
    assert refusal(bodies[2], PARENT).isprintable()


@given(body=JSON)
def test_any_json_is_neither_a_stray_nor_a_parent(body: Any) -> None:
    assert strays([body], SET, []) == ()
    assert kinds_of(body) == ()
    assert refusal(body, PARENT) != ""
