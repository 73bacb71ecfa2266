"""What an apply would change is told by the fields, short, and without what only the server cares for."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given

from shipseal.deploying.difference import FieldChange, changes
from tests.shapes import JSON, misshapen, places

TITLE = "Deployment shop/app"
LIVE: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "app",
        "uid": "1",
        "resourceVersion": "7",
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "pipeline"}],
        "labels": {"app.kubernetes.io/name": "app"},
    },
    "spec": {
        "minReadySeconds": 5,
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "app",
                        "image": "docker.io/example/app:1",
                        "args": ["--port", "8080"],
                        "env": [{"name": "MODE", "value": "slow"}],
                        "ports": [{"containerPort": 8080}, {"containerPort": 9090}],
                        "volumeMounts": [{"name": "tmp", "mountPath": "/a"}, {"name": "tmp", "mountPath": "/b"}],
                    },
                    {"name": "other", "image": "docker.io/example/other:1"},
                ],
                "tolerations": [{"key": "a", "effect": "NoExecute"}, {"key": "a", "effect": "NoSchedule"}],
            }
        },
    },
    "status": {"replicas": 3},
}
POD = "spec.template.spec"


def changed(change: Any, live: Any = LIVE) -> list[tuple[str, str, str]]:
    after = deepcopy(live)
    change(after)
    return [(each.path, each.before, each.after) for each in changes(TITLE, live, after)]


def container(body: Any) -> Any:
    return body["spec"]["template"]["spec"]["containers"][0]


def test_the_same_object_changes_nothing() -> None:
    assert changes(TITLE, LIVE, deepcopy(LIVE)) == ()


def test_what_is_not_there_yet_is_one_change() -> None:
    assert list(map(str, changes(TITLE, None, LIVE))) == ["Deployment shop/app: (nothing) -> a new object"]


def test_what_the_server_keeps_for_itself_is_no_change() -> None:
    theirs = {"uid": "2", "resourceVersion": "8", "generation": 2, "creationTimestamp": "", "managedFields": []}
    assert changed(lambda body: (body["metadata"].update(theirs), body.update(status={}))) == []


def test_an_image_is_named_by_its_container() -> None:
    after = deepcopy(LIVE)
    container(after)["image"] = "docker.io/example/app@sha256:00"
    (change,) = changes(TITLE, LIVE, after)
    expected = f"{POD}.containers[app].image: docker.io/example/app:1 -> docker.io/example/app@sha256:00"
    assert str(change) == f"Deployment shop/app: {expected}"


@pytest.mark.parametrize(
    ("change", "path", "before", "after"),
    [
        (lambda c: c["env"][0].update(value="fast"), "env[MODE].value", "slow", "fast"),
        (lambda c: c["env"].insert(0, {"name": "A"}), "env[A]", "(nothing)", '{"name": "A"}'),
        (lambda c: c["env"].clear(), "env[MODE]", '{"name": "MODE", "value": "slow"}', "(nothing)"),
        (lambda c: c["ports"][1].update(protocol="UDP"), "ports[9090].protocol", "(nothing)", "UDP"),
        (lambda c: c["volumeMounts"][1].update(readOnly=True), "volumeMounts[/b].readOnly", "(nothing)", "true"),
        (lambda c: c["volumeMounts"].reverse(), "volumeMounts", '["/a", "/b"]', '["/b", "/a"]'),
        (lambda c: c["args"].append("-v"), "args", '["--port", "8080"]', '["--port", "8080", "-v"]'),
    ],
)
def test_lists_are_told_by_the_names_in_them(change: Any, path: str, before: str, after: str) -> None:
    found = changed(lambda body: change(container(body)))
    assert found == [(f"{POD}.containers[app].{path}", before, after)]


def test_things_that_have_no_name_of_their_own_are_told_by_their_places() -> None:
    found = changed(lambda body: body["spec"]["template"]["spec"]["tolerations"][1].update(key="b"))
    assert found == [(f"{POD}.tolerations[1].key", "a", "b")]


def test_a_key_that_is_no_word_stands_in_brackets() -> None:
    found = changed(lambda body: body["metadata"]["labels"].update({"app.kubernetes.io/name": "shop"}))
    assert found == [("metadata.labels[app.kubernetes.io/name]", "app", "shop")]


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (1, True, ("1", "true")),
        (1, "1", ("1", '"1"')),
        (True, "true", ("true", '"true"')),
        (None, "", ("null", '""')),
        ([1], [True], ("[1]", "[true]")),
        ([], {}, ("[]", "{}")),
        ("a", "(nothing)", ("a", '"(nothing)"')),
        ("a", "b\n\x1b[2J", ("a", '"b\\n\\u001b[2J"')),
    ],
)
def test_values_of_different_kinds_never_look_alike(before: Any, after: Any, shown: tuple[str, str]) -> None:
    assert [(each.before, each.after) for each in changes(TITLE, {"spec": before}, {"spec": after})] == [shown]


@pytest.mark.parametrize(("before", "after"), [("x" * 500, "x" * 500 + "y"), ("x" * 500 + "a" * 500, "x" * 500 + "b")])
def test_long_values_are_cut_to_where_they_differ(before: str, after: str) -> None:
    (change,) = changes(TITLE, {"spec": before}, {"spec": after})
    assert change.before != change.after
    assert max(len(change.before), len(change.after)) <= 102
    assert change.after.startswith("…xxxxxxxxxxxxxxxxxxxx")


def test_of_a_secret_only_the_fields_are_named() -> None:
    live = {"kind": "Secret", "data": {"password": "aHVudGVyMg=="}}
    assert changes("Secret shop/app", live, {"kind": "Secret", "data": {"password": "bmV3"}}) == (
        FieldChange("Secret shop/app", "data.password", "(hidden)", "(hidden)"),
    )
    assert "aHVudGVyMg" not in str(changes("Secret shop/app", live, {"kind": "ConfigMap"}))


def test_of_very_many_changes_the_first_are_told_and_how_many_follow() -> None:
    found = changes("ConfigMap shop/app", {"data": {}}, {"data": {f"k{number}": "v" for number in range(1000)}})
    assert len(found) == 201
    assert str(found[-1]) == "ConfigMap shop/app: 800 more -> changes"


def nested(*kinds: str) -> Any:
    """Return a value far deeper than Python can follow, of mappings, of lists, or of both by turns."""
    value: Any = 1
    for _ in range(10**5):
        for kind in kinds:
            value = {"a": value} if kind == "mapping" else [value]
    return value


@pytest.mark.parametrize("kinds", [("mapping",), ("list",), ("mapping", "list")])
def test_what_is_too_deep_to_be_compared_counts_as_changed(kinds: tuple[str, ...]) -> None:
    value = {"spec": nested(*kinds)}
    (change,) = changes(TITLE, value, value)
    assert "…" in change.before
    assert len(changes(TITLE, {"spec": 1}, value)) == 1


def asked(body: Any) -> str:
    kept = {key: value for key, value in body.items() if key != "status"} if isinstance(body, dict) else {}
    theirs = {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"}
    if isinstance(metadata := kept.get("metadata"), dict):
        kept["metadata"] = {key: value for key, value in metadata.items() if key not in theirs}
    return json.dumps(kept, sort_keys=True)


@given(bodies=misshapen(LIVE))
def test_each_change_to_any_json_is_told_and_none_else(bodies: list[Any]) -> None:
    found = changes(TITLE, LIVE, bodies[0])
    assert (asked(LIVE) != asked(bodies[0])) == (found != ())
    shown = [text for each in found for text in (each.path, each.before, each.after, str(each))]
    assert all(text.isprintable() and len(text) < 3000 for text in shown)


@given(value=JSON)
def test_a_value_is_as_it_is_and_another_than_none(value: Any) -> None:
    deep = sum(1 for _ in places([value])) > 100
    assert deep or changes(TITLE, {"spec": value}, {"spec": deepcopy(value)}) == ()
    assert changes(TITLE, {"spec": {"a": value}}, {"spec": {}}) != ()
    assert changes(TITLE, value, {"spec": value}) != () or value == {"spec": value}
