"""Managed node groups as EKS keeps them: with an autoscaling group that exists, and nothing that nobody asked for."""

from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.eks.exceptions import InvalidParameterException
from moto.eks.responses import EKSResponse

from .memory import answered, update


class NodeGroups(EKSResponse):
    """The node group operations that moto lacks or answers differently from EKS."""

    def create_nodegroup(self) -> ActionResult:
        """Create a node group with its autoscaling group, in the version of its cluster."""
        result = super().create_nodegroup()
        group = answered(result, "nodegroup")
        group.remote_access = self._get_param("remoteAccess")
        group.resources.pop("remoteAccessSecurityGroup")
        group.update_config = self._get_param("updateConfig") or {"maxUnavailable": 1}
        group.node_repair_config = self._get_param("nodeRepairConfig")
        if group.launch_template:
            group.disk_size = None
        group.version = self._get_param("version") or self.eks_backend.clusters[group.cluster_name].version
        group.release_version = self._get_param("releaseVersion") or f"{group.version}.0-20260101"
        self._create_autoscaling_group(group)
        return result

    def _create_autoscaling_group(self, group: Any) -> None:
        ec2 = ec2_backends[self.current_account][self.region]
        image = next(iter(ec2.describe_images())).id
        template = ec2.create_launch_template(
            f"eks-{group.uuid}", "", {"ImageId": image, "InstanceType": group.instance_types[0]}, {}
        )
        autoscaling_backends[self.current_account][self.region].create_auto_scaling_group(
            name=group.resources["autoScalingGroups"][0]["name"],
            availability_zones=[],
            desired_capacity=group.scaling_config["desiredSize"],
            max_size=group.scaling_config["maxSize"],
            min_size=group.scaling_config["minSize"],
            launch_config_name="",
            launch_template={"LaunchTemplateId": template.id, "Version": "$Latest"},
            vpc_zone_identifier=",".join(group.subnets),
            default_cooldown=300,
            health_check_period=0,
            health_check_type="EC2",
            load_balancers=[],
            target_group_arns=[],
            placement_group=None,
            termination_policies=[],
            tags=[],
        )

    def delete_nodegroup(self) -> ActionResult:
        """Delete a node group and its autoscaling group with the instances in it."""
        result = super().delete_nodegroup()
        group = answered(result, "nodegroup")
        name = group.resources["autoScalingGroups"][0]["name"]
        autoscaling_backends[self.current_account][self.region].delete_auto_scaling_group(name)
        ec2_backends[self.current_account][self.region].delete_launch_template(f"eks-{group.uuid}", None)
        return result

    def update_nodegroup_config(self) -> ActionResult:
        """Change the sizes, refusing those that do not go together with what is there."""
        group = self.eks_backend.describe_nodegroup(self._get_param("name"), self._get_param("nodegroupName"))
        sizes = {**group.scaling_config, **(self._get_param("scalingConfig") or {})}
        if not sizes["minSize"] <= sizes["desiredSize"] <= sizes["maxSize"]:
            raise InvalidParameterException(
                message=f"desired size {sizes['desiredSize']} is not between {sizes['minSize']} and {sizes['maxSize']}"
            )
        super().update_nodegroup_config()
        return update(self, "ConfigUpdate")

    def update_nodegroup_version(self) -> ActionResult:
        """Move a node group to another version of Kubernetes or of its launch template."""
        group = self.eks_backend.describe_nodegroup(self._get_param("name"), self._get_param("nodegroupName"))
        group.version = self._get_param("version") or group.version
        group.release_version = self._get_param("releaseVersion") or f"{group.version}.0-20260101"
        group.launch_template = {**(group.launch_template or {}), **(self._get_param("launchTemplate") or {})}
        return update(self, "VersionUpdate")
