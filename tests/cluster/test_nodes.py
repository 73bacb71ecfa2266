"""What pods do while nodes come and go, and what the Cluster Autoscaler, which would bring and take them, may do.

Nodes are kwok's, of a pool of their own that no other pod is let onto. The scheduler, evictions and rights are real.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.checkout import PLAYED
from tests.cluster.manifests import K8S, apply, build, write
from tests.cluster.running import Kubectl, Running, soon
from tests.cluster.scaling import IMAGE, NAME, shipped

PRODUCTION = "overlays/production"
KINDS = {"Deployment", "PodDisruptionBudget", "ServiceAccount"}


@dataclass(frozen=True)
class Pool:
    """Nodes that take the pods of one namespace alone, as many as a test asks for, and the service on them."""

    running: Running
    kustomize: Path
    root: Path
    kubectl: Kubectl

    @property
    def name(self) -> str:
        """The name of the pool and of the namespace."""
        return self.kubectl.namespace

    def grow(self, name: str) -> None:
        """Have one more node, as large as the others."""
        node, own = self.running.kubectl.read("node", "node-0"), f"{self.name}-{name}"
        labels = {**node["metadata"]["labels"], "kubernetes.io/hostname": own, "pool": self.name}
        each = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": own, "labels": labels},
            "spec": {"taints": [{"key": "pool", "value": self.name, "effect": "NoSchedule"}]},
            "status": {key: node["status"][key] for key in ("allocatable", "capacity")},
        }
        self.running.kubectl("create", "-f", "-", given=each)
        self.running.kubectl("wait", "node", own, "--for=condition=Ready", "--timeout=60s")

    def deploy(self, replicas: int, cpu: str = "") -> None:
        """Apply the shipped Deployment and its disruption budget; `cpu` is another request than the shipped one."""
        write(self.root, self.name, NAME)
        platform, overlay = (build(self.kustomize, self.root / "k8s" / each) for each in ("platform", PRODUCTION))
        apply(self.kubectl, [each for each in platform if each["kind"] == "PriorityClass"], manager="administrator")
        deployment = next(each for each in overlay if each["kind"] == "Deployment")
        template = deployment["spec"]["template"]
        template["metadata"]["annotations"] = {f"{PLAYED}/ready-after": "2s"}  # long enough to be seen missing
        spec = template["spec"]
        spec["nodeSelector"] = {"pool": self.name}
        spec["tolerations"] = [{"key": "pool", "value": self.name, "effect": "NoSchedule"}]
        container = spec["containers"][0]
        container["image"] = IMAGE
        container["resources"]["requests"]["cpu"] = cpu or container["resources"]["requests"]["cpu"]
        deployment["spec"]["replicas"] = replicas
        apply(self.kubectl, [each for each in overlay if each["kind"] in KINDS])

    def ready(self) -> int:
        """Return how many pods are ready."""
        return int(self.kubectl.read("deployment", NAME)["status"].get("readyReplicas", 0))

    def nodes(self) -> set[str]:
        """Return the nodes that have pods, by the names that they were asked for with."""
        found = [each["spec"].get("nodeName", "") for each in self.kubectl.read("pods")["items"]]
        return {each.removeprefix(f"{self.name}-") for each in found}


@pytest.fixture
def pool(running: Running, kustomize: Path, tmp_path: Path, kubectl: Kubectl) -> Iterator[Pool]:
    """Give a pool of two nodes, the fewest that there are."""
    found = Pool(running, kustomize, tmp_path / "manifests", kubectl)
    for name in ("one", "two"):
        found.grow(name)
    yield found
    kubectl("delete", "deployment", "--all", "--timeout=30s")
    kubectl("delete", "node", f"--selector=pool={found.name}")


def test_what_the_autoscaler_may_ask_for_fits_the_fewest_nodes_so_no_node_comes_for_it(pool: Pool) -> None:
    """A pod asks for a fifth of what it may use, and nodes are counted by what is asked for: docs/capacity.md."""
    most = shipped().maximum + 1  # one is the rollout's
    pool.deploy(most)
    assert soon(lambda: pool.ready() == most, 60)
    assert pool.nodes() == {"one", "two"}


def test_pods_that_fit_nowhere_wait_for_a_node_and_leave_one_that_goes_within_their_budget(pool: Pool) -> None:
    """What the Cluster Autoscaler is to bring and to take; it is played here."""
    kubectl = pool.kubectl
    pool.deploy(10, cpu="500m")
    assert soon(lambda: pool.ready() == 8, 60)
    waiting = [each for each in kubectl.read("pods")["items"] if each["status"]["phase"] == "Pending"]
    reasons = [each["status"]["conditions"][0] for each in waiting]
    assert [each["reason"] for each in reasons] == ["Unschedulable"] * 2
    assert all("Insufficient cpu" in each["message"] for each in reasons)
    pool.grow("three")
    assert soon(lambda: pool.ready() == 10, 60)
    assert pool.nodes() == {"one", "two", "three"}
    kubectl("scale", f"deployment/{NAME}", "--replicas=8")
    assert soon(lambda: len(kubectl.read("pods")["items"]) == 8, 60)
    fewest = 8
    with ThreadPoolExecutor(1) as aside:
        drained = aside.submit(kubectl, "drain", f"{pool.name}-three", "--timeout=120s", timeout=150)
        while not drained.done():
            fewest = min(fewest, pool.ready())
        drained.result()
    assert fewest >= 7
    kubectl("delete", "node", f"{pool.name}-three")
    assert soon(lambda: pool.ready() == 8, 60)
    assert pool.nodes() == {"one", "two"}


def test_the_cluster_autoscalers_manifests_are_admitted_and_its_account_may_what_it_needs_and_no_more(
    running: Running, kustomize: Path
) -> None:
    objects = build(kustomize, K8S / "platform" / "cluster-autoscaler")
    apply(running.kubectl.within(""), objects, manager="administrator")
    account = "--as=system:serviceaccount:kube-system:cluster-autoscaler"

    def may(verb: str, what: str, *where: str) -> bool:
        return running.kubectl("auth", "can-i", verb, what, account, *where, code=None).stdout.strip() == "yes"

    everywhere, own = ("--all-namespaces",), ("--namespace=kube-system",)
    assert may("update", "nodes")
    assert may("create", "pods", "--subresource=eviction", *everywhere)
    assert may("update", "leases/cluster-autoscaler", *own)
    assert not may("delete", "nodes")
    assert not may("get", "secrets", *own)
    assert not may("create", "pods", *everywhere)
    assert not may("delete", "pods", *everywhere)
    assert not may("update", "leases/other", *own)
    assert not may("create", "leases", "--namespace=default")
    running.kubectl.within("kube-system")("delete", "-f", "-", "--wait=false", given=objects)
