"""The manifests for Dagger engines are valid, and keep engines apart from each other, and from everybody else."""

import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

ENGINES = Path(__file__).resolve().parents[2] / "k8s" / "dagger-engine"
INSTALLATIONS = ("pull-requests", "releases")


@pytest.fixture(scope="module", params=INSTALLATIONS)
def objects(request: pytest.FixtureRequest, kustomize: Path) -> dict[str, Any]:
    """Give what an installation renders to, by kind: there is one of each."""
    done = subprocess.run(
        [kustomize, "build", ENGINES / request.param], check=True, capture_output=True, timeout=60, text=True
    )
    listed = list(yaml.safe_load_all(done.stdout))
    assert len({each["kind"] for each in listed}) == len(listed)
    return {each["kind"]: each for each in listed}


def test_each_object_is_valid_for_kubernetes_with_no_unknown_field(objects: dict[str, Any]) -> None:
    for each in objects.values():
        kubernetes_validate.validate(each, "1.35", strict=True)


def test_every_installation_is_in_a_namespace_of_its_own(kustomize: Path) -> None:
    names = set()
    for each in INSTALLATIONS:
        done = subprocess.run([kustomize, "build", ENGINES / each], check=True, capture_output=True, timeout=60)
        found = list(yaml.safe_load_all(done.stdout))
        (namespace,) = (each["metadata"]["name"] for each in found if each["kind"] == "Namespace")
        assert {each["metadata"]["namespace"] for each in found if each["kind"] != "Namespace"} == {namespace}
        names.add(namespace)
    assert len(names) == len(INSTALLATIONS)


def test_an_engine_has_a_volume_of_its_own_that_no_other_pod_can_share(objects: dict[str, Any]) -> None:
    (claim,) = objects["StatefulSet"]["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    (container,) = objects["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    assert {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}["cache"] == "/var/lib/dagger"
    assert "hostPath" not in str(objects["StatefulSet"])


def test_an_engine_listens_on_no_port_and_nobody_is_let_in(objects: dict[str, Any]) -> None:
    (container,) = objects["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    assert "ports" not in container
    assert "args" not in container
    assert "ports" not in objects["Service"]["spec"]
    policy = objects["NetworkPolicy"]["spec"]
    assert policy["podSelector"] == {}
    assert "Ingress" in policy["policyTypes"]
    assert not policy.get("ingress")


def rendered(kustomize: Path, directory: str) -> list[Any]:
    done = subprocess.run([kustomize, "build", ENGINES / directory], check=True, capture_output=True, timeout=60)
    return list(yaml.safe_load_all(done.stdout))


def test_each_installation_runs_on_nodes_of_its_own_and_tolerates_the_taint_of_no_other(kustomize: Path) -> None:
    for name in INSTALLATIONS:
        [pod] = [
            each["spec"]["template"]["spec"] for each in rendered(kustomize, name) if each["kind"] == "StatefulSet"
        ]
        assert pod["nodeSelector"] == {"dagger-engine": name}
        assert pod["tolerations"] == [
            {"key": "dagger-engine", "operator": "Equal", "value": name, "effect": "NoSchedule"}
        ]


def test_the_base_alone_fits_no_node(kustomize: Path) -> None:
    [pod] = [each["spec"]["template"]["spec"] for each in rendered(kustomize, "base") if each["kind"] == "StatefulSet"]
    assert pod["nodeSelector"]["dagger-engine"] not in INSTALLATIONS
    assert "tolerations" not in pod


def lets_out(policy: Any, address: str, port: int) -> bool:
    """Say whether a policy lets TCP out to an address: one rule is enough (kubernetes.io, "Network Policies")."""
    return any(
        ip_address(address) in ip_network(peer["ipBlock"]["cidr"])
        and not any(ip_address(address) in ip_network(each) for each in peer["ipBlock"]["except"])
        for rule in policy["egress"]
        if {"protocol": "TCP", "port": port} in rule["ports"]
        for peer in rule["to"]
        if "ipBlock" in peer
    )


def test_a_rule_without_a_peer_would_let_out_everywhere_and_there_is_none(objects: dict[str, Any]) -> None:
    assert all(rule["to"] for rule in objects["NetworkPolicy"]["spec"]["egress"])


@pytest.mark.parametrize(
    "address",
    [
        *("172.20.0.1", "10.100.0.1", "10.0.11.7", "10.1.12.9", "192.168.0.1", "100.64.3.2", "127.0.0.1"),
        *("169.254.169.254", "169.254.170.23", "0.0.0.0", "255.255.255.255", "fd00:ec2::254", "2600:1f18::1"),
    ],
)
def test_a_build_reaches_neither_the_api_server_nor_anything_around_it(objects: dict[str, Any], address: str) -> None:
    policy = objects["NetworkPolicy"]["spec"]
    assert [lets_out(policy, address, port) for port in (80, 443)] == [False, False]


@pytest.mark.parametrize("port", [80, 443])
def test_a_build_reaches_registries_by_https_and_the_mirrors_of_debian_by_http(
    objects: dict[str, Any], port: int
) -> None:
    assert lets_out(objects["NetworkPolicy"]["spec"], "151.101.2.132", port)
    assert not lets_out(objects["NetworkPolicy"]["spec"], "151.101.2.132", 6443)


def test_names_are_asked_of_the_cluster_and_of_nobody_else(objects: dict[str, Any]) -> None:
    [rule] = [
        each for each in objects["NetworkPolicy"]["spec"]["egress"] if {"protocol": "UDP", "port": 53} in each["ports"]
    ]
    assert rule["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ]


def test_an_engine_holds_no_credential_of_its_cluster(objects: dict[str, Any]) -> None:
    assert objects["ServiceAccount"]["automountServiceAccountToken"] is False
    assert objects["StatefulSet"]["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_the_engine_has_the_version_that_the_module_asks_for(objects: dict[str, Any]) -> None:
    (container,) = objects["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    module = yaml.safe_load((ENGINES.parents[1] / "dagger.json").read_text())
    assert container["image"].rpartition(":")[2] == module["engineVersion"]


def test_no_overlay_of_production_includes_an_engine() -> None:
    for path in (ENGINES.parent / "overlays").rglob("kustomization.yaml"):
        assert "dagger" not in path.read_text()


def test_the_warnings_stand_beside_the_manifests() -> None:
    text = " ".join((ENGINES / "README.md").read_text().split())
    assert "Pull requests and releases never share an engine, its cache or its volume" in text
    assert "Engines never run on the production cluster" in text
    for name in INSTALLATIONS:
        assert f"`dagger-engine={name}`" in text
