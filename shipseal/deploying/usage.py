"""What an environment uses, read from a plan or a state as `terraform show -json` prints them. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from shipseal.documents.document import Foreign
from shipseal.errors import ConfigError
from shipseal.validation import say

Resources = Sequence["Resource"]
Model = TypeVar("Model", bound=Foreign)
_SOME = Field(min_length=1)

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


class Resource(Foreign):
    """A resource of a plan or a state; `values` has what the provider says of it."""

    address: str
    type: str
    mode: str = "managed"
    values: Mapping[str, Any] = {}


class _Module(Foreign):
    resources: Sequence[Resource] = ()
    child_modules: "Sequence[_Module]" = ()

    def every(self) -> Iterator[Resource]:
        """Yield every managed resource, those of the modules inside it too."""
        yield from (each for each in self.resources if each.mode == "managed")
        for child in self.child_modules:
            yield from child.every()


class _Values(Foreign):
    root_module: _Module = _Module()


class _Shown(Foreign):
    planned_values: _Values | None = None
    values: _Values | None = None


def extract(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a plan or state that a bill is made from, small enough to be kept beside the configuration."""
    kept = [_kept(each) for each in resources_of(plan) if each.type in _TYPES]
    return {"planned_values": {"root_module": {"resources": sorted(kept, key=itemgetter("address"))}}}


def _kept(resource: Resource) -> dict[str, Any]:
    values = {key: resource.values[key] for key in _TYPES[resource.type]}
    return {"address": resource.address, "type": resource.type, "values": values}


def resources_of(plan: Mapping[str, Any]) -> Iterator[Resource]:
    """Yield every managed resource of every module; raise `ConfigError` where it is neither a plan nor a state."""
    shown = _as(_Shown, plan, "the plan")
    return (shown.planned_values or shown.values or _Values()).root_module.every()


def of_type(resources: Resources, kind: str) -> list[Resource]:
    """Return the resources of one type."""
    return [each for each in resources if each.type == kind]


def _as(model: type[Model], value: object, what: str) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ConfigError(
            f"{what} is not as Terraform writes it",
            why=[say(problem, ()) for problem in error.errors()[:5]],
            remedy="make it with `terraform show -json FILE`",
        ) from error


def _read(model: type[Model], resources: Resources, kind: str) -> list[Model]:
    """Return what a type's resources say of themselves; raise `ConfigError` where one says something else."""
    return [_as(model, each.values, each.address) for each in of_type(resources, kind)]


class _Scaling(Foreign):
    desired_size: int


class _NodeGroup(Foreign):
    instance_types: Annotated[list[str], _SOME]
    capacity_type: str
    scaling_config: Annotated[list[_Scaling], _SOME]


def nodes(resources: Resources) -> dict[str, int]:
    """Return the nodes that an environment begins with, by "type CAPACITY"."""
    found: Counter[str] = Counter()
    for group in _read(_NodeGroup, resources, "aws_eks_node_group"):
        found[f"{group.instance_types[0]} {group.capacity_type}"] += group.scaling_config[0].desired_size
    return dict(found)


class _Volume(Foreign):
    volume_size: Annotated[int, Field(strict=False)]  # a state has a text


class _Device(Foreign):
    ebs: Annotated[list[_Volume], _SOME]


class _Template(Foreign):
    block_device_mappings: list[_Device]


def node_gigabytes(resources: Resources) -> int:
    """Return the gigabytes of all the nodes' volumes."""
    devices = [each for one in _read(_Template, resources, "aws_launch_template") for each in one.block_device_mappings]
    return sum(nodes(resources).values()) * sum(device.ebs[0].volume_size for device in devices)


def addresses(resources: Resources) -> int:
    """Return the public IPv4 addresses: one for each NAT gateway, and one of each balancer in each public subnet."""
    public = [each for each in of_type(resources, "aws_subnet") if ".public[" in each.address]
    return len(of_type(resources, "aws_eip")) + len(of_type(resources, "aws_lb")) * len(public)
