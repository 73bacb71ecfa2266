"""What a project may name of EKS, how long a token is used, and what is said when AWS, played by a server, refuses."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from shipseal.cluster.access import Access
from shipseal.cluster.aws import Aws
from shipseal.cluster.eks import PREFIX, RENEWED, Tokens, access, signed
from shipseal.errors import ConfigError, RemoteFailed, ShipsealError, UsageError

SECRET, TOKEN = "a-secret-key", "a-session-token"
LOGIN = {"AWS_ACCESS_KEY_ID": "AKIATESTING", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
ARN = "arn:aws:eks:us-west-1:123456789012:cluster/reached"
ROLE = "arn:aws:iam::123456789012:role/deployer"
# What `aws-iam-authenticator token -i reached` (v0.6.13) made of the keys AKIATESTING, s and t/+=.
THEIRS = (
    "https://sts.us-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&"
    "X-Amz-Credential=AKIATESTING%2F20261129%2Fus-west-1%2Fsts%2Faws4_request&X-Amz-Date=20261129T105639Z&"
    "X-Amz-Expires=0&X-Amz-Security-Token=t%2F%2B%3D&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&"
    "X-Amz-Signature=41b8b157d8983fe629020388ddb4a6ac502551e746c8f626259904a677e82a66"
)


@contextmanager
def answering(code: int, error: str, body: bytes, date: datetime | None = None) -> Iterator[dict[str, str]]:
    """Answer every request as AWS would with one error or body; give the environment that asks there."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response_only(code)
            self.send_header("Date", format_datetime(date or datetime.now(UTC), usegmt=True))
            if error:
                self.send_header("x-amzn-ErrorType", error)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815 - the names are the base class's

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield {**LOGIN, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()


def message(text: str) -> bytes:
    return json.dumps({"message": text}).encode()


def xml(error: str, text: str) -> bytes:
    return f"<ErrorResponse><Error><Code>{error}</Code><Message>{text}</Message></Error></ErrorResponse>".encode()


@cache
def authority() -> bytes:
    """Return a certificate, as PEM."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def described(**changes: Any) -> bytes:
    cluster = {
        "name": "reached",
        "arn": ARN,
        "status": "ACTIVE",
        "endpoint": "https://a.eks.amazonaws.com",
        "certificateAuthority": {"data": base64.b64encode(authority()).decode()},
    }
    return json.dumps({"cluster": {**cluster, **changes}}).encode()


async def refused(environment: dict[str, str], kind: type[ShipsealError], role: str = "") -> ShipsealError:
    with pytest.raises(kind) as caught:
        await access("reached", "us-west-1", role, environment=environment)
    told = caught.value.explain()
    assert SECRET not in told
    assert TOKEN not in told
    return caught.value


@pytest.mark.parametrize(
    ("key", "name", "region", "role"),
    [
        ("name", "", "us-west-1", ""),
        ("name", "../../clusters", "us-west-1", ""),
        ("name", "a\nb", "us-west-1", ""),
        ("name", "a" * 101, "us-west-1", ""),
        ("region", "a", "", ""),
        ("region", "a", "us-west-1.example.com/", ""),
        ("region", "a", "example.com#-1", ""),
        ("region", "a", "us-west-1@example.com", ""),
        ("region", "a", "US-WEST-1", ""),
        ("role", "a", "us-west-1", "deployer"),
        ("role", "a", "us-west-1", f"{ROLE}\n"),
        ("role", "a", "us-west-1", "arn:aws:iam::123456789012:user/me"),
    ],
)
async def test_what_is_no_name_of_aws_is_refused_before_anybody_is_asked(
    key: str, name: str, region: str, role: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^\[deploy\.eks\] {key} is not a ") as caught:
        await access(name, region, role, environment=LOGIN)
    assert f"[deploy.eks] {key}" in caught.value.remedy


def test_botocore_is_imported_only_when_eks_is_asked() -> None:
    code = "import shipseal.cluster.eks, sys; print('botocore' in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


async def test_a_token_is_made_anew_after_ten_minutes_and_when_the_clock_was_set_back() -> None:
    now, made = [1000.0], []

    async def make() -> str:
        made.append(now[0])
        return f"token {len(made)}"

    tokens = Tokens(make, lambda: now[0])
    found = []
    for moment in (1000.0, 1000.0 + RENEWED - 1, 1000.0 + RENEWED, 900.0):
        now[0] = moment
        found.append(await tokens())
    assert found == ["token 1", "token 1", "token 2", "token 3"]


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "sts.us-east-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
    ],
)
def test_the_token_asks_the_sts_of_its_region_whatever_address_the_environment_names(region: str, host: str) -> None:
    environment = {**LOGIN, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    assert host == urlsplit(_address(signed(Aws(region, environment), "reached"))).netloc


def test_the_token_has_the_parameters_of_the_one_that_aws_iam_authenticator_makes() -> None:
    ours, theirs = (parse_qs(urlsplit(url).query) for url in (_address(signed(Aws("us-west-1", LOGIN), "a")), THEIRS))
    assert theirs.keys() == ours.keys()
    for name in ("Action", "Version", "X-Amz-Algorithm", "X-Amz-SignedHeaders"):
        assert theirs[name] == ours[name]


def _address(token: str) -> str:
    text = token.removeprefix(PREFIX)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("ExpiredTokenException", "the AWS credentials have expired"),
        ("UnrecognizedClientException", "AWS does not know these credentials in us-west-1"),
        ("AccessDeniedException", "AWS does not allow eks:describe_cluster"),
        ("ResourceNotFoundException", "AWS finds no such cluster in us-west-1"),
        ("InvalidSignatureException", "AWS does not take the signature of these credentials"),
        ("SomethingNew", "AWS did not do eks:describe_cluster in us-west-1"),
    ],
)
async def test_each_refusal_of_aws_is_said_with_its_own_words_behind_it(error: str, expected: str) -> None:
    with answering(403, error, message("said \x1b[31mby AWS")) as environment:
        failure = await refused(environment, RemoteFailed)
    assert expected == failure.what
    assert failure.why == (f"eks:describe_cluster: {error}: said \x1b[31mby AWS",)
    assert "\x1b" not in failure.explain()
    assert failure.remedy


async def test_sts_that_refuses_a_role_is_said_in_the_same_way() -> None:
    with answering(403, "", xml("AccessDenied", "not authorized to perform: sts:AssumeRole")) as environment:
        failure = await refused(environment, RemoteFailed, ROLE)
    assert failure.what == "AWS does not allow sts:assume_role"


@pytest.mark.parametrize(("minutes", "expected"), [(-10, "ahead of"), (10, "behind")])
async def test_a_clock_that_is_wrong_is_named_as_the_cause(minutes: int, expected: str) -> None:
    date = datetime.now(UTC) + timedelta(minutes=minutes, seconds=0.5)
    said = message("Signature expired: 20260101T000000Z is now earlier than 20260101T000500Z")
    with answering(403, "InvalidSignatureException", said, date) as environment:
        failure = await refused(environment, RemoteFailed)
    assert re.fullmatch(rf"this machine's clock is (599|60\d) s {expected} AWS's", failure.what)


async def test_what_aws_repeats_of_a_request_is_shown_without_the_secrets_in_it() -> None:
    said = message(f"The Canonical String should have been 'x-amz-security-token:{TOKEN}' {SECRET} {'x' * 9000}")
    with answering(403, "InvalidSignatureException", said) as environment:
        failure = await refused(environment, RemoteFailed)
    assert "x-amz-security-token:…" in failure.why[0]
    assert len(failure.why[0]) == 300


async def test_a_web_identity_that_is_refused_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("the-web-identity")
    named = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_ROLE_ARN": ROLE}
    with answering(400, "", xml("InvalidIdentityToken", "cannot read the-web-identity")) as environment:
        failure = await refused({**named, "AWS_ENDPOINT_URL": environment["AWS_ENDPOINT_URL"]}, RemoteFailed)
    assert failure.what == "AWS does not take the web identity token"
    assert failure.why == ("sts:assume_role_with_web_identity: InvalidIdentityToken: cannot read …",)


async def test_a_cluster_is_reached_as_aws_describes_it() -> None:
    with answering(200, "", described()) as environment:
        reached = await access("reached", "us-west-1", "", environment=environment)
    assert replace(reached, token=None) == Access("https://a.eks.amazonaws.com", ARN, "default", authority().decode())


async def test_variables_of_this_process_that_are_not_handed_on_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_PROFILE": "nobody", "AWS_MAX_ATTEMPTS": "no number", "AWS_CA_BUNDLE": "/none"}.items():
        monkeypatch.setenv(name, value)
    with answering(200, "", described()) as environment:
        assert (await access("reached", "us-west-1", "", environment=environment)).context == ARN


@pytest.mark.parametrize(
    "body",
    [
        described(endpoint="http://a.eks.amazonaws.com"),
        described(endpoint="https://me@a.eks.amazonaws.com"),
        described(status="CREATING", endpoint=None),
        described(certificateAuthority={"data": "bm8gY2VydGlmaWNhdGU="}),
        described(arn="\x1b[31m"),
        described(certificateAuthority=None),
    ],
    ids=["http", "a login", "no endpoint", "no certificate", "no arn", "no authority"],
)
async def test_a_cluster_that_cannot_be_reached_safely_is_not_reached(body: bytes) -> None:
    with answering(200, "", body) as environment:
        failure = await refused(environment, RemoteFailed)
    assert failure.what == "AWS does not say how the cluster reached is reached"


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b"{}", b'{"cluster": []}', b'{"cluster": {"arn": 1}}'])
async def test_an_answer_of_another_shape_is_a_failure_of_the_remote(body: bytes) -> None:
    with answering(200, "", body) as environment:
        await refused(environment, RemoteFailed)


@pytest.mark.parametrize("url", ["http://sts.example.com", "ftp://example.com", "https://", "https://a b"])
async def test_an_address_that_is_not_private_is_asked_for_nothing(url: str) -> None:
    failure = await refused({**LOGIN, "AWS_ENDPOINT_URL_EKS": url}, ConfigError)
    assert failure.what == "AWS_ENDPOINT_URL_EKS is not an address that AWS may be asked at"


async def test_a_region_that_does_not_answer_and_that_nobody_knows_is_taken_for_misspelt() -> None:
    environment = {**LOGIN, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    with pytest.raises(RemoteFailed, match="AWS gave no answer in us-wets-1") as caught:
        await access("reached", "us-wets-1", "", environment=environment)
    assert "botocore knows no us-wets-1" in caught.value.remedy
    assert "HTTPS_PROXY" in (await refused(environment, RemoteFailed)).remedy


async def test_a_certificate_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    environment = {**LOGIN, "AWS_ENDPOINT_URL": "https://127.0.0.1:1", "AWS_CA_BUNDLE": str(tmp_path / "none.pem")}
    failure = await refused(environment, UsageError)
    assert failure.what == "AWS_CA_BUNDLE cannot be read"


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({}, "the environment names none"),
        ({"AWS_ACCESS_KEY_ID": "A"}, "of what names them there is only AWS_ACCESS_KEY_ID"),
        ({"AWS_ROLE_ARN": ROLE}, "of what names them there is only AWS_ROLE_ARN"),
    ],
)
async def test_without_credentials_it_is_said_how_to_give_them(environment: dict[str, str], why: str) -> None:
    failure = await refused(environment, UsageError)
    assert failure.what == "there are no AWS credentials"
    assert failure.why == (why,)
    assert "AWS_SECRET_ACCESS_KEY" in failure.remedy


async def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    named = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "none"), "AWS_ROLE_ARN": ROLE}
    failure = await refused(named, UsageError)
    assert failure.what == "AWS_WEB_IDENTITY_TOKEN_FILE cannot be read"
