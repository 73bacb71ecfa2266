"""Who may do what, evaluated on the policies that were really applied: what is allowed, and what is denied."""

import json
from typing import Any

import pytest

from tests.cloud.aws import ACCOUNT
from tests.cloud.policies import allows, trusts, wildcards

from .conftest import Lives

NAME = "simpletimeservice-production"
CLUSTER = f"arn:aws:eks:us-west-1:{ACCOUNT}:cluster/{NAME}"
GROUP = f"arn:aws:autoscaling:us-west-1:{ACCOUNT}:autoScalingGroup:1:autoScalingGroupName/eks-nodes"
OWNED = {f"aws:ResourceTag/k8s.io/cluster-autoscaler/{NAME}": "owned"}
Documents = dict[str, Any]

# Reading that AWS lets nobody narrow (service authorization reference: no resource types).
NEEDED_WILDCARDS = {
    ("autoscaling:DescribeAutoScalingGroups", "*"),
    ("autoscaling:DescribeAutoScalingInstances", "*"),
    ("autoscaling:DescribeLaunchConfigurations", "*"),
    ("autoscaling:DescribeScalingActivities", "*"),
    ("autoscaling:DescribeTags", "*"),
    ("ec2:DescribeImages", "*"),
    ("ec2:DescribeInstanceTypes", "*"),
    ("ec2:DescribeLaunchTemplateVersions", "*"),
    ("ec2:GetInstanceTypesFromInstanceRequirements", "*"),
}


@pytest.fixture(scope="module")
def applied(lives: Lives) -> dict[str, dict[str, Any]]:
    return lives["production"].result().state


def policy(applied: dict[str, dict[str, Any]], address: str, attribute: str = "policy") -> Documents:
    found: Documents = json.loads(applied[f"module.region.module.{address}"][attribute])
    return found


def test_the_deploy_role_finds_its_cluster_and_nothing_else(applied: dict[str, dict[str, Any]]) -> None:
    deploy = policy(applied, "identity.aws_iam_role_policy.deploy[0]")
    assert allows([deploy], "eks:DescribeCluster", CLUSTER)
    assert not allows([deploy], "eks:DescribeCluster", f"{CLUSTER}-2")
    assert not allows([deploy], "eks:DeleteCluster", CLUSTER)
    assert not allows([deploy], "iam:CreateUser")


@pytest.mark.parametrize(
    ("subject", "audience", "expected"),
    [
        ("repo:example/simpletimeservice:environment:production", "sts.amazonaws.com", True),
        ("repo:example/simpletimeservice:environment:development", "sts.amazonaws.com", False),
        ("repo:example/simpletimeservice:ref:refs/heads/main", "sts.amazonaws.com", False),
        ("repo:example/simpletimeservice:pull_request", "sts.amazonaws.com", False),
        ("repo:someone/simpletimeservice:environment:production", "sts.amazonaws.com", False),
        ("repo:example/simpletimeservice:environment:production", "someone-else", False),
    ],
)
def test_the_deploy_role_is_for_one_repository_and_environment(
    applied: dict[str, dict[str, Any]], subject: str, audience: str, expected: bool
) -> None:
    trust = policy(applied, "identity.aws_iam_role.deploy[0]", "assume_role_policy")
    issuer = "token.actions.githubusercontent.com"
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"
    context = {f"{issuer}:sub": subject, f"{issuer}:aud": audience}
    assert expected == trusts(trust, "sts:AssumeRoleWithWebIdentity", provider, context)
    assert not trusts(trust, "sts:AssumeRoleWithWebIdentity", "*", context)


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ("system:serviceaccount:simpletimeservice:simpletimeservice", True),
        ("system:serviceaccount:simpletimeservice:default", False),
        ("system:serviceaccount:default:simpletimeservice", False),
    ],
)
def test_the_applications_role_is_for_its_service_account(
    applied: dict[str, dict[str, Any]], account: str, expected: bool
) -> None:
    trust = policy(applied, 'identity.aws_iam_role.workload["application"]', "assume_role_policy")
    provider = applied["module.region.module.cluster.aws_iam_openid_connect_provider.cluster"]["arn"]
    issuer = provider.partition("oidc-provider/")[2]
    context = {f"{issuer}:sub": account, f"{issuer}:aud": "sts.amazonaws.com"}
    assert expected == trusts(trust, "sts:AssumeRoleWithWebIdentity", provider, context)


@pytest.mark.parametrize(
    ("namespace", "account", "expected"),
    [
        ("amazon-cloudwatch", "cloudwatch-agent", True),
        ("amazon-cloudwatch", "default", False),
        ("simpletimeservice", "cloudwatch-agent", False),
        ("simpletimeservice", "simpletimeservice", False),
    ],
)
def test_the_agents_role_is_for_its_service_account(
    applied: dict[str, dict[str, Any]], namespace: str, account: str, expected: bool
) -> None:
    trust = policy(applied, "observability.aws_iam_role.agent", "assume_role_policy")
    context = {
        "aws:SourceAccount": ACCOUNT,
        "aws:SourceArn": CLUSTER,
        "aws:RequestTag/kubernetes-namespace": namespace,
        "aws:RequestTag/kubernetes-service-account": account,
    }
    assert expected == trusts(trust, "sts:AssumeRole", "pods.eks.amazonaws.com", context)


def test_a_service_of_aws_takes_a_role_for_this_account_and_what_is_in_it_only(
    applied: dict[str, dict[str, Any]],
) -> None:
    """EC2 alone says nothing of whom it asks for: who may give its role to an instance is a matter of iam:PassRole."""
    documents = [
        json.loads(each["assume_role_policy"]) for address, each in applied.items() if ".aws_iam_role." in address
    ]
    statements = [statement for document in documents for statement in document["Statement"]]
    assert len(statements) >= 7
    services = {each["Principal"]["Service"]: each for each in statements if "Service" in each["Principal"]}
    assert set(services) == {
        "ec2.amazonaws.com", "eks.amazonaws.com", "pods.eks.amazonaws.com", "vpc-flow-logs.amazonaws.com",
    }  # fmt: skip
    for service in set(services) - {"ec2.amazonaws.com"}:
        document = {"Statement": [services[service]]}
        keys = {key for operator in services[service]["Condition"].values() for key in operator}
        assert {"aws:SourceAccount", "aws:SourceArn"} <= keys
        assert not trusts(document, "sts:AssumeRole", service, {})


def test_a_pod_takes_no_role_but_its_own(applied: dict[str, dict[str, Any]]) -> None:
    for address, each in applied.items():
        if ".aws_iam_role." in address and "pods.eks.amazonaws.com" in each["assume_role_policy"]:
            assert "kubernetes-service-account" in each["assume_role_policy"], address


def test_the_application_may_use_nothing(applied: dict[str, dict[str, Any]]) -> None:
    role = f"{NAME}-application"
    policies = [each for each in applied.values() if each.get("role") == role]
    assert policies == []


def test_the_autoscaler_resizes_its_own_groups_only(applied: dict[str, dict[str, Any]]) -> None:
    autoscaler = policy(applied, 'identity.aws_iam_role_policy.workload["cluster-autoscaler"]')
    assert allows([autoscaler], "autoscaling:DescribeAutoScalingGroups")
    assert allows([autoscaler], "autoscaling:SetDesiredCapacity", GROUP, OWNED)
    assert not allows([autoscaler], "autoscaling:SetDesiredCapacity", GROUP)
    assert not allows([autoscaler], "autoscaling:SetDesiredCapacity", GROUP, dict.fromkeys(OWNED, "shared"))
    assert not allows([autoscaler], "autoscaling:DeleteAutoScalingGroup", GROUP, OWNED)
    assert not allows([autoscaler], "ec2:TerminateInstances", "*", OWNED)


def test_a_bucket_without_tls_is_denied_to_everyone(applied: dict[str, dict[str, Any]]) -> None:
    logs = policy(applied, "ingress.aws_s3_bucket_policy.logs")
    bucket = applied["module.region.module.ingress.aws_s3_bucket.logs"]["arn"]
    written = f"{bucket}/AWSLogs/{ACCOUNT}/elasticloadbalancing/log.gz"
    source = f"arn:aws:elasticloadbalancing:us-west-1:{ACCOUNT}:loadbalancer/app/{NAME}/1"
    secure = {"aws:SecureTransport": "true", "aws:SourceArn": source}
    assert allows([logs], "s3:PutObject", written, secure)
    assert not allows([logs], "s3:PutObject", written, {**secure, "aws:SecureTransport": "false"})
    assert not allows([logs], "s3:PutObject", written, {**secure, "aws:SourceArn": source.replace(NAME, "another")})
    assert not allows([logs], "s3:GetObject", written, secure)


def test_a_policy_of_ours_has_no_wildcard_that_it_does_not_need(applied: dict[str, dict[str, Any]]) -> None:
    ours = {address: each for address, each in applied.items() if ".aws_iam_role_policy." in address}
    assert len(ours) >= 3
    found = {pair for each in ours.values() for pair in wildcards(json.loads(each["policy"]))}
    assert found - NEEDED_WILDCARDS == set()
    assert NEEDED_WILDCARDS - found == set(), "a wildcard that is no longer there needs no excuse"
