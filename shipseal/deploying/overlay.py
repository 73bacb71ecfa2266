"""Write into manifests what only Terraform knows: networks, role and group of one environment. Pure.

Both sides then say the same because one of them says it: the output `overlay` of each environment of terraform/.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shipseal.deploying.manifests import Manifest, dump
from shipseal.errors import ConfigError

LARGEST = 64 << 10
"""The bytes that are read of an output; a hundred networks are a tenth of it."""

_HEADING = "# Terraform's to say: `shipseal overlay` writes this file. Run it again rather than edit it.\n"
_RBAC = "rbac.authorization.k8s.io"

Label = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class Outputs(BaseModel):
    """The output `overlay`: what `terraform output -json overlay` prints.

    Args:
        namespace: the application's, an RFC 1123 label.
        service_account: the application's, and by this project's habit the name of its other objects.
        role_arn: the IAM role of the service account (IRSA); None where pods get it otherwise, or none.
        node_networks: where NodePort traffic comes from: the nodes' subnets.
        deploy_group: the group that the access entry of whoever deploys names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    namespace: Label
    service_account: Label
    role_arn: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,576}$")] | None
    node_networks: Annotated[tuple[IPv4Network, ...], Field(min_length=1, max_length=100)]
    deploy_group: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:_.-]{0,62}$")]


@dataclass(frozen=True)
class OverlayFiles:
    """The files of one overlay, and those of the platform, each by its name in its directory."""

    overlay: Mapping[str, bytes]
    platform: Mapping[str, bytes]


def read(text: bytes) -> Outputs:
    """Read what Terraform printed.

    Raises:
        ConfigError: it is not this output, or a value is none that the manifests could hold.
    """
    remedy = "give it what `terraform output -json overlay` prints in the environment's directory"
    if len(text) > LARGEST:
        raise ConfigError(
            "the output is not what the manifests need", why=f"larger than {LARGEST >> 10} KiB", remedy=remedy
        )
    try:
        return Outputs.model_validate(json.loads(text))
    except ValidationError as error:
        why = [f"{'.'.join(map(str, each['loc'])) or 'the output'}: {each['msg']}" for each in error.errors()]
        raise ConfigError("the output is not what the manifests need", why=why[:20], remedy=remedy) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError("the output is not valid JSON", why=str(error)[:200], remedy=remedy) from error


def write(outputs: Outputs) -> OverlayFiles:
    """Return the files that say what the outputs say: patches of an overlay, and the bindings of the platform."""
    elsewhere = _binding(f"{outputs.namespace}-deployer", "kube-system", outputs.deploy_group)
    return OverlayFiles(
        {
            "networkpolicy.yaml": _text(_network_policy(outputs)),
            "serviceaccount.yaml": _text(_service_account(outputs)),
        },
        {
            "rolebinding.yaml": _text(_binding("deployer", outputs.namespace, outputs.deploy_group)),
            "rolebinding-kube-system.yaml": _text(elsewhere),
        },
    )


def _text(body: Mapping[str, object]) -> bytes:
    return _HEADING.encode() + dump([Manifest(body)]).removeprefix(b"---\n")


def _network_policy(outputs: Outputs) -> dict[str, object]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": outputs.service_account, "namespace": outputs.namespace},
        "spec": {
            "ingress": [
                {
                    "from": [{"ipBlock": {"cidr": str(network)}} for network in outputs.node_networks],
                    "ports": [{"protocol": "TCP", "port": "http"}],
                }
            ]
        },
    }


def _service_account(outputs: Outputs) -> dict[str, object]:
    metadata: dict[str, object] = {"name": outputs.service_account, "namespace": outputs.namespace}
    if outputs.role_arn:
        metadata["annotations"] = {"eks.amazonaws.com/role-arn": outputs.role_arn}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _binding(role: str, namespace: str, group: str) -> dict[str, object]:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": role, "namespace": namespace},
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": role},
        "subjects": [{"kind": "Group", "apiGroup": _RBAC, "name": group}],
    }
