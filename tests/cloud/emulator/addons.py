"""Add-ons (EKS API reference, CreateAddon and its neighbours): active as soon as they are asked for."""

import time
import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.eks.responses import EKSResponse

from .memory import arn, find, in_use, memory, update

_SETTINGS = ("addonVersion", "serviceAccountRoleArn", "configurationValues")


def _default(cluster: str) -> str:
    """Return the version that a cluster of that minor version gets, of every add-on the same."""
    return f"v{cluster}.0-eksbuild.1"


class Addons(EKSResponse):
    """What EKS runs in a cluster on one's behalf."""

    def create_addon(self) -> ActionResult:
        """Install an add-on, once."""
        cluster, name = self._get_param("name"), self._get_param("addonName")
        addons = memory(self.eks_backend).addons
        if (cluster, name) in addons:
            raise in_use(cluster, "add-on")
        addon = {
            "clusterName": cluster,
            "addonName": name,
            "status": "ACTIVE",
            "addonVersion": _default(self.eks_backend.describe_cluster(cluster).version),
            "health": {"issues": []},
            "addonArn": arn(self, "addon", cluster, name, str(uuid.uuid4())),
            "createdAt": time.time(),
            "modifiedAt": time.time(),
            "tags": self._get_param("tags") or {},
        }
        addons[cluster, name] = addon | self._settings()
        return ActionResult({"addon": addons[cluster, name]})

    def describe_addon_versions(self) -> ActionResult:
        """Answer with one version of the add-on for the version of Kubernetes, which is its default."""
        cluster = self._get_param("kubernetesVersion")
        fits = {"clusterVersion": cluster, "platformVersions": ["*"], "defaultVersion": True}
        versions = [{"addonVersion": _default(cluster), "architecture": ["amd64", "arm64"], "compatibilities": [fits]}]
        addon = {"addonName": self._get_param("addonName"), "type": "networking", "addonVersions": versions}
        return ActionResult({"addons": [addon]})

    def describe_addon(self) -> ActionResult:
        """Answer with one add-on."""
        return ActionResult({"addon": self._addon()})

    def update_addon(self) -> ActionResult:
        """Change an add-on's version, role or configuration."""
        self._addon().update(self._settings())
        return update(self, "AddonUpdate")

    def delete_addon(self) -> ActionResult:
        """Remove an add-on."""
        addon = self._addon()
        del memory(self.eks_backend).addons[addon["clusterName"], addon["addonName"]]
        return ActionResult({"addon": addon})

    def list_addons(self) -> ActionResult:
        """List a cluster's add-ons."""
        wanted = self._get_param("name")
        return ActionResult(
            {"addons": [name for cluster, name in memory(self.eks_backend).addons if cluster == wanted]}
        )

    def _addon(self) -> dict[str, Any]:
        key = (self._get_param("name"), self._get_param("addonName"))
        return find(memory(self.eks_backend).addons, key, "addon")

    def _settings(self) -> dict[str, Any]:
        return {key: value for key in _SETTINGS if (value := self._get_param(key))}
