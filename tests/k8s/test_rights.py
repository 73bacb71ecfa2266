"""What an administrator applies is apart from what a deploy does, leaves it room, and gives it few rights."""

import re
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from shipseal.deploying.manifests import Manifest, parse
from shipseal.deploying.platform import ClusterPlatform, Right, read, resource_of

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
ENVIRONMENTS = ("development", "production", "recovery")
NAMESPACE = "simpletimeservice"
APPLY, WATCH = {"create", "get", "patch"}, {"get", "list", "watch"}
UNITS = {"": Fraction(1), "m": Fraction(1, 1000), "Mi": Fraction(2**20), "Gi": Fraction(2**30)}
Manifests = tuple[Manifest, ...]
Build = Callable[[str], Manifests]


@pytest.fixture(scope="module")
def build(kustomize: Path) -> Build:
    """Give a function that renders one directory of k8s/."""

    def rendered(directory: str) -> Manifests:
        command: list[str | Path] = [kustomize, "build", K8S / directory]
        return parse(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)

    return rendered


@pytest.fixture(scope="module")
def platform(build: Build) -> Manifests:
    return build("platform")


@pytest.fixture(scope="module")
def given(platform: Manifests) -> ClusterPlatform:
    return read(platform)


def one(manifests: Manifests, kind: str, name: str = NAMESPACE) -> Any:
    [found] = [each for each in manifests if (each.kind, each.name) == (kind, name)]
    return found.body


def amount(quantity: str) -> Fraction:
    """Return a quantity of Kubernetes as a number."""
    found = re.fullmatch(r"(\d+)(\D*)", str(quantity))
    assert found
    return int(found[1]) * UNITS[found[2]]


def verbs(given: ClusterPlatform, resource: str) -> set[str]:
    return {right.verb for right in given.rights if right.resource == resource}


def test_each_object_of_the_platform_fits_the_schemas_strictly(platform: Manifests) -> None:
    for each in platform:
        kubernetes_validate.validate(dict(each.body), "1.35", strict=True)
    assert {each.kind for each in platform} == {
        *("Namespace", "ResourceQuota", "LimitRange", "PriorityClass", "Role", "RoleBinding")
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_a_deploy_applies_is_in_the_platforms_namespace_and_may_all_be_applied(
    environment: str, build: Build, given: ClusterPlatform
) -> None:
    manifests = build(f"overlays/{environment}")
    assert given.outside(manifests) == ()
    assert {each.namespace for each in manifests} == {NAMESPACE}


def test_the_namespace_admits_restricted_pods_only_and_says_so_to_a_dry_run_too(platform: Manifests) -> None:
    labels = one(platform, "Namespace")["metadata"]["labels"]
    expected = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    expected |= {f"pod-security.kubernetes.io/{mode}-version": "v1.35" for mode in ("enforce", "audit", "warn")}
    assert expected == {key: value for key, value in labels.items() if key.startswith("pod-security")}


def test_the_quota_has_room_for_all_replicas_to_be_replaced_at_once_with_the_surge(
    platform: Manifests, build: Build
) -> None:
    production = build("overlays/production")
    deployment = one(production, "Deployment")["spec"]
    most = one(production, "HorizontalPodAutoscaler")["spec"]["maxReplicas"]
    pods = 2 * most + deployment["strategy"]["rollingUpdate"]["maxSurge"]
    [container] = deployment["template"]["spec"]["containers"]
    hard = one(platform, "ResourceQuota")["spec"]["hard"]
    assert most == 10
    assert pods <= int(hard["pods"]) <= pods + 3
    for kind in ("requests", "limits"):
        for resource, quantity in container["resources"][kind].items():
            assert int(hard["pods"]) * amount(quantity) == amount(hard[f"{kind}.{resource}"])


def test_the_quota_has_room_for_the_objects_of_a_deploy_and_for_nothing_that_costs(
    platform: Manifests, build: Build
) -> None:
    hard = one(platform, "ResourceQuota")["spec"]["hard"]
    [service] = [each.body["spec"] for each in build("overlays/production") if each.kind == "Service"]
    assert (service["type"], len(service["ports"]), hard["services.nodeports"]) == ("NodePort", 1, "1")
    assert (hard["services.loadbalancers"], hard["persistentvolumeclaims"]) == ("0", "0")


def test_a_container_that_asks_for_nothing_gets_what_the_services_has_and_none_gets_more_than_the_most(
    platform: Manifests, build: Build
) -> None:
    [limits] = one(platform, "LimitRange")["spec"]["limits"]
    [container] = one(build("overlays/production"), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert limits["type"] == "Container"
    assert container["resources"] == {"requests": limits["defaultRequest"], "limits": limits["default"]}
    for resource, quantity in limits["default"].items():
        assert amount(quantity) <= amount(limits["max"][resource])


def test_pods_have_the_platforms_priority_which_nobody_else_gets_unasked(platform: Manifests, build: Build) -> None:
    found = one(platform, "PriorityClass")
    pod = one(build("overlays/production"), "Deployment")["spec"]["template"]["spec"]
    assert found["metadata"]["name"] == pod["priorityClassName"]
    assert found["globalDefault"] is False
    assert 0 < found["value"] < 1_000_000_000  # above are the cluster's own


def test_a_deploy_may_apply_wait_for_and_prune_the_kinds_of_the_base_and_those_alone(
    build: Build, given: ClusterPlatform
) -> None:
    kinds = {resource_of(each) for environment in ENVIRONMENTS for each in build(f"overlays/{environment}")}
    written = {(right.group, right.resource) for right in given.rights if right.verb not in WATCH}
    assert written == kinds | {("", "configmaps"), ("coordination.k8s.io", "leases")}
    for _, resource in kinds:
        assert verbs(given, resource) == APPLY | WATCH | {"delete"}


def test_besides_a_deploy_keeps_receipts_and_a_lock_and_reads_what_a_person_asks_for(given: ClusterPlatform) -> None:
    assert verbs(given, "configmaps") == APPLY | {"list", "delete"}
    assert verbs(given, "leases") == APPLY | {"delete"}
    only_read = {"replicasets": WATCH, "pods": WATCH, "events": WATCH, "pods/log": {"get"}, "services/proxy": {"get"}}
    only_read |= {"resourcequotas": {"get", "list"}, "namespaces": {"get"}}
    for resource, expected in only_read.items():
        assert verbs(given, resource) == expected
    written = {right.resource for right in given.rights if right.verb not in WATCH}
    assert {right.resource for right in given.rights} == written | only_read.keys()


def test_the_probe_reaches_the_service_by_the_name_of_its_port_and_no_other(
    build: Build, given: ClusterPlatform
) -> None:
    service = one(build("overlays/production"), "Service")
    [port] = service["spec"]["ports"]
    [right] = [each for each in given.rights if each.resource == "services/proxy"]
    assert right.name == f"{service['metadata']['name']}:{port['name']}"


def test_outside_of_its_namespace_a_deploy_may_read_which_cluster_it_speaks_to(given: ClusterPlatform) -> None:
    elsewhere = {each for each in given.rights if each.namespace != NAMESPACE}
    assert elsewhere == {Right("kube-system", "", "namespaces", "get", "kube-system")}


def test_no_rule_reaches_a_secret_a_shell_or_another_right(given: ClusterPlatform) -> None:
    forbidden = {"secrets", "pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers"}
    forbidden |= {"serviceaccounts/token", "roles", "rolebindings", "resourcequotas/status", "limitranges"}
    assert forbidden & {right.resource for right in given.rights} == set()
    assert {right.verb for right in given.rights} == APPLY | WATCH | {"delete"}


def test_each_rule_names_one_resource_so_that_a_missing_one_can_be_named() -> None:
    for name in ("role", "role-kube-system"):
        for rule in yaml.safe_load((K8S / "platform" / f"{name}.yaml").read_text())["rules"]:
            assert (len(rule["apiGroups"]), len(rule["resources"])) == (1, 1)


def test_the_roles_are_bound_to_the_group_of_terraforms_access_entry_and_to_nobody_else(platform: Manifests) -> None:
    variables = (ROOT / "terraform" / "modules" / "region" / "variables.tf").read_text()
    group = re.search(r'deploy_group\s+= optional\(string, "([^"]+)"\)', variables)
    assert group
    for each in (each for each in platform if each.kind == "RoleBinding"):
        assert [(subject["kind"], subject["name"]) for subject in each.body["subjects"]] == [("Group", group[1])]
