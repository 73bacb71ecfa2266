"""What deploys have said and written, read as a stranger reads it: at an image in a registry, and in a namespace."""

import base64
import json
from typing import Any

from tests.cluster.ground import Ground
from tests.release.projects import REPOSITORY
from tests.release.registries import MANIFEST, Served

DEPLOYMENT = "https://supply-chain-pipeline.example/deployment/v1"
RENDERED_SET = "https://supply-chain-pipeline.example/rendered-set/v1"

NOT_OURS = {"ConfigMap kube-root-ca.crt", "ServiceAccount default"}  # the controller manager puts them everywhere


def predicates(registry: Served, image: str, kind: str) -> list[Any]:
    """Return what statements of one type about an image say, as they are attached to it."""
    found = []
    for digest in registry.referrers(REPOSITORY, image):
        manifest = json.loads(registry.get(f"{REPOSITORY}/manifests/{digest}", MANIFEST))
        if manifest["annotations"]["dev.sigstore.bundle.predicateType"] == kind:
            bundle = json.loads(registry.get(f"{REPOSITORY}/blobs/{manifest['layers'][0]['digest']}"))
            found.append(json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))["predicate"])
    return found


def receipt(data: dict[str, str]) -> Any:
    """Return the predicate in the data of a ConfigMap that holds a receipt."""
    bundle = json.loads(data["receipt.sigstore.json"])
    return json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))["predicate"]


def written(ground: Ground) -> list[str]:
    """Return all that a deploy could have written in its namespace, but for who holds the lease."""
    kinds = "deployments,services,serviceaccounts,configmaps,networkpolicies,poddisruptionbudgets"
    found = {f"{each['kind']} {each['metadata']['name']}": each for each in ground.kubectl.read(kinds)["items"]}
    return [f"{name} {each['metadata'].get('generation')} {each.get('data')}"
            for name, each in found.items() if name not in NOT_OURS]  # fmt: skip
