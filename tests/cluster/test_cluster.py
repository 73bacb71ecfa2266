"""A local cluster judges, schedules and rolls out as a real one; only its nodes are played."""

import os
import ssl
import stat
import urllib.error
import urllib.request
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from shipseal.cli import main
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store
from shipseal.project.config import HOME
from tests.cluster.running import Kubectl, Running, soon

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
NAME = "registry.example:5000/acme/sample"
IMAGE = f"{NAME}:1.2.3@{DIGEST}"
READY, RUNS = "cluster.pipeline.invalid/ready", "cluster.pipeline.invalid/runs"


def pod(**annotations: str) -> dict[str, Any]:
    """Return the template of a pod that PodSecurity's `restricted` takes."""
    container = {
        "name": "sample",
        "image": IMAGE,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "metadata": {"labels": {"app": "sample"}, "annotations": annotations},
        "spec": {"securityContext": security, "containers": [container]},
    }


def deployment(replicas: int = 4, **annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "sample"},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 3,
            "selector": {"matchLabels": {"app": "sample"}},
            "template": pod(**annotations),
        },
    }


def single(**annotations: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", **pod(**annotations)} | {
        "metadata": {"name": "sample", "annotations": annotations}
    }


def image_ids(kubectl: Kubectl) -> list[str]:
    pods = kubectl.read("pods")["items"]
    return [each["imageID"] for item in pods for each in item["status"]["containerStatuses"]]


def test_a_cluster_is_ready_within_seconds(running: Running) -> None:
    assert running.seconds < 30


def test_its_nodes_are_ready_and_stand_in_two_zones(running: Running) -> None:
    nodes = running.kubectl.read("nodes")["items"]
    zones = [node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes]
    assert zones == ["zone-a", "zone-b", "zone-a", "zone-b"]
    conditions = [each for node in nodes for each in node["status"]["conditions"] if each["type"] == "Ready"]
    assert [each["status"] for each in conditions] == ["True"] * 4


def test_its_nodes_have_leases_as_kubelets_have(running: Running) -> None:
    """Without them they would be lost within minutes, and no pod that ran on one would be ready again."""
    nodes = {node["metadata"]["name"]: 40 for node in running.kubectl.read("nodes")["items"]}

    def leases() -> dict[str, int]:
        listed = running.kubectl.read("leases", "--namespace=kube-node-lease")["items"]
        return {lease["metadata"]["name"]: lease["spec"]["leaseDurationSeconds"] for lease in listed}

    assert soon(lambda: nodes == leases(), 15)


def test_a_deployment_by_digest_becomes_available_and_each_pod_says_that_digest(kubectl: Kubectl) -> None:
    """As a kubelet reports it: the repository and the digest, without the tag."""
    kubectl("create", "-f", "-", given=deployment())
    kubectl("rollout", "status", "deployment/sample", "--timeout=30s")
    assert [f"{NAME}@{DIGEST}"] * 4 == image_ids(kubectl)


def test_no_pod_has_an_address_that_could_be_somebodys(kubectl: Kubectl) -> None:
    """The API server passes requests on to pods, and there are none: 198.18.0.0/15 is for tests (RFC 2544)."""
    kubectl("create", "-f", "-", given=deployment())
    kubectl("rollout", "status", "deployment/sample", "--timeout=30s")
    addresses = [ip_address(item["status"]["podIP"]) for item in kubectl.read("pods")["items"]]
    assert len(set(addresses)) == 4
    assert all(address in ip_network("198.18.0.0/15") for address in addresses)


def test_pods_are_spread_over_the_nodes_by_the_real_scheduler(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", given=deployment())
    kubectl("rollout", "status", "deployment/sample", "--timeout=30s")
    nodes = sorted(item["spec"]["nodeName"] for item in kubectl.read("pods")["items"])
    assert nodes == ["node-0", "node-1", "node-2", "node-3"]


def test_a_pod_that_is_privileged_is_refused_where_restricted_is_enforced(kubectl: Kubectl) -> None:
    kubectl("label", "namespace", kubectl.namespace, "pod-security.kubernetes.io/enforce=restricted")
    wrong = single()
    wrong["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    said = kubectl("create", "-f", "-", given=wrong, code=1).stderr
    assert 'violates PodSecurity "restricted:latest": privileged' in said
    kubectl("create", "-f", "-", given=single())


def test_a_deployment_whose_image_cannot_be_pulled_runs_out_of_its_deadline(kubectl: Kubectl) -> None:
    """And its pods say why, as a kubelet would."""
    kubectl("create", "-f", "-", given=deployment(1, **{READY: "never"}))
    said = kubectl("rollout", "status", "deployment/sample", "--timeout=30s", code=1).stderr
    assert "exceeded its progress deadline" in said
    (item,) = kubectl.read("pods")["items"]
    assert item["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"


def test_the_old_pods_stay_while_new_ones_do_not_become_ready(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", given=deployment(2))
    kubectl("rollout", "status", "deployment/sample", "--timeout=30s")
    kubectl("replace", "-f", "-", given=deployment(2, **{READY: "never"}))
    kubectl("rollout", "status", "deployment/sample", "--timeout=30s", code=1)
    assert kubectl.read("deployment", "sample")["status"]["readyReplicas"] == 2


def test_a_pod_can_be_made_to_say_that_it_runs_another_image(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", given=single(**{RUNS: OTHER}))
    kubectl("wait", "--for=condition=Ready", "pod/sample", "--timeout=30s")
    assert [f"{NAME}@{OTHER}"] == image_ids(kubectl)


def test_a_job_is_completed(kubectl: Kubectl) -> None:
    template = pod()
    template["spec"]["restartPolicy"] = "Never"
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {"template": template}}
    kubectl("create", "-f", "-", given=job)
    kubectl("wait", "--for=condition=Complete", "job/once", "--timeout=30s")


def test_a_pod_that_is_deleted_goes(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", given=single())
    kubectl("wait", "--for=condition=Ready", "pod/sample", "--timeout=30s")
    kubectl("delete", "pod", "sample", "--timeout=10s")
    assert kubectl.read("pods")["items"] == []


def test_how_pods_behave_can_be_changed_while_the_cluster_runs(kubectl: Kubectl) -> None:
    """A stage is an object: this one lets the pods of one namespace fail."""
    stage = {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": kubectl.namespace},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {
                "matchExpressions": [
                    {"key": ".metadata.namespace", "operator": "In", "values": [kubectl.namespace]},
                    {"key": ".status.phase", "operator": "In", "values": ["Running"]},
                ]
            },
            "next": {"statusTemplate": "phase: Failed\nreason: Evicted\n"},
        },
    }
    kubectl("create", "-f", "-", given=stage)
    try:
        kubectl("create", "-f", "-", given=single())
        kubectl("wait", "--for=jsonpath={.status.reason}=Evicted", "pod/sample", "--timeout=30s")
    finally:
        kubectl("delete", "stage", kubectl.namespace)


def test_who_has_no_right_gets_none(kubectl: Kubectl) -> None:
    """RBAC decides, and the controllers have filled in its roles."""
    (created,) = kubectl("create", "rolebinding", "deployer", "--clusterrole=edit", "--user=ann").stdout.splitlines()
    assert created.endswith("deployer created")
    asked = ("auth", "can-i", "create", "deployments.apps")
    assert kubectl(*asked, "--as=ann").stdout == "yes\n"
    assert kubectl(*asked, "--as=bob", code=1).stdout == "no\n"
    assert kubectl(*asked, "--as=ann", "--namespace=kube-system", code=1).stdout == "no\n"


def test_nobody_without_a_certificate_is_let_in(running: Running) -> None:
    kubectl = running.kubectl
    url = kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}").stdout
    context = ssl.create_default_context(cafile=running.directory / "cluster.crt")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(f"{url}/version", timeout=10)
    with refused.value:
        assert refused.value.code == 401


def test_nobody_else_on_the_machine_can_read_its_keys(running: Running) -> None:
    assert stat.S_IMODE(running.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(running.kubectl.kubeconfig.stat().st_mode) == 0o600
    keys = list(running.directory.glob("*.key"))
    assert keys
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_kubectl_and_the_api_server_are_of_one_version(running: Running) -> None:
    said = running.kubectl("version").stdout.splitlines()
    assert [line for line in said if "Kustomize" not in line] == ["Client Version: v1.35.4", "Server Version: v1.35.4"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--nodes", "0"], "a cluster has no 0 nodes"),
        (["--nodes", "1000"], "a cluster has no 1000 nodes"),
        (["--autoscaler", "16"], "no autoscaler is 16 times faster"),
        (["--zones", "a,,b"], "not names of zones: a,,b"),
        (["--zones", "a b"], "not names of zones: a b"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused_before_anything_starts(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", *words]) == 2
    assert complaint in capsys.readouterr().err


def test_what_it_is_made_of_is_fetched_alone_and_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, store: Store
) -> None:
    """`store gc` takes it for what it is: something that a lock names."""
    nowhere = ["--config", str(tmp_path / "absent.toml")]
    assert main(["store", "fetch", "--cluster", *nowhere]) == 0
    assert capsys.readouterr().out == f"3 inputs are in {store.root}, none of them fetched now\n"
    inputs = Inputs.of_cluster()
    copied = Store(tmp_path / "store")
    for digest in inputs.locked().values():
        entry = copied.add(store.get(digest), digest)
        os.utime(entry.parent, (0, 0))
    project = ["--config", str(HOME / "pipeline.toml"), "--store", str(copied.root)]
    assert main(["store", "gc", "--unused-for", "0", *project]) == 0
    assert all(map(copied.intact, inputs.locked().values()))
