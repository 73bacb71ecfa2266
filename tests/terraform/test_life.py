"""Each environment is applied, planned again, changed and destroyed, for real, against an emulated AWS."""

from concurrent.futures import Future

import pytest

from tests.cloud.aws import Cloud
from tests.cloud.terraform import resources

from .life import Life

Lives = dict[str, Future[Life]]
ENVIRONMENTS = ("development", "production", "recovery")
REGIONS = {"development": "us-west-1", "production": "us-west-1", "recovery": "us-west-2"}

# What the emulator has no API for is checked by plan and schema only. Nothing at present: a test below counts.
PLANNED_ONLY: frozenset[str] = frozenset()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_applies_in_one_go(lives: Lives, environment: str) -> None:
    done = lives[environment].result().apply
    print(f"{environment}: applied in {done.seconds:.0f} s")
    assert "Apply complete!" in done.output
    assert " 0 changed, 0 destroyed" in done.output


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_second_plan_is_empty(lives: Lives, environment: str) -> None:
    assert lives[environment].result().second_plan == {}


def test_lifting_the_protection_changes_the_balancer_and_its_logs_and_nothing_else(lives: Lives) -> None:
    ingress = "module.region.module.ingress"
    expected = {f"{ingress}.aws_lb.this": ["update"], f"{ingress}.aws_s3_bucket.logs": ["update"]}
    assert expected == lives["production"].result().change_plan


def test_a_new_version_of_kubernetes_upgrades_cluster_and_nodes_in_place(lives: Lives) -> None:
    planned = lives["development"].result().change_plan
    assert planned["module.region.module.cluster.aws_eks_cluster.this"] == ["update"]
    assert planned["module.region.module.nodes.aws_eks_node_group.this"] == ["update"]
    assert all(actions == ["update"] for actions in planned.values()), planned


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_destroying_leaves_nothing_in_the_state(lives: Lives, environment: str) -> None:
    life = lives[environment].result()
    assert life.destroy is not None
    print(f"{environment}: destroyed in {life.destroy.seconds:.0f} s")
    assert life.left_in_state == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_destroying_leaves_nothing_in_the_account(lives: Lives, cloud: Cloud, environment: str) -> None:
    lives[environment].result()
    name, region = f"simpletimeservice-{environment}", REGIONS[environment]
    assert cloud.aws("eks", "list-clusters", region=region)["clusters"].count(name) == 0
    vpcs = cloud.aws("ec2", "describe-vpcs", "--filters", f"Name=tag:Environment,Values={environment}", region=region)
    assert vpcs["Vpcs"] == []
    groups = cloud.aws("autoscaling", "describe-auto-scaling-groups", region=region)["AutoScalingGroups"]
    assert [each for each in groups if name in str(each)] == []
    assert [role for role in cloud.aws("iam", "list-roles")["Roles"] if role["RoleName"].startswith(name)] == []
    assert [each for each in cloud.aws("s3api", "list-buckets")["Buckets"] if each["Name"].startswith(name)] == []
    balancers = cloud.aws("elbv2", "describe-load-balancers", region=region)["LoadBalancers"]
    assert [each for each in balancers if each["LoadBalancerName"] == name] == []
    alarms = cloud.aws("cloudwatch", "describe-alarms", "--alarm-name-prefix", name, region=region)["MetricAlarms"]
    assert alarms == []


def test_every_kind_of_resource_of_the_configuration_was_really_applied(lives: Lives) -> None:
    applied = {
        address.rpartition(".")[0].rpartition(".")[2]
        for name in ENVIRONMENTS
        for address in resources(lives[name].result().state["values"]["root_module"])
    }
    print("checked by plan and schema only:", ", ".join(sorted(PLANNED_ONLY)) or "nothing")
    assert applied >= {"aws_eks_cluster", "aws_lb", "aws_wafv2_web_acl", "aws_budgets_budget", "aws_route53_health_check"}
    assert not PLANNED_ONLY & applied
