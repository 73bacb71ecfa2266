"""What may not be deployed is refused with object, reason and remedy, and what ran before runs on."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from tests.cluster.checkout import NAME
from tests.cluster.ground import Ground
from tests.cluster.running import soon
from tests.cluster.said import written
from tests.commands import Ended

pytestmark = pytest.mark.timeout(600)
FOREIGN = f"registry.example/acme/other@sha256:{'e' * 64}"
GROWING = "a: &a [x]\n" + "".join(f"{one}: &{one} [{','.join(9 * [f'*{a}'])}]\n" for a, one in pairwise("abcdefgh"))


def sidecars(**images: str) -> dict[str, Any]:
    """Return the patch of a Deployment that brings more containers into the template of its pods, by their names."""
    security = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    more = {"securityContext": security, "readinessProbe": {"httpGet": {"path": "/", "port": 9000}}}
    containers = [{"name": name, "image": image, **more} for name, image in images.items()]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def refused(ground: Ground, code: int = 7) -> Ended:
    """Deploy `b`, which is to be refused before anything is written."""
    before = written(ground)
    ended = ground.deploy(to=ground.releases.b, code=code)
    assert before == written(ground)
    return ended


def test_objects_that_no_deploy_may_bring_and_images_that_nobody_verified_are_named(trial: Ground) -> None:
    tagged = "registry.example/acme/other:1.0"
    trial.checkout.patch("more-containers.yaml", sidecars(foreign=FOREIGN, tagged=tagged, latest="acme/other"))
    everybody = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}
    trial.checkout.add(
        "more.yaml",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": "kube-system"}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "all"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
         "subjects": [everybody]},
    )  # fmt: skip
    said = refused(trial).output
    assert "ConfigMap kube-system/theirs: namespaces that begin with kube- are the cluster's own" in said
    assert "ClusterRoleBinding all: rbac.authorization.k8s.io/v1 ClusterRoleBinding is not a kind that a deploy" in said
    assert f"container foreign: image {FOREIGN} is neither the verified one nor in [deploy] also-images" in said
    assert f"Deployment {trial.namespace}/{NAME}: container tagged: image '{tagged}' is not by digest" in said
    assert "container latest: image 'acme/other' is not by digest" in said
    assert "correct the files under the directory that [deploy] manifests names" in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("data: {one: x}\ndata: {two: y}\n", "data"),
        (GROWING, "more.yaml"),
    ],
    ids=["a key that is there twice", "anchors that grow"],
)  # fmt: skip
def test_yaml_that_is_not_what_it_seems_is_refused(trial: Ground, text: str, why: str) -> None:
    trial.checkout.add("more.yaml", {})
    head = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: more, namespace: {trial.namespace}}}\n"
    trial.checkout.save("k8s/overlays/production/more.yaml", head + text)
    said = refused(trial).output
    assert why in said


def test_an_object_of_a_kind_that_the_role_does_not_name_is_refused(trial: Ground) -> None:
    job = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    trial.checkout.add("more.yaml", {**job, "metadata": {"name": "room", "namespace": trial.namespace}, "spec": spec})
    said = refused(trial).output
    assert "whoever deploys has no right to create, get, patch persistentvolumeclaims" in said


def test_a_field_that_cannot_be_changed_is_named_with_what_to_do(trial: Ground) -> None:
    labels = {"app": NAME, "tier": "front"}
    pods = {"metadata": {"labels": labels}}
    trial.checkout.patch("labels.yaml", {"spec": {"selector": {"matchLabels": labels}, "template": pods}})
    said = refused(trial).output
    assert f"error: the API server refuses Deployment {trial.namespace}/{NAME}" in said
    assert "spec.selector: Invalid value" in said
    assert "field is immutable" in said
    assert "give it another name" in said


def test_a_field_of_another_manager_is_named_with_its_owner_and_never_forced(trial: Ground) -> None:
    theirs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME, "namespace": trial.namespace},
              "spec": {"minReadySeconds": 2}}  # fmt: skip
    how = ("apply", "--server-side", "-f", "-")
    trial.kubectl(*how, "--force-conflicts", "--field-manager=somebody", given=theirs)
    try:
        said = refused(trial).output
        assert f"Deployment {trial.namespace}/{NAME} has fields that somebody else manages" in said
        assert '.spec.minReadySeconds: conflict with "somebody"' in said
        assert "nothing is ever forced" in said
        assert trial.kubectl.read("deployment", NAME)["spec"]["minReadySeconds"] == 2
    finally:
        trial.kubectl(*how, "--field-manager=somebody", given={**theirs, "spec": {}})


@contextmanager
def denied(ground: Ground, expression: str, message: str) -> Iterator[None]:
    """Have the cluster deny what does not hold of objects in the namespace."""
    about = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": ground.namespace}}
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"],
            "operations": ["CREATE", "UPDATE"]}  # fmt: skip
    chosen = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ground.namespace}}}
    policy = {**about, "kind": "ValidatingAdmissionPolicy", "spec": {
        "matchConstraints": {"resourceRules": [rule]}, "failurePolicy": "Fail",
        "validations": [{"expression": expression, "message": message}],
    }}  # fmt: skip
    binding = {**about, "kind": "ValidatingAdmissionPolicyBinding", "spec": {
        "policyName": ground.namespace, "validationActions": ["Deny"], "matchResources": chosen,
    }}  # fmt: skip
    ground.kubectl("create", "-f", "-", given=[policy, binding])
    try:
        patch = ("patch", "deployment", NAME, "--dry-run=server", "--type=merge", "--patch")
        asked = [*patch, '{"metadata":{"annotations":{"asked":"yes"}}}']
        assert soon(lambda: ground.kubectl(*asked, code=None).code == 1)
        yield
    finally:
        ground.kubectl("delete", "-f", "-", given=[policy, binding])


def test_an_admission_that_is_denied_is_told_in_the_policys_own_words(trial: Ground) -> None:
    with denied(trial, "object.metadata.name == 'nothing'", "ask ann before you change this"):
        said = refused(trial).output
    assert f"error: the API server refuses Deployment {trial.namespace}/{NAME}" in said
    assert "ask ann before you change this" in said
    assert "ask an administrator for the right or the policy that it names" in said
