"""The manifests for Dagger engines are valid, and keep engines apart from each other, and from everybody else."""

import subprocess
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


def test_an_engine_runs_on_nodes_that_are_kept_for_engines(objects: dict[str, Any]) -> None:
    pod = objects["StatefulSet"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"dagger-engine": "true"}
    assert [each["key"] for each in pod["tolerations"]] == ["dagger-engine"]


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
