"""The first number of replicas is one field of one Deployment that is really rendered, and nothing more."""

from typing import Any

import pytest
import yaml

from shipseal.deploying.creation import first_replicas
from shipseal.deploying.manifests import Manifest
from shipseal.errors import SubjectFailed

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "app", "namespace": "shop"},
}
AUTOSCALER: dict[str, Any] = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "app", "namespace": "shop"},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "app"}, "minReplicas": 2, "maxReplicas": 10},
}
RENDERED = [Manifest({**DEPLOYMENT, "spec": {"template": {}}}), Manifest(AUTOSCALER)]
ONCE: dict[str, Any] = {**DEPLOYMENT, "spec": {"replicas": 3}}


def read(*bodies: Any, rendered: list[Manifest] = RENDERED) -> Manifest:
    return first_replicas(yaml.safe_dump_all(bodies).encode(), rendered)


def test_a_number_for_a_rendered_deployment_is_taken_as_it_stands() -> None:
    assert read(ONCE).body == ONCE


@pytest.mark.parametrize("number", [2, 10])
def test_the_autoscalers_own_bounds_are_within_them(number: int) -> None:
    assert read({**ONCE, "spec": {"replicas": number}}).body["spec"] == {"replicas": number}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({**ONCE, "metadata": {**ONCE["metadata"], "labels": {}}}, "it has other fields"),
        ({**ONCE, "status": {}}, "it has other fields"),
        ({**ONCE, "spec": {"replicas": 3, "paused": True}}, "its spec is not a number of replicas alone"),
        ({**ONCE, "spec": {"replicas": True}}, "its spec is not a number of replicas alone"),
        ({**ONCE, "spec": {"replicas": "3"}}, "its spec is not a number of replicas alone"),
        ({**ONCE, "spec": None}, "its spec is not a number of replicas alone"),
        ({**ONCE, "spec": {"replicas": 0}}, "a Deployment without a replica serves nobody"),
        ({**ONCE, "spec": {"replicas": 1}}, "1 replicas are outside 2 to 10"),
        ({**ONCE, "spec": {"replicas": 11}}, "11 replicas are outside 2 to 10"),
        ({**ONCE, "metadata": {"name": "other", "namespace": "shop"}}, "there is no such Deployment"),
        ({**ONCE, "metadata": {"name": "app", "namespace": "other"}}, "there is no such Deployment"),
        ({**ONCE, "kind": "StatefulSet"}, "there is no such Deployment"),
        ({**ONCE, "apiVersion": "apps/v1beta1"}, "there is no such Deployment"),
    ],
)
def test_anything_else_is_refused_in_words(body: dict[str, Any], expected: str) -> None:
    with pytest.raises(SubjectFailed, match=r"replicas-at-creation\.yaml is not") as failure:
        read(body)
    assert any(expected in why for why in failure.value.why)


def test_a_second_object_is_refused() -> None:
    with pytest.raises(SubjectFailed) as failure:
        read(ONCE, AUTOSCALER)
    assert failure.value.why == ("Deployment shop/app: there is more than one object",)


def test_an_autoscaler_of_another_object_sets_no_bounds() -> None:
    other = Manifest({**AUTOSCALER, "spec": {**AUTOSCALER["spec"], "scaleTargetRef": {"kind": "Job", "name": "app"}}})
    once = {**ONCE, "spec": {"replicas": 20}}
    assert read(once, rendered=[RENDERED[0], other]).body == once
