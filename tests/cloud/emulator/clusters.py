"""Clusters as EKS keeps them: access mode, security group and issuer of their own, and versions that change."""

import base64
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.eks.exceptions import InvalidParameterException
from moto.eks.responses import EKSResponse
from moto.moto_api._internal import mock_random

from .memory import answered, memory, missing, update

# EKS user guide, "Understand the Kubernetes version lifecycle on EKS": what a create may ask for.
OFFERED = ("1.34", "1.35", "1.36")


class Clusters(EKSResponse):
    """The cluster operations that moto lacks or answers differently from EKS."""

    def create_cluster(self) -> ActionResult:
        """Create a cluster, refusing a version that EKS has ended; add what EKS adds by itself."""
        version = self._get_param("version")
        if version not in OFFERED:
            raise InvalidParameterException(message=f"unsupported Kubernetes version {version}")
        result = super().create_cluster()
        cluster = answered(result, "cluster")
        cluster.access_config = _access_config(self._get_param("accessConfig") or {})
        issuer = mock_random.get_random_hex(32).upper()
        cluster.certificate_authority = {"data": _authority()}
        cluster.identity = {"oidc": {"issuer": f"https://oidc.eks.{self.region}.amazonaws.com/id/{issuer}"}}
        self._join_network(cluster)
        return result

    def _join_network(self, cluster: Any) -> None:
        ec2 = ec2_backends[self.current_account][self.region]
        network = cluster.resources_vpc_config
        network["vpcId"] = ec2.get_subnet(network["subnetIds"][0]).vpc_id
        group = ec2.create_security_group(f"eks-cluster-sg-{cluster.name}", "Made by EKS", network["vpcId"])
        network["clusterSecurityGroupId"] = group.id
        network.setdefault("publicAccessCidrs", ["0.0.0.0/0"])

    def delete_cluster(self) -> ActionResult:
        """Delete a cluster and, as EKS does, the security group that came with it."""
        result = super().delete_cluster()
        group = answered(result, "cluster").resources_vpc_config["clusterSecurityGroupId"]
        ec2_backends[self.current_account][self.region].delete_security_group(group_id=group)
        return result

    def update_cluster_config(self) -> ActionResult:
        """Change the given parts of the network configuration and leave the rest, which moto would drop."""
        cluster = self.eks_backend.describe_cluster(self._get_param("name"))
        cluster.resources_vpc_config.update(self._get_param("resourcesVpcConfig") or {})
        if self._get_param("logging"):
            cluster.logging = self._get_param("logging")
        return update(self, "EndpointAccessUpdate")

    def update_cluster_version(self) -> ActionResult:
        """Move a cluster to a later minor version, one at a time, as EKS demands."""
        cluster = self.eks_backend.describe_cluster(self._get_param("name"))
        wanted = self._get_param("version")
        if wanted not in OFFERED or _minor(wanted) != _minor(cluster.version) + 1:
            raise InvalidParameterException(
                message=f"Unsupported Kubernetes minor version update from {cluster.version} to {wanted}"
            )
        cluster.version = wanted
        return update(self, "VersionUpdate")

    def describe_update(self) -> ActionResult:
        """Answer for an update that was made before; each one succeeds at once."""
        found = memory(self.eks_backend).updates.get(self._get_param("updateId"))
        if found is None:
            raise missing("No update found")
        return ActionResult({"update": found})


def _minor(version: str) -> int:
    return int(version.split(".")[1])


@cache
def _authority() -> str:
    """Return a certificate as EKS answers with one, base64 of PEM, where moto has random characters."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "eks")])
    now = datetime.now(UTC)
    unsigned = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    return base64.b64encode(unsigned.sign(key, SHA256()).public_bytes(Encoding.PEM)).decode()


def _access_config(asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "authenticationMode": asked.get("authenticationMode", "CONFIG_MAP"),
        "bootstrapClusterCreatorAdminPermissions": asked.get("bootstrapClusterCreatorAdminPermissions", True),
    }
