"""What is shipped is admitted by a real API server, without a warning, for whoever has the rights that are shipped.

And how the server goes about the number of replicas, on which a deploy relies.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipseal.deploying.manifests import Manifest, dump, parse
from shipseal.deploying.platform import Right, read
from shipseal.deploying.review import review
from shipseal.digest import Digest, Reference
from tests.cluster.manifests import K8S, OURS, REPLICAS, apply, bound, build, without
from tests.cluster.running import Kubectl, Running, soon
from tests.cluster.visitors import Visitors

GROUP = f"{OURS}-deployers"
NUMBERS = {"development": 1, "production": 3, "recovery": 3}
KINDS = 7


def objects(kustomize: Path, environment: str, image: bytes = b"first") -> list[Any]:
    """Return what a deploy would apply of an environment, reviewed as it does, with an image by digest."""
    rendered = dump([Manifest(each) for each in build(kustomize, K8S / "overlays" / environment)])
    reference = Reference("registry.example", "acme/sample", Digest.of(image))
    return [dict(each.body) for each in parse(dump(review(rendered, "1.35", "app", reference)))]


def first_replicas(environment: str) -> Any:
    return yaml.safe_load((K8S / "overlays" / environment / "replicas-at-creation.yaml").read_text())


def one(listed: list[Any], kind: str) -> Any:
    [found] = [each for each in listed if each["kind"] == kind]
    return found


def rights(kubectl: Kubectl, namespace: str) -> set[Right]:
    """Return what a user may do in a namespace, but for asking who he is and what he may do, as everybody may."""
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    status = json.loads(kubectl("create", "--validate=false", "-o", "json", "-f", "-", given=asked).stdout)["status"]
    assert not status["incomplete"]
    return {
        Right(namespace, group, resource, verb, name)
        for rule in status["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
        if not resource.startswith("selfsubject")
    }


@pytest.fixture(scope="module")
def platform(kustomize: Path) -> list[Any]:
    """Give what an administrator applies."""
    return build(kustomize, K8S / "platform")


@pytest.fixture(scope="module")
def administrator(running: Running, platform: list[Any]) -> Iterator[Kubectl]:
    """Give the administrator's kubectl, in the namespace that the platform has made."""
    everywhere = running.kubectl.within("")
    said = apply(everywhere, platform, manager="administrator")
    assert [line.rpartition(" ")[2] for line in said] == ["serverside-applied"] * len(platform)
    yield everywhere.within(OURS)
    everywhere("delete", "--wait=false", "-f", "-", given=platform)


@pytest.fixture(scope="module")
def deployer(administrator: Kubectl, visitors: Visitors) -> Kubectl:
    """Give the kubectl of somebody who is in the group of deployers, and has no other right."""
    kubectl = administrator.of(visitors.kubeconfig("ann", GROUP))
    assert soon(lambda: bool(rights(kubectl, "kube-system")))  # it was bound last
    return kubectl


@pytest.fixture
def empty(administrator: Kubectl, deployer: Kubectl, kustomize: Path) -> Iterator[Kubectl]:
    """Give the deployer's kubectl where nothing has been deployed, and delete with its rights what then was."""
    yield deployer
    everything = objects(kustomize, "production")
    deployer("delete", "--ignore-not-found", "--cascade=foreground", "-f", "-", given=everything)
    assert administrator.read("pods")["items"] == []


def replicas(kubectl: Kubectl) -> int:
    return int(kubectl.read("deployment", OURS)["spec"]["replicas"])


def owners_of_replicas(kubectl: Kubectl) -> list[str]:
    fields = kubectl.read("deployment", OURS, "--show-managed-fields")["metadata"]["managedFields"]
    return [each["manager"] for each in fields if "f:replicas" in each["fieldsV1"].get("f:spec", {})]


def scale(administrator: Kubectl, number: int) -> None:
    """Set the number as the autoscaler does: through the subresource."""
    administrator("scale", f"deployment/{OURS}", f"--replicas={number}")


@pytest.mark.parametrize("environment", NUMBERS)
def test_an_environment_is_admitted_without_a_warning_and_becomes_ready_with_its_first_number_of_replicas(
    environment: str, empty: Kubectl, kustomize: Path
) -> None:
    overlay = objects(kustomize, environment)
    assert len(apply(empty, overlay, "--dry-run=server")) == len(overlay) == KINDS
    apply(empty, overlay)
    apply(empty, [first_replicas(environment)], manager=REPLICAS)
    ready = f"--for=jsonpath={{.status.readyReplicas}}={NUMBERS[environment]}"
    empty("wait", ready, f"deployment/{OURS}", "--timeout=30s")
    assert NUMBERS[environment] == replicas(empty)
    assert owners_of_replicas(empty) == [REPLICAS]


def test_a_pod_that_is_not_restricted_makes_its_deployment_a_warning_and_is_not_admitted(
    empty: Kubectl, kustomize: Path
) -> None:
    overlay = objects(kustomize, "production")
    one(overlay, "Deployment")["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] = False
    said = apply(empty, overlay, "--dry-run=server", code=1)
    assert any('would violate PodSecurity "restricted:v1.35": runAsNonRoot != true' in line for line in said)
    apply(empty, overlay, code=1)
    refused = "--for=jsonpath={.status.conditions[?(@.type=='ReplicaFailure')].reason}=FailedCreate"
    empty("wait", refused, f"deployment/{OURS}", "--timeout=30s")


def test_a_later_deploy_leaves_the_number_of_the_autoscaler_alone(
    empty: Kubectl, administrator: Kubectl, kustomize: Path
) -> None:
    apply(empty, objects(kustomize, "production"))
    apply(empty, [first_replicas("production")], manager=REPLICAS)
    scale(administrator, 5)
    apply(empty, objects(kustomize, "production", b"second"))
    assert replicas(empty) == 5
    assert REPLICAS not in owners_of_replicas(empty)


def test_the_first_number_a_second_time_is_a_conflict_with_the_autoscaler(
    empty: Kubectl, administrator: Kubectl, kustomize: Path
) -> None:
    """So it is written at creation, and never again."""
    apply(empty, objects(kustomize, "production"))
    apply(empty, [first_replicas("production")], manager=REPLICAS)
    scale(administrator, 5)
    said = apply(empty, [first_replicas("production")], manager=REPLICAS, code=1)
    assert any('conflict with "kubectl" with subresource "scale"' in line for line in said)
    assert replicas(empty) == 5


def test_a_number_that_the_manager_of_all_else_gives_up_falls_to_one(empty: Kubectl, kustomize: Path) -> None:
    """So another manager has it."""
    numbered = deepcopy(overlay := objects(kustomize, "production"))
    one(numbered, "Deployment")["spec"]["replicas"] = 3
    apply(empty, numbered)
    assert replicas(empty) == 3
    apply(empty, overlay)
    assert replicas(empty) == 1


def test_a_deployer_may_do_what_the_platform_says_and_nothing_else(deployer: Kubectl, platform: list[Any]) -> None:
    """That is what a deploy asks the cluster for."""
    given = read([Manifest(each) for each in platform]).rights
    assert given == {right for each in (OURS, "kube-system", "default") for right in rights(deployer, each)}


@pytest.mark.parametrize("resource", ["deployments", "leases", "pods/log", "services/proxy"])
def test_a_deployer_without_one_rule_may_do_all_but_that(
    resource: str, administrator: Kubectl, visitors: Visitors, platform: list[Any]
) -> None:
    [role] = [each for each in platform if (each["kind"], each["metadata"]["name"]) == ("Role", "deployer")]
    user = f"without-{resource.replace('/', '-')}"
    apply(administrator, bound(without(role, resource), user), manager="administrator")
    everything = read([Manifest(each) for each in platform]).rights
    expected = {right for right in everything if right.namespace == OURS and right.resource != resource}
    kubectl = administrator.of(visitors.kubeconfig(user))
    assert soon(lambda: rights(kubectl, OURS) == expected)
