"""The real kubectl takes our set of objects for what it is: it prunes by its own, and leaves that of others alone."""

import json
import subprocess
from typing import Any

from shipseal.deploying.inventory import identifier, kind_of, member, parent
from shipseal.deploying.manifests import Manifest
from tests.cluster.running import Kubectl


def config(name: str, namespace: str) -> Manifest:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}
    return member(Manifest(body), identifier("sample-set", namespace))


def settle(kubectl: Kubectl, tooling: str) -> None:
    """Make a set of two objects and its parent."""
    objects = [config(name, kubectl.namespace) for name in ("kept", "old")]
    objects.append(parent("sample-set", kubectl.namespace, tooling, map(kind_of, objects)))
    items = [each.body for each in objects]
    kubectl("apply", "--server-side", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": items})


def prune(kubectl: Kubectl) -> subprocess.CompletedProcess[str]:
    """Have kubectl apply one of them as the whole set."""
    whole: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}}
    words = ("apply", "--server-side", "--prune", "--applyset=configmap/sample-set", "-f", "-")
    return subprocess.run(
        [kubectl.program, f"--namespace={kubectl.namespace}", *words],
        input=json.dumps(whole),
        env={"HOME": str(kubectl.kubeconfig.parent), "KUBECONFIG": str(kubectl.kubeconfig), "KUBECTL_APPLYSET": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def names(kubectl: Kubectl) -> set[str]:
    return {each["metadata"]["name"] for each in kubectl.read("configmaps")["items"]} - {"kube-root-ca.crt"}


def test_kubectl_prunes_by_a_parent_of_its_own_name_as_it_would_by_one_that_it_made(kubectl: Kubectl) -> None:
    settle(kubectl, "kubectl/v1.35.4")
    done = prune(kubectl)
    assert done.returncode == 0, done.stderr
    assert "configmap/old pruned" in done.stdout
    assert names(kubectl) == {"kept", "sample-set"}


def test_kubectl_names_us_when_it_refuses_to_prune_what_is_ours(kubectl: Kubectl) -> None:
    settle(kubectl, "pipeline/1")
    done = prune(kubectl)
    assert done.returncode == 1, done.stdout
    assert 'managed by tooling "pipeline" instead of "kubectl"' in done.stderr
    assert names(kubectl) == {"kept", "old", "sample-set"}
