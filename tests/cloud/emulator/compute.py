"""Three of moto's answers that would make Terraform see a change where there is none, or wait for nothing."""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.elbv2.models import FakeLoadBalancer

from .memory import answered


def install() -> None:
    """Correct launch templates, security group rules and load balancers from here on."""
    _keep_tags_of_a_template_out_of_its_data()
    _describe_rules_between_groups()
    _start_load_balancers_active()


def _keep_tags_of_a_template_out_of_its_data() -> None:
    create = LaunchTemplates.create_launch_template

    def create_launch_template(self: LaunchTemplates) -> ActionResult:
        result = create(self)
        template = self.ec2_backend.get_launch_template(answered(result, "LaunchTemplate")["LaunchTemplateId"])
        data = template.versions[0].data
        kept = [tags for tags in data.pop("TagSpecifications", []) if tags.get("ResourceType") != "launch-template"]
        if kept:
            data["TagSpecifications"] = kept
        return result

    LaunchTemplates.create_launch_template = create_launch_template  # type: ignore[method-assign]


def _describe_rules_between_groups() -> None:
    def description(self: SecurityGroupRule) -> str | None:
        return self.ip_range.get("Description") or self.source_group.get("Description")

    SecurityGroupRule.description = property(description)  # type: ignore[assignment,method-assign]


def _start_load_balancers_active() -> None:
    initialise = FakeLoadBalancer.__init__

    def start(self: FakeLoadBalancer, *arguments: Any, **named: Any) -> None:
        initialise(self, *arguments, **named)
        self.state = "active"

    FakeLoadBalancer.__init__ = start  # type: ignore[method-assign]
