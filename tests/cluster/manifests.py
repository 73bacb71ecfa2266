"""The manifests that come with the pipeline: rendered, applied, and as another service has them in its namespace."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from shipseal.project.config import HOME
from tests.cluster.running import Kubectl

K8S = HOME / "k8s"
OURS = "simpletimeservice"
MANAGER, REPLICAS = "supply-chain-pipeline", "supply-chain-pipeline-replicas"


def build(kustomize: Path, directory: Path) -> list[Any]:
    """Return what a directory renders to."""
    done = subprocess.run([kustomize, "build", directory], check=True, capture_output=True, timeout=60)
    return list(yaml.safe_load_all(done.stdout))


def apply(kubectl: Kubectl, objects: list[Any], *words: str, manager: str = MANAGER, code: int = 0) -> list[str]:
    """Have the server apply objects, each warning an error; return what was said of each, or of what is wrong."""
    how = ("apply", "--server-side", "--warnings-as-errors", f"--field-manager={manager}")
    ended = kubectl(*how, *words, "-f", "-", given=objects, code=code)
    return (ended.stderr if code else ended.stdout).splitlines()


def without(role: Any, resource: str) -> Any:
    """Return a Role without the rules for one resource; there is one."""
    rules = [rule for rule in role["rules"] if resource not in rule["resources"]]
    assert len(rules) == len(role["rules"]) - 1, resource
    return {**role, "rules": rules}


def bound(role: Any, user: str) -> list[Any]:
    """Return a Role under the name of a user, and what gives it to that user."""
    metadata, group = {"name": user, "namespace": role["metadata"]["namespace"]}, "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": role["apiVersion"],
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }
    return [{**role, "metadata": metadata}, binding]


def write(root: Path, namespace: str, name: str) -> None:
    """Write `k8s/platform` and `k8s/overlays/production` of a service as ours has them, in a namespace of its own.

    Waiting is short: no second of a pod counts before it is available, and an update is stuck after five. The port of
    the nodes is the cluster's to choose, for there is one for each namespace.
    """
    for part in ("platform", "base", "overlays/production"):
        shutil.copytree(K8S / part, root / "k8s" / part)
    for path in (root / "k8s").rglob("*.yaml"):
        text = path.read_text()
        if path.name == "namespace.yaml":
            text = text.replace(f"name: {OURS}", f"name: {namespace}")
        for ours, own in (
            (f"namespace: {OURS}", f"namespace: {namespace}"),
            (f"{OURS}-deployer", f"{namespace}-deployer"),
            (OURS, name),
            ("      nodePort: 30080\n", ""),
            ("minReadySeconds: 5", "minReadySeconds: 0"),
            ("progressDeadlineSeconds: 180", "progressDeadlineSeconds: 5"),
        ):
            text = text.replace(ours, own)
        path.write_text(text)
