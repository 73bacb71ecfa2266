"""The evaluator of policies says what AWS would, and refuses to guess."""

from typing import Any

import pytest

from tests.cloud.policies import allows, trusts, wildcards

BUCKET = "arn:aws:s3:::logs"


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


READ = {"Effect": "Allow", "Action": "s3:Get*", "Resource": f"{BUCKET}/*"}
TLS_ONLY = {
    "Effect": "Deny",
    "Action": "s3:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("s3:GetObject", f"{BUCKET}/a/b", True),
        ("S3:getobject", f"{BUCKET}/a", True),
        ("s3:PutObject", f"{BUCKET}/a", False),
        ("s3:GetObject", BUCKET, False),
        ("s3:GetObject", "arn:aws:s3:::LOGS/a", False),
    ],
)
def test_what_no_statement_allows_is_denied(action: str, resource: str, expected: bool) -> None:
    assert expected == allows([policy(READ)], action, resource)


def test_a_denial_wins_over_any_permission_in_any_document() -> None:
    documents = [policy(READ), policy(TLS_ONLY)]
    assert allows(documents, "s3:GetObject", f"{BUCKET}/a", {"aws:SecureTransport": "true"})
    assert not allows(documents, "s3:GetObject", f"{BUCKET}/a", {"aws:SecureTransport": "false"})


def test_a_condition_on_what_the_request_does_not_carry_is_not_met() -> None:
    tagged = {**READ, "Condition": {"StringEquals": {"aws:ResourceTag/owner": "us"}}}
    assert not allows([policy(tagged)], "s3:GetObject", f"{BUCKET}/a")
    assert allows([policy(tagged)], "s3:GetObject", f"{BUCKET}/a", {"aws:ResourceTag/owner": "us"})


@pytest.mark.parametrize("more", [{"NotAction": "s3:*"}, {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}])
def test_what_is_not_understood_is_an_error(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not understood"):
        allows([policy({**READ, **more})], "s3:GetObject", f"{BUCKET}/a")


def test_a_role_trusts_the_principals_that_it_names() -> None:
    trust = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
    assert trusts(trust, "sts:AssumeRole", "ec2.amazonaws.com", {})
    assert not trusts(trust, "sts:AssumeRole", "lambda.amazonaws.com", {})


def test_wildcards_are_found_in_actions_and_resources() -> None:
    everything = {"Effect": "Allow", "Action": "ec2:DescribeImages", "Resource": "*"}
    assert wildcards(policy(READ, everything, TLS_ONLY)) == [("s3:Get*", f"{BUCKET}/*"), ("ec2:DescribeImages", "*")]
