"""The Cluster Autoscaler's manifests fit the cluster that Terraform makes. It is not run: there is no module of it."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from shipseal.project.config import HOME

OURS = HOME / "k8s" / "platform" / "cluster-autoscaler"
TERRAFORM = HOME / "terraform"


@pytest.fixture(scope="module")
def objects(kustomize: Path) -> dict[str, Any]:
    """Give what the directory renders to, by kind: there is one of each."""
    done = subprocess.run([kustomize, "build", OURS], check=True, capture_output=True, timeout=60)
    listed = list(yaml.safe_load_all(done.stdout))
    assert len({each["kind"] for each in listed}) == len(listed)
    return {each["kind"]: each for each in listed}


@pytest.fixture(scope="module")
def pod(objects: dict[str, Any]) -> Any:
    return objects["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def flags(pod: Any) -> dict[str, str]:
    (container,) = pod["containers"]
    return dict(each.removeprefix("--").split("=", 1) for each in container["args"])


def terraform(path: str) -> str:
    return (TERRAFORM / path).read_text(encoding="utf-8")


def test_each_object_is_valid_for_kubernetes_with_no_unknown_field(objects: dict[str, Any]) -> None:
    for each in objects.values():
        kubernetes_validate.validate(each, "1.35", strict=True)


def test_there_are_two_to_four_nodes_by_the_group_itself_and_by_the_flag(flags: dict[str, str]) -> None:
    """With discovery by tags the fewest and the most are the group's own, which is Terraform's."""
    production = terraform("environments/production/variables.tf")
    assert "default     = { min = 2, desired = 2, max = 4 }" in production
    assert flags["max-nodes-total"] == "4"
    assert not {"nodes", "min-nodes"} & set(flags)


def test_a_node_goes_after_ten_minutes_of_low_use(flags: dict[str, str]) -> None:
    assert flags["scale-down-unneeded-time"] == flags["scale-down-delay-after-add"] == "10m"
    assert flags["scale-down-utilization-threshold"] == "0.5"


def test_the_group_is_found_by_the_tags_that_terraform_gives_it(flags: dict[str, str]) -> None:
    tags = re.findall(r'"(k8s\.io/cluster-autoscaler/[^"]+)" += "', terraform("modules/nodes/main.tf"))
    (name,) = re.findall(r'^  name += "([^"]+)"', terraform("environments/production/main.tf"), re.MULTILINE)
    expected = ",".join(each.replace("${var.cluster_name}", name) for each in tags)
    assert flags["node-group-auto-discovery"] == f"asg:tag={expected}"
    assert flags["cloud-provider"] == "aws"


def test_the_account_and_its_role_are_those_that_terraform_trusts(objects: dict[str, Any], pod: Any) -> None:
    account = objects["ServiceAccount"]["metadata"]
    trusted = re.search(
        r'cluster-autoscaler = \{\s+namespace += "(.*)"\s+service_account = "(.*)"',
        terraform("modules/identity/workloads.tf"),
    )
    assert trusted is not None
    assert (account["namespace"], account["name"]) == trusted.groups()
    assert pod["serviceAccountName"] == account["name"]
    (name,) = re.findall(r'^  name += "([^"]+)"', terraform("environments/production/main.tf"), re.MULTILINE)
    assert account["annotations"]["eks.amazonaws.com/role-arn"].endswith(f":role/{name}-cluster-autoscaler")
    (region,) = [each["value"] for each in pod["containers"][0]["env"] if each["name"] == "AWS_REGION"]
    assert f'"{region}"' in terraform("environments/production/variables.tf")


def test_its_minor_is_that_of_the_cluster(pod: Any) -> None:
    wanted = tomllib.loads((HOME / "pipeline.toml").read_text())["deploy"]["kubernetes"]
    (container,) = pod["containers"]
    tag = container["image"].rpartition(":")[2]
    assert re.fullmatch(rf"v{re.escape(wanted)}\.[0-9]+", tag)
    assert f'default     = "{wanted}"' in terraform("environments/production/variables.tf")


def test_one_of_two_stays_and_both_come_before_the_service(objects: dict[str, Any], pod: Any) -> None:
    assert objects["Deployment"]["spec"]["replicas"] == 2
    assert objects["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for kind, path in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        assert objects[kind]["spec"][path]["matchLabels"].items() <= labels.items()
    assert pod["priorityClassName"] == "system-cluster-critical"


def test_it_runs_as_nobody_on_a_read_only_file_system_without_any_capability(pod: Any) -> None:
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert {"limits", "requests"} <= set(container["resources"])


CHANGES = {
    ("ClusterRole", "nodes", "update"),
    ("ClusterRole", "pods/eviction", "create"),
    ("ClusterRole", "events", "create"),
    ("ClusterRole", "events", "patch"),
    ("Role", "leases", "create"),
    ("Role", "leases/cluster-autoscaler", "update"),
    ("Role", "configmaps", "create"),
    ("Role", "configmaps/cluster-autoscaler-status", "update"),
    ("Role", "configmaps/cluster-autoscaler-status", "delete"),
}
"""All that it may change in the cluster; the rest is reading, and of no Secret."""


def test_it_may_mark_nodes_evict_pods_and_keep_its_own_notes_and_change_nothing_else(objects: dict[str, Any]) -> None:
    given = set[tuple[str, str, str]]()
    for kind in ("ClusterRole", "Role"):
        for rule in objects[kind]["rules"]:
            names = rule.get("resourceNames", [""])
            what = [f"{each}/{name}".rstrip("/") for each in rule["resources"] for name in names]
            given |= {(kind, each, verb) for each in what for verb in rule["verbs"]}
    assert {each for each in given if each[2] not in {"get", "list", "watch"}} == CHANGES
    assert not [each for each in given if "*" in "".join(each) or "secrets" in each[1]]


def test_the_pages_say_that_it_was_not_run() -> None:
    for page in (OURS / "kustomization.yaml", HOME / "docs" / "capacity.md"):
        assert "not been run" in page.read_text(encoding="utf-8"), page
