"""Each environment is applied, planned again, changed and destroyed, for real, against an emulated AWS."""

import json
import re
import shutil
import tomllib
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
import yaml

from shipseal.cli import main
from shipseal.project.config import Config
from shipseal.project.deploy import Deploy
from tests.cloud.aws import ACCOUNT, HOME, Cloud
from tests.cloud.terraform import CONFIGURATION, Done

from .conftest import DOMAIN, Lives
from .drill import Drill

ENVIRONMENTS = ("development", "production", "recovery")
REGIONS = {"development": "us-west-1", "production": "us-west-1", "recovery": "us-west-2"}
RECOVERY_MINUTES = 30

# What the emulator has no API for, and so is checked by plan and schema only.
PLANNED_ONLY: frozenset[str] = frozenset()


def test_the_bootstrap_ends_with_its_own_state_in_the_bucket(bootstrap: Future[Done], cloud: Cloud) -> None:
    assert "No changes" in bootstrap.result().output
    bucket = "simpletimeservice-state-123456789012-us-west-1"
    names = [each["Key"] for each in cloud.aws("s3api", "list-objects-v2", "--bucket", bucket)["Contents"]]
    assert "bootstrap/terraform.tfstate" in names


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_applies_in_one_go(lives: Lives, environment: str, say: Callable[[str], None]) -> None:
    applied = lives[environment].result().applied
    say(f"{environment}: applied in {applied.seconds:.0f} s")
    assert "Apply complete!" in applied.output
    assert " 0 changed, 0 destroyed" in applied.output


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_second_plan_is_empty(lives: Lives, environment: str) -> None:
    assert lives[environment].result().second_plan == {}


@pytest.mark.parametrize("environment", ["production", "recovery"])
def test_lifting_the_protection_changes_the_balancer_and_its_logs_and_nothing_else(
    lives: Lives, environment: str
) -> None:
    ingress = "module.region.module.ingress"
    expected = {f"{ingress}.aws_lb.this": "update", f"{ingress}.aws_s3_bucket.logs": "update"}
    assert expected == lives[environment].result().change_plan


def test_a_new_version_of_kubernetes_upgrades_cluster_and_nodes_in_place(lives: Lives) -> None:
    planned = lives["development"].result().change_plan
    assert planned["module.region.module.cluster.aws_eks_cluster.this"] == "update"
    assert planned["module.region.module.nodes.aws_eks_node_group.this"] == "update"
    assert set(planned.values()) == {"update"}, planned


def test_a_new_version_of_kubernetes_upgrades_every_add_on(lives: Lives) -> None:
    life = lives["development"].result()
    addons = {address: each for address, each in life.state.items() if ".aws_eks_addon." in address}
    assert {each["addon_version"] for each in addons.values()} == {"v1.35.0-eksbuild.1"}
    assert len(addons) == 6
    assert set(addons) - set(life.change_plan) == set()


def test_more_nodes_than_there_are_are_refused_at_plan_with_the_way_out(
    lives: Lives, meanwhile: dict[str, list[Done]]
) -> None:
    lives["development"].result()
    said = " ".join(meanwhile["node-size.md"][0].output.replace("│", " ").split())
    assert "The number of nodes is 1 now, which is not between 2 and 3" in said
    assert "--scaling-config minSize=2,maxSize=3,desiredSize=2" in said
    assert "node-size.md" in said


def test_the_runbook_for_the_number_of_nodes_ends_in_an_empty_plan(
    lives: Lives, meanwhile: dict[str, list[Done]]
) -> None:
    lives["development"].result()
    assert meanwhile["node-size.md"][1].output.rstrip().count("No changes") == 1


def test_the_upgrade_by_the_runbook_ends_in_an_empty_plan(lives: Lives) -> None:
    assert lives["development"].result().changed.output.rstrip().count("No changes") == 1


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_destroying_leaves_nothing_in_the_state(lives: Lives, environment: str, say: Callable[[str], None]) -> None:
    life = lives[environment].result()
    say(f"{environment}: destroyed in {life.destroyed.seconds:.0f} s")
    assert life.left_in_state == {}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_destroying_leaves_nothing_in_the_account(lives: Lives, cloud: Cloud, environment: str) -> None:
    for each in ENVIRONMENTS:
        lives[each].result()
    name, region = f"simpletimeservice-{environment}", REGIONS[environment]
    tagged = ("--filters", f"Name=tag:Environment,Values={environment}")
    left = [
        *(each for each in cloud.aws("eks", "list-clusters", region=region)["clusters"] if each == name),
        *cloud.aws("ec2", "describe-vpcs", *tagged, region=region)["Vpcs"],
        *cloud.aws("ec2", "describe-addresses", *tagged, region=region)["Addresses"],
        *cloud.aws("ec2", "describe-launch-templates", *tagged, region=region)["LaunchTemplates"],
        *cloud.aws("autoscaling", "describe-auto-scaling-groups", region=region)["AutoScalingGroups"],
        *(each for each in cloud.aws("iam", "list-roles")["Roles"] if each["RoleName"].startswith(name)),
        *(each for each in cloud.aws("s3api", "list-buckets")["Buckets"] if each["Name"].startswith(f"{name}-")),
        *(
            each
            for each in cloud.aws("elbv2", "describe-load-balancers", region=region)["LoadBalancers"]
            if each["LoadBalancerName"] == name
        ),
        *cloud.aws("cloudwatch", "describe-alarms", "--alarm-name-prefix", name, region=region)["MetricAlarms"],
        *(each for each in cloud.aws("logs", "describe-log-groups", region=region)["logGroups"] if name in str(each)),
    ]
    assert left == []


def test_every_kind_of_resource_of_the_configuration_was_really_applied(
    lives: Lives, say: Callable[[str], None]
) -> None:
    declared = {
        kind
        for file in (CONFIGURATION / "modules").rglob("*.tf")
        for kind in re.findall(r'^resource "(\w+)"', file.read_text(), re.MULTILINE)
    }
    applied = {
        re.sub(r"^(?:module\.\w+(?:\[[^]]*\])?\.)*", "", address).partition(".")[0]
        for name in ENVIRONMENTS
        for address in lives[name].result().state
    }
    say(f"resources checked by plan and schema only: {', '.join(sorted(PLANNED_ONLY)) or 'none, all were applied'}")
    unapplied = declared - applied
    assert unapplied == PLANNED_ONLY


def test_the_outputs_are_what_the_pipelines_configuration_takes(lives: Lives) -> None:
    outputs = lives["production"].result().outputs
    section = tomllib.loads(outputs["pipeline_toml"])["deploy"]
    assert Deploy.model_validate(section).kubernetes == "1.35"
    assert outputs["url"] == f"https://{DOMAIN}"
    assert outputs["deploy_role_arn"].endswith(":role/simpletimeservice-production-deploy")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_policy_of_the_network_admits_the_nodes_of_its_environment(lives: Lives, environment: str) -> None:
    overlay = HOME / "k8s" / "overlays" / environment
    policy = yaml.safe_load((overlay / "networkpolicy.yaml").read_bytes())
    admitted = [peer["ipBlock"]["cidr"] for rule in policy["spec"]["ingress"] for peer in rule["from"]]
    assert lives[environment].result().outputs["node_networks"] == admitted


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_the_manifests_say_of_an_environment_is_what_the_command_makes_of_its_outputs(
    lives: Lives, environment: str, tmp_path: Path
) -> None:
    """The files that come with the pipeline are of AWS's example account; the emulated one has another number."""
    outputs = lives[environment].result().outputs["overlay"]
    assert outputs["role_arn"].endswith(f"{ACCOUNT}:role/simpletimeservice-{environment}-application")
    shutil.copytree(HOME / "k8s", tmp_path / "k8s")
    shutil.copy(HOME / "pipeline.toml", tmp_path)
    (tmp_path / "outputs.json").write_text(json.dumps(outputs).replace(ACCOUNT, "111122223333"))
    patches = [f"overlays/{environment}/{name}.yaml" for name in ("networkpolicy", "serviceaccount")]
    written = [*patches, "platform/rolebinding.yaml", "platform/rolebinding-kube-system.yaml"]
    for name in written:
        (tmp_path / "k8s" / name).write_text("what was there before")
    command = ["overlay", f"{tmp_path}/k8s/overlays/{environment}", f"{tmp_path}/outputs.json"]
    assert main([*command, "--config", f"{tmp_path}/pipeline.toml"]) == 0
    for name in written:
        assert (HOME / "k8s" / name).read_text() == (tmp_path / "k8s" / name).read_text()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_whoever_deploys_is_in_the_group_that_the_manifests_bind_and_has_no_policy(
    lives: Lives, environment: str
) -> None:
    state = lives[environment].result().state
    entry = state['module.region.module.cluster.aws_eks_access_entry.this["deploy"]']
    [subject] = yaml.safe_load((HOME / "k8s" / "platform" / "rolebinding.yaml").read_bytes())["subjects"]
    assert entry["principal_arn"].endswith(f":role/simpletimeservice-{environment}-deploy")
    assert (["Group"], entry["kubernetes_groups"]) == ([subject["kind"]], [subject["name"]])
    assert not any('aws_eks_access_policy_association.this["deploy"]' in address for address in state)


def test_the_runbook_for_a_lost_region_deploys_with_the_overlay_of_the_second(lives: Lives, tree: Path) -> None:
    life, root = lives["recovery"].result(), tree.parent
    config = Config.load(root / "recovery.toml")
    assert config.deploy.manifests == root / "k8s" / "overlays" / "recovery"
    policy = yaml.safe_load((config.deploy.manifests / "networkpolicy.yaml").read_bytes())
    account = yaml.safe_load((config.deploy.manifests / "serviceaccount.yaml").read_bytes())
    admitted = [peer["ipBlock"]["cidr"] for rule in policy["spec"]["ingress"] for peer in rule["from"]]
    assert life.outputs["node_networks"] == admitted
    assert life.outputs["application_role_arn"] == account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]


def test_the_runbook_for_a_leak_refuses_every_session_from_before_and_leaves_nothing(
    lives: Lives, meanwhile: dict[str, list[Done]]
) -> None:
    life = lives["production"].result()
    [done] = meanwhile["credential-leak.md"]
    assert "sessions-before-now-are-refused" in done.output
    assert "aws:TokenIssueTime" in done.output
    assert "module.region.module.identity.aws_iam_role.deploy[0]" not in life.change_plan


def test_dns_follows_when_the_first_region_is_declared_ill_and_returns(lives: Lives, drill: Drill) -> None:
    lives["recovery"].result()
    first, second = "simpletimeservice-production", "simpletimeservice-recovery"
    assert drill.given_out == [first, first, second, first]
    assert first in drill.listed
    assert second in drill.listed


def test_the_drill_fits_into_the_time_that_the_architecture_gives(
    lives: Lives, drill: Drill, say: Callable[[str], None]
) -> None:
    lives["recovery"].result()
    for step, seconds in drill.seconds.items():
        say(f"recovery drill: {step}: {seconds:.0f} s")
    total = sum(drill.seconds.values())
    say(
        f"recovery drill: {total:.0f} s of {RECOVERY_MINUTES * 60} s, on an emulator whose control plane takes no time;"
    )
    say("recovery drill: AWS takes 15 to 20 min to apply, and the deploy (3 to 5 min) is not part of this run")
    assert total < RECOVERY_MINUTES * 60
