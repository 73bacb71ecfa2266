"""The emulated AWS takes a lock once for each request, however often the request is sent."""

import json
import urllib.error
import urllib.request

import pytest

from tests.cloud.aws import Cloud

TABLE = "asked-again"
SIGNED = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"


def lock(cloud: Cloud, invocation: str) -> int:
    """Take the lock under an invocation id, as Terraform's backend does; return the HTTP status."""
    item = {"LockID": {"S": "state"}, "Info": {"S": "{}"}}
    asked = {"TableName": TABLE, "Item": item, "ConditionExpression": "attribute_not_exists(LockID)"}
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "DynamoDB_20120810.PutItem",
        "Authorization": SIGNED,
        "Amz-Sdk-Invocation-Id": invocation,
    }
    try:
        with urllib.request.urlopen(urllib.request.Request(cloud.url, json.dumps(asked).encode(), headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


@pytest.fixture
def table(cloud: Cloud) -> None:
    """Make a table of locks."""
    key = ("--key-schema", "AttributeName=LockID,KeyType=HASH")
    attribute = ("--attribute-definitions", "AttributeName=LockID,AttributeType=S")
    cloud.aws("dynamodb", "create-table", "--table-name", TABLE, *key, *attribute, "--billing-mode", "PAY_PER_REQUEST")


@pytest.mark.usefixtures("table")
def test_a_lock_asked_for_again_under_the_same_id_is_still_taken_and_nobody_else_gets_it(cloud: Cloud) -> None:
    """A client sends a request again when the connection was lost before the answer."""
    assert [lock(cloud, "one"), lock(cloud, "one"), lock(cloud, "another")] == [200, 200, 400]
