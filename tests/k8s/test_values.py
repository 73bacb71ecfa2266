"""The manifests hold every value of the architecture, asserted on what kustomize really renders."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipseal.rollout.names import FIRST_REPLICAS, MANAGER

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
LIST = re.compile(r"private_cidrs\s*=\s*(?:optional\(list\(string\),\s*)?(\[[^\]]*\])")
Objects = Mapping[tuple[str, str], Any]


def rendered(kustomize: Path, directory: Path) -> dict[tuple[str, str], Any]:
    done = subprocess.run([kustomize, "build", directory], check=True, capture_output=True, timeout=60)
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(done.stdout)}


@pytest.fixture(scope="module")
def production(kustomize: Path) -> Objects:
    return rendered(kustomize, K8S / "overlays" / "production")


@pytest.fixture(scope="module")
def development(kustomize: Path) -> Objects:
    return rendered(kustomize, K8S / "overlays" / "development")


@pytest.fixture(scope="module")
def deployment(production: Objects) -> Any:
    return production["Deployment", "simpletimeservice"]["spec"]


@pytest.fixture(scope="module")
def pod(deployment: Any) -> Any:
    return deployment["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod: Any) -> Any:
    [only] = pod["containers"]
    return only


@pytest.fixture(scope="module")
def autoscaler(production: Objects) -> Any:
    return production["HorizontalPodAutoscaler", "simpletimeservice"]["spec"]


def test_three_replicas_stand_in_a_file_for_the_first_deploy_and_in_no_rendered_object(deployment: Any) -> None:
    once = yaml.safe_load((K8S / "overlays" / "production" / "replicas-at-creation.yaml").read_text())
    assert once["spec"] == {"replicas": 3}
    assert (once["kind"], once["metadata"]) == (
        "Deployment",
        {"name": "simpletimeservice", "namespace": "simpletimeservice"},
    )
    assert "replicas" not in deployment


def test_whoever_deploys_by_hand_gives_the_first_number_as_the_manager_by_which_a_deploy_would() -> None:
    page = (ROOT / "docs" / "runbooks" / "deploy-by-hand.md").read_text()
    assert f"--field-manager={FIRST_REPLICAS} -f k8s/overlays/production/replicas-at-creation.yaml" in page
    assert f"--field-manager={MANAGER} -f .run/deploy/rendered.yaml" in page


def test_node_port_30080_leads_to_port_8080_of_the_pods(production: Objects, container: Any) -> None:
    service = production["Service", "simpletimeservice"]["spec"]
    assert service["type"] == "NodePort"
    assert [(port["nodePort"], port["targetPort"]) for port in service["ports"]] == [(30080, "http")]
    assert {port["name"]: port["containerPort"] for port in container["ports"]}["http"] == 8080
    assert service["selector"] == {"app": "simpletimeservice"}


def test_a_node_without_a_pod_still_answers_the_balancer(production: Objects) -> None:
    assert production["Service", "simpletimeservice"]["spec"]["externalTrafficPolicy"] == "Cluster"


def test_a_pod_asks_for_100m_and_64mi_and_never_gets_more_than_500m_and_256mi(container: Any) -> None:
    assert container["resources"] == {
        "requests": {"cpu": "100m", "memory": "64Mi"},
        "limits": {"cpu": "500m", "memory": "256Mi"},
    }


def test_a_pod_runs_as_65532_on_a_read_only_file_system_without_any_capability(pod: Any, container: Any) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (65532, 65532)
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_liveness_readiness_and_startup_are_probed(container: Any) -> None:
    paths = {name: container[name]["httpGet"] for name in ("livenessProbe", "readinessProbe", "startupProbe")}
    assert paths == {
        "livenessProbe": {"path": "/health", "port": "http"},
        "readinessProbe": {"path": "/readyz", "port": "http"},
        "startupProbe": {"path": "/health", "port": "http"},
    }


def test_replicas_prefer_other_nodes_with_weight_100(pod: Any) -> None:
    [term] = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term == {
        "weight": 100,
        "podAffinityTerm": {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": {"matchLabels": {"app": "simpletimeservice"}},
        },
    }


def test_replicas_spread_over_the_zones(pod: Any) -> None:
    [spread] = pod["topologySpreadConstraints"]
    assert (spread["maxSkew"], spread["topologyKey"]) == (1, "topology.kubernetes.io/zone")


def test_a_rolling_update_never_takes_a_replica_away_before_its_successor_is_ready(deployment: Any) -> None:
    assert deployment["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_a_pod_has_time_to_leave_the_endpoints_and_to_drain_before_it_is_killed(pod: Any, container: Any) -> None:
    leave = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain, stop = 5, 10  # the service's own DRAIN_SECONDS and STOP_SECONDS
    assert leave + drain + stop < pod["terminationGracePeriodSeconds"]


def test_the_autoscaler_keeps_2_to_10_replicas_at_70_percent_cpu_and_80_percent_memory(autoscaler: Any) -> None:
    assert (autoscaler["minReplicas"], autoscaler["maxReplicas"]) == (2, 10)
    targets = {each["resource"]["name"]: each["resource"]["target"] for each in autoscaler["metrics"]}
    assert targets == {
        "cpu": {"type": "Utilization", "averageUtilization": 70},
        "memory": {"type": "Utilization", "averageUtilization": 80},
    }


def test_the_autoscaler_adds_at_most_4_pods_in_15_seconds(autoscaler: Any) -> None:
    assert autoscaler["behavior"]["scaleUp"]["policies"] == [{"type": "Pods", "value": 4, "periodSeconds": 15}]


def test_the_autoscaler_removes_at_most_half_in_5_minutes(autoscaler: Any) -> None:
    down = autoscaler["behavior"]["scaleDown"]
    assert down["policies"] == [{"type": "Percent", "value": 50, "periodSeconds": 300}]


def test_a_drain_takes_one_replica_at_a_time(production: Objects) -> None:
    assert production["PodDisruptionBudget", "simpletimeservice"]["spec"]["maxUnavailable"] == 1


def test_only_the_private_subnets_reach_the_pods_and_the_pods_reach_nothing(production: Objects) -> None:
    policy = production["NetworkPolicy", "simpletimeservice"]["spec"]
    [rule] = policy["ingress"]
    assert [peer["ipBlock"]["cidr"] for peer in rule["from"]] == ["10.0.11.0/24", "10.0.12.0/24"]
    assert rule["ports"] == [{"protocol": "TCP", "port": "http"}]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == []


def private_subnets(environment: str) -> list[str]:
    """Return the private subnets of an environment: its own, else those that the region's module gives it."""
    terraform = ROOT / "terraform"
    own = LIST.search((terraform / "environments" / environment / "main.tf").read_text())
    given = LIST.search((terraform / "modules" / "region" / "variables.tf").read_text())
    found = own or given
    assert found
    return re.findall(r'"([^"]+)"', found[1])


@pytest.mark.parametrize("environment", ["production", "development", "recovery"])
def test_the_networks_that_are_let_in_are_the_private_subnets_that_terraform_makes(
    environment: str, kustomize: Path
) -> None:
    objects = rendered(kustomize, K8S / "overlays" / environment)
    [rule] = objects["NetworkPolicy", "simpletimeservice"]["spec"]["ingress"]
    assert private_subnets(environment) == [peer["ipBlock"]["cidr"] for peer in rule["from"]]


def test_the_second_region_is_production_with_networks_and_a_role_of_its_own(
    production: Objects, kustomize: Path
) -> None:
    recovery = rendered(kustomize, K8S / "overlays" / "recovery")
    changed = {key for key, expected in production.items() if recovery[key] != expected}
    assert changed == {("NetworkPolicy", "simpletimeservice"), ("ServiceAccount", "simpletimeservice")}
    assert recovery.keys() == production.keys()
    assert private_subnets("recovery") != private_subnets("production")
    text = [(K8S / "overlays" / each / "replicas-at-creation.yaml").read_text() for each in ("production", "recovery")]
    assert text[0] == text[1]


def test_without_an_overlay_nobody_reaches_the_pods(kustomize: Path) -> None:
    """An empty list lets nobody in; a rule without `from` would let in everybody."""
    policy = rendered(kustomize, K8S / "base")["NetworkPolicy", "simpletimeservice"]["spec"]
    assert (policy["ingress"], policy["policyTypes"]) == ([], ["Ingress", "Egress"])


def test_a_cluster_that_collects_metrics_lets_prometheus_in_and_nobody_else(
    kustomize: Path, production: Objects, tmp_path: Path
) -> None:
    shutil.copytree(K8S, tmp_path / "k8s")
    overlay = tmp_path / "k8s" / "overlays" / "production"
    with (overlay / "kustomization.yaml").open("a") as kustomization:
        kustomization.write("components: [../../components/scraping]\n")
    objects = rendered(kustomize, overlay)
    policy = objects.pop(("NetworkPolicy", "simpletimeservice-scraping"))["spec"]
    assert objects == production
    assert policy["policyTypes"] == ["Ingress"]
    [rule] = policy["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": "metrics"}]
    [peer] = rule["from"]  # one peer with both selectors: the pods of that name in that namespace
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}
    assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}


def test_everything_else_in_the_namespace_is_cut_off(production: Objects) -> None:
    policy = production["NetworkPolicy", "default"]["spec"]
    assert policy == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("environment", ["production", "development", "recovery"])
def test_the_application_has_its_own_environments_role_by_irsa_and_no_token_for_the_cluster(
    environment: str, kustomize: Path, pod: Any
) -> None:
    account = rendered(kustomize, K8S / "overlays" / environment)["ServiceAccount", "simpletimeservice"]
    role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    assert role.endswith(f":role/simpletimeservice-{environment}-application")
    assert account["automountServiceAccountToken"] is False
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("simpletimeservice", False)


def test_the_image_as_it_stands_can_be_pulled_from_nowhere(container: Any) -> None:
    assert container["image"].split("/")[0].endswith(".invalid")


def test_development_runs_one_replica_on_its_one_small_node(development: Objects) -> None:
    spec = development["HorizontalPodAutoscaler", "simpletimeservice"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 3)
    once = yaml.safe_load((K8S / "overlays" / "development" / "replicas-at-creation.yaml").read_text())
    assert once["spec"] == {"replicas": 1}


def test_development_differs_from_production_in_nothing_that_keeps_a_pod_safe(
    production: Objects, development: Objects
) -> None:
    kinds = ("Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy")
    for key, expected in production.items():
        if key[0] in kinds:
            assert development[key] == expected


@pytest.mark.parametrize("path", sorted(K8S.rglob("*.yaml")), ids=lambda path: str(path.relative_to(K8S)))
def test_each_file_holds_one_object(path: Path) -> None:
    assert len(list(yaml.safe_load_all(path.read_text()))) == 1


def test_each_file_of_a_directory_is_rendered_or_says_why_it_is_not() -> None:
    for kustomization in K8S.rglob("kustomization.yaml"):
        content = yaml.safe_load(kustomization.read_text())
        named = {*content["resources"], *(patch["path"] for patch in content.get("patches", ()))}
        beside = {path.name for path in kustomization.parent.glob("*.yaml")}
        assert beside - named == {"kustomization.yaml"} | ({"replicas-at-creation.yaml"} & beside)
