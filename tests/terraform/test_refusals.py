"""What a person gets wrong is refused before anything is made, by real plans, with what to set."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.aws import Cloud
from tests.cloud.terraform import Root, copy, environment
from tests.runbook import commands, follow

from .conftest import DOMAIN, REQUIRED


@pytest.fixture(scope="module")
def production(cloud: Cloud, quick_cli_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Give production in a copy of its own whose state is on disk, so that no plan waits for another's lock."""
    tree = copy(tmp_path_factory.mktemp("refusals") / "terraform")
    root = Root(tree / "environments" / "production", environment(quick_cli_file, **cloud.environment))
    (root.directory / "local_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    root.init()
    return root


def refused(root: Root, variables: dict[str, Any], **changes: str) -> str:
    """Plan with these variables, which must fail, and return what Terraform said, its line breaks undone."""
    (root.directory / "test.auto.tfvars.json").write_text(
        json.dumps({**REQUIRED, "github_repository": None, **variables})
    )
    changed = Root(root.directory, {**root.environment, **changes})
    done = changed.run("plan", "-no-color", "-input=false", "-refresh=false").expect(1)
    return " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("variables", "what", "set_this"),
    [
        ({"zones": ["us-west-1a", "us-west-1q"]}, "This account has no zone us-west-1q in us-west-1", "us-west-1b"),
        (
            {"region": "us-east-1", "zones": ["us-east-1a", "us-east-1e"]},
            "EKS places no control plane in us-east-1e (use1-az3)",
            "Set zones to two of: us-east-1a",
        ),
        ({"node_size": {"min": 4, "desired": 4, "max": 2}}, "max no smaller than min", "size"),
        ({"kubernetes_version": "1.28"}, "EKS does not offer Kubernetes 1.28", "1.34, 1.35, 1.36"),
        ({"public_access_cidrs": ["0.0.0.0/0"]}, "must not open the API server to the internet at large", "your own"),
        (
            {"public_access_cidrs": ["10.0.0.0/8"]},
            "EKS refuses private and reserved ranges",
            "as the internet sees them",
        ),
        ({"domain": DOMAIN}, "domain and zone_id go together", "Route 53 public zone"),
        ({"administrators": []}, "must hold at least one ARN", "arn:aws:iam::111122223333:role/admin"),
    ],
)
def test_a_mistake_is_refused_at_plan_with_what_to_set(
    production: Root, variables: dict[str, Any], what: str, set_this: str
) -> None:
    said = refused(production, variables)
    assert what in said
    assert set_this in said


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (
            {
                "network": {
                    "public_cidrs": ["10.0.1.0/28", "10.0.2.0/28"],
                    "private_cidrs": ["10.0.11.0/29", "10.0.12.0/29"],
                },
                "nodes": {"instance_type": "t3.enormous"},
            },
            [
                "the load balancer is refused in a subnet smaller than /27",
                "private_cidrs must be between /16 and /28",
                "t3.enormous",
            ],
        ),
        (
            {"nodes": {"instance_type": "t4g.nano"}},
            [
                "t4g.nano is arm64, AL2023_x86_64_STANDARD is for x86_64",
                "Set ami_type to one for arm64, or instance_type to one that is x86_64",
                "A t4g.nano holds 4 pods, of which 5 are on every node",
                "Set instance_type to a larger one, or size.min to more nodes",
            ],
        ),
        (
            {"nodes": {"instance_type": "p5en.48xlarge", "ami_type": "AL2023_ARM_64_STANDARD"}},
            [
                "p5en.48xlarge is x86_64, AL2023_ARM_64_STANDARD is for arm64",
                "EC2 offers no p5en.48xlarge in us-west-1",
                "or zones to some of: us-west-1",
            ],
        ),
    ],
)
def test_what_aws_would_refuse_after_minutes_is_refused_at_plan(
    production: Root, region: dict[str, Any], expected: list[str]
) -> None:
    override = production.directory / "wrong_override.tf.json"
    override.write_text(json.dumps({"module": {"region": region}}))
    try:
        said = refused(production, {})
    finally:
        override.unlink()
    assert [words for words in expected if words not in said] == []


def test_a_zone_that_does_not_hold_the_domain_is_refused(production: Root, zone: str) -> None:
    said = refused(production, {"domain": "time.another.test", "zone_id": zone})
    assert f"time.another.test does not lie in the zone example.test ({zone})" in said


def test_a_private_zone_is_refused(production: Root, cloud: Cloud) -> None:
    [vpc] = cloud.aws("ec2", "describe-vpcs", "--filters", "Name=is-default,Values=true")["Vpcs"]
    where = f"VPCRegion=us-west-1,VPCId={vpc['VpcId']}"
    named = ("--name", "private.test", "--caller-reference", "private", "--vpc", where)
    private = cloud.aws("route53", "create-hosted-zone", *named, "--hosted-zone-config", "PrivateZone=true")[
        "HostedZone"
    ]["Id"].rpartition("/")[2]
    assert "is private" in refused(production, {"domain": "time.private.test", "zone_id": private})


def test_missing_credentials_are_refused_before_anything_is_asked(production: Root) -> None:
    said = refused(production, {}, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert "No valid credential sources found" in said


def test_an_ended_version_that_is_planned_on_purpose_is_refused_by_eks(cloud: Cloud) -> None:
    arguments = ("--name", "old", "--kubernetes-version", "1.28", "--role-arn", "arn:aws:iam::123456789012:role/x")
    with pytest.raises(AssertionError, match=r"unsupported Kubernetes version 1\.28"):
        cloud.aws("eks", "create-cluster", *arguments, "--resources-vpc-config", "subnetIds=subnet-1,subnet-2")


def test_a_log_group_that_comes_back_after_a_destroy_is_removed_by_the_runbook(cloud: Cloud, tmp_path: Path) -> None:
    for name in ("gone", "gone-not"):
        cloud.aws("logs", "create-log-group", "--log-group-name", f"/aws/eks/simpletimeservice-{name}/cluster")
    blocks = commands("take-down.md", section="3.")
    done = follow(blocks, tmp_path, {**cloud.environment, "NAME": "simpletimeservice-gone"}).expect()
    left = cloud.aws("logs", "describe-log-groups", "--log-group-name-prefix", "/aws/eks/simpletimeservice-gone")
    assert done.output == "deleted /aws/eks/simpletimeservice-gone/cluster\n"
    assert [each["logGroupName"] for each in left["logGroups"]] == ["/aws/eks/simpletimeservice-gone-not/cluster"]


def test_a_bucket_of_anyones_name_is_refused(cloud: Cloud, quick_cli_file: Path, tmp_path: Path) -> None:
    root = Root(copy(tmp_path / "terraform") / "bootstrap", environment(quick_cli_file, **cloud.environment))
    root.init()
    said = root.run("plan", "-no-color", "-input=false", "-var=bucket=state").expect(1).output
    assert "Leave bucket unset, or put the account number" in " ".join(said.replace("│", " ").split())
