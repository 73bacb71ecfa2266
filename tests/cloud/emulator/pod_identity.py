"""Pod identity associations (EKS API reference, CreatePodIdentityAssociation and its neighbours)."""

import time
import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.eks.responses import EKSResponse

from .memory import arn, find, memory


class PodIdentity(EKSResponse):
    """Which service account gets which role."""

    def create_pod_identity_association(self) -> ActionResult:
        """Give a service account a role."""
        cluster = self._get_param("name")
        self.eks_backend.describe_cluster(cluster)
        identifier = "a-" + uuid.uuid4().hex[:17]
        association = {
            "clusterName": cluster,
            "namespace": self._get_param("namespace"),
            "serviceAccount": self._get_param("serviceAccount"),
            "roleArn": self._get_param("roleArn"),
            "associationArn": arn(self, "podidentityassociation", cluster, identifier),
            "associationId": identifier,
            "tags": self._get_param("tags") or {},
            "createdAt": time.time(),
            "modifiedAt": time.time(),
        }
        memory(self.eks_backend).associations[cluster, identifier] = association
        return ActionResult({"association": association})

    def describe_pod_identity_association(self) -> ActionResult:
        """Answer with one association."""
        return ActionResult({"association": self._association()})

    def update_pod_identity_association(self) -> ActionResult:
        """Give the service account another role."""
        association = self._association()
        association["roleArn"] = self._get_param("roleArn") or association["roleArn"]
        return ActionResult({"association": association})

    def delete_pod_identity_association(self) -> ActionResult:
        """Take the role away."""
        association = self._association()
        del memory(self.eks_backend).associations[association["clusterName"], association["associationId"]]
        return ActionResult({"association": association})

    def list_pod_identity_associations(self) -> ActionResult:
        """List a cluster's associations."""
        wanted, associations = self._get_param("name"), memory(self.eks_backend).associations
        return ActionResult(
            {"associations": [item for (cluster, _), item in associations.items() if cluster == wanted]}
        )

    def _association(self) -> dict[str, Any]:
        key = (self._get_param("name"), self._get_param("associationId"))
        return find(memory(self.eks_backend).associations, key, "pod identity association")
