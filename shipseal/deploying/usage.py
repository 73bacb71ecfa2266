"""What an environment uses, read from a plan or a state as `terraform show -json` prints them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Resources = Sequence[Mapping[str, Any]]

# What a bill is made from: the types, and the values of each that say how much.
_TYPES: Mapping[str, tuple[str, ...]] = {
    "aws_cloudwatch_dashboard": (),
    "aws_cloudwatch_metric_alarm": (),
    "aws_eip": (),
    "aws_eks_cluster": (),
    "aws_eks_node_group": ("instance_types", "capacity_type", "scaling_config"),
    "aws_kms_key": (),
    "aws_launch_template": ("block_device_mappings",),
    "aws_lb": (),
    "aws_nat_gateway": (),
    "aws_route53_health_check": (),
    "aws_subnet": (),
    "aws_wafv2_web_acl": (),
}


def extract(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a plan or state that a bill is made from, small enough to be kept beside the configuration."""
    kept = sorted(
        (_kept(each) for each in resources_of(plan) if each["type"] in _TYPES), key=lambda each: each["address"]
    )
    return {"planned_values": {"root_module": {"resources": kept}}}


def _kept(resource: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: resource["values"][key] for key in _TYPES[resource["type"]]}
    return {"address": resource["address"], "type": resource["type"], "values": values}


def resources_of(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every managed resource of every module."""

    def below(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        yield from (each for each in module.get("resources", ()) if each.get("mode", "managed") == "managed")
        for child in module.get("child_modules", ()):
            yield from below(child)

    return below((plan.get("planned_values") or plan.get("values") or {}).get("root_module", {}))


def of_type(resources: Resources, kind: str) -> list[Mapping[str, Any]]:
    """Return the resources of one type."""
    return [each for each in resources if each["type"] == kind]


def nodes(resources: Resources) -> dict[str, int]:
    """Return the nodes that an environment begins with, by "type CAPACITY"."""
    found: dict[str, int] = {}
    for group in of_type(resources, "aws_eks_node_group"):
        values = group["values"]
        kind = f"{values['instance_types'][0]} {values['capacity_type']}"
        found[kind] = found.get(kind, 0) + values["scaling_config"][0]["desired_size"]
    return found


def node_gigabytes(resources: Resources) -> int:
    """Return the gigabytes of all the nodes' volumes."""
    templates = of_type(resources, "aws_launch_template")
    devices = [device for each in templates for device in each["values"]["block_device_mappings"]]
    return sum(nodes(resources).values()) * sum(int(device["ebs"][0]["volume_size"]) for device in devices)


def addresses(resources: Resources) -> int:
    """Return the public IPv4 addresses: one for each NAT gateway, and one of each balancer in each public subnet."""
    public = [each for each in of_type(resources, "aws_subnet") if ".public[" in each["address"]]
    return len(of_type(resources, "aws_eip")) + len(of_type(resources, "aws_lb")) * len(public)
