"""A cluster of EKS is found by AWS's own API, emulated, and reached by a token that its authenticator would take."""

import base64
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from cryptography import x509

from shipseal.cluster.access import Access
from shipseal.cluster.eks import HEADER, PREFIX, access
from shipseal.errors import RemoteFailed, UsageError
from tests.cloud.aws import ACCOUNT, Cloud

NAME, REGION = "reached", "us-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deployer"
SECRETS = ("testing-secret", "testing-session/+=")


@pytest.fixture(scope="module")
def cluster(cloud: Cloud) -> dict[str, Any]:
    """Make a cluster, and return what AWS says of it."""
    subnets = [each["SubnetId"] for each in cloud.aws("ec2", "describe-subnets")["Subnets"]]
    made = cloud.aws(
        *("eks", "create-cluster", "--name", NAME, "--kubernetes-version", "1.35"),
        *("--role-arn", f"arn:aws:iam::{ACCOUNT}:role/cluster"),
        *("--resources-vpc-config", f"subnetIds={','.join(subnets[:2])}"),
    )["cluster"]
    assert isinstance(made, dict)
    return made


@pytest.fixture
def environment(cloud: Cloud) -> dict[str, str]:
    """Give the login of somebody whose credentials end by themselves."""
    return {
        "AWS_ENDPOINT_URL": cloud.url,
        "AWS_ACCESS_KEY_ID": "AKIATESTING",
        "AWS_SECRET_ACCESS_KEY": SECRETS[0],
        "AWS_SESSION_TOKEN": SECRETS[1],
    }


async def token(reached: Access) -> str:
    assert reached.token is not None
    return await reached.token()


def address(token: str) -> str:
    """Return the address that a token holds; it has no padding, which old decoders do not take."""
    assert token.startswith(PREFIX)
    assert "=" not in token
    text = token.removeprefix(PREFIX)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def parameters(url: str) -> dict[str, str]:
    return {key: value for key, [value] in parse_qs(urlsplit(url).query, strict_parsing=True).items()}


def signature(url: str, secret: str, headers: dict[str, str]) -> str:
    """Sign a request anew, for the moment that it names, as botocore does, and return the signature."""
    said = parameters(url)
    signer = SigV4QueryAuth(Credentials(said["X-Amz-Credential"].split("/")[0], secret), "sts", REGION)
    bare = url.partition("&X-Amz-Signature=")[0]
    request = AWSRequest("GET", bare, headers=headers)
    request.context["timestamp"] = said["X-Amz-Date"]
    canonical = signer.canonical_request(request)
    return str(signer.signature(signer.string_to_sign(request, canonical), request))


def identity(cloud: Cloud, url: str) -> str:
    """Send the request that a token holds to the emulated STS, as a cluster does, and return what it answers.

    The emulator looks for who signed in the header only, where AWS takes it from the address too.
    """
    said = parameters(url)
    signer = f"Credential={said['X-Amz-Credential']}, SignedHeaders={said['X-Amz-SignedHeaders']}"
    headers = {HEADER: NAME, "Authorization": f"AWS4-HMAC-SHA256 {signer}, Signature={said['X-Amz-Signature']}"}
    request = urllib.request.Request(f"{cloud.url}/?{urlsplit(url).query}", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode())


async def test_describe_cluster_says_where_the_cluster_is_and_who_certifies_it(
    cluster: dict[str, Any], environment: dict[str, str]
) -> None:
    reached = await access(NAME, REGION, "", environment=environment)
    assert cluster["endpoint"].rstrip("/") == reached.server
    assert reached.server.startswith("https://")
    assert base64.b64decode(cluster["certificateAuthority"]["data"]).decode() == reached.authority
    assert len(x509.load_pem_x509_certificates(reached.authority.encode())) == 1
    assert cluster["arn"] == reached.context


@pytest.mark.usefixtures("cluster")
async def test_the_token_is_a_request_to_sts_in_the_documented_form(environment: dict[str, str]) -> None:
    url = address(await token(await access(NAME, REGION, "", environment=environment)))
    assert url.startswith(f"https://sts.{REGION}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-")
    said = parameters(url)
    made = datetime.strptime(said.pop("X-Amz-Date"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - made).total_seconds()) < 60
    assert len(said.pop("X-Amz-Signature")) == 64
    assert said == {
        "Action": "GetCallerIdentity",
        "Version": "2011-06-15",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"AKIATESTING/{made:%Y%m%d}/{REGION}/sts/aws4_request",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": f"host;{HEADER}",
        "X-Amz-Security-Token": SECRETS[1],
    }


@pytest.mark.usefixtures("cluster")
async def test_the_signature_is_botocores_for_this_cluster_and_no_other(environment: dict[str, str]) -> None:
    url = address(await token(await access(NAME, REGION, "", environment=environment)))
    signed = parameters(url)["X-Amz-Signature"]
    assert signature(url, SECRETS[0], {HEADER: NAME}) == signed
    assert signature(url, SECRETS[0], {HEADER: "another"}) != signed
    assert signature(url, SECRETS[0], {}) != signed
    assert signature(url, "another", {HEADER: NAME}) != signed


@pytest.mark.usefixtures("cluster")
async def test_the_secret_is_in_no_token_and_in_no_text_of_what_is_returned(environment: dict[str, str]) -> None:
    reached = await access(NAME, REGION, "", environment=environment)
    assert SECRETS[0] not in address(await token(reached))
    for secret in SECRETS:
        assert secret not in repr(reached)


@pytest.mark.usefixtures("cluster")
async def test_a_role_that_is_taken_is_who_the_token_speaks_for(cloud: Cloud, environment: dict[str, str]) -> None:
    named = {**environment, "AWS_ROLE_SESSION_NAME": "release-7"}
    url = address(await token(await access(NAME, REGION, ROLE, environment=named)))
    assert f"assumed-role/{ROLE.rpartition('/')[2]}/release-7" in identity(cloud, url)
    assert not parameters(url)["X-Amz-Credential"].startswith("AKIATESTING")
    assert parameters(url)["X-Amz-Security-Token"] != SECRETS[1]


@pytest.mark.usefixtures("cluster")
async def test_web_identity_takes_the_role_that_the_environment_names(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a.web.identity-token\n")
    environment = {
        "AWS_ENDPOINT_URL": cloud.url,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ROLE_ARN": ROLE,
    }
    url = address(await token(await access(NAME, REGION, "", environment=environment)))
    assert "assumed-role/deployer/supply-chain-pipeline" in identity(cloud, url)


@pytest.mark.usefixtures("cluster")
async def test_nothing_but_the_environment_given_is_asked_for_a_login(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(
        f"[default]\ncredential_process = /bin/touch {tmp_path / 'started'}\nendpoint_url = http://127.0.0.1:1\n"
    )
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAOTHER",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="no AWS credentials") as caught:
        await access(NAME, REGION, "", environment={"AWS_ENDPOINT_URL": cloud.url, "AWS_PROFILE": "default"})
    assert caught.value.why == ("of what names them there is only AWS_PROFILE",)
    assert not (tmp_path / "started").exists()


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(("name", "region"), [("unknown", REGION), (NAME, "eu-central-1")])
async def test_a_cluster_that_aws_does_not_know_there_is_named_with_its_region(
    environment: dict[str, str], name: str, region: str
) -> None:
    with pytest.raises(RemoteFailed, match=f"AWS finds no such cluster in {region}") as caught:
        await access(name, region, "", environment=environment)
    assert name in caught.value.why[0]
