"""A job of GitHub takes a role of AWS by the identity token that GitHub gives it: no key is kept anywhere."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from shipseal.cluster.aws import Aws, Keys
from shipseal.errors import RemoteFailed, UsageError

ROLE, PASSWORD = "arn:aws:iam::123456789012:role/deployer", "the-password"
KEYS = "<AccessKeyId>AKIATAKEN</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
TAKEN = (
    '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    f"<AssumeRoleWithWebIdentityResult><Credentials>{KEYS}</Credentials></AssumeRoleWithWebIdentityResult>"
    "</AssumeRoleWithWebIdentityResponse>"
)


@dataclass
class Played:
    """GitHub and AWS's STS, played by one server: what GitHub answers, and what each was asked."""

    given: bytes = json.dumps({"value": "the-identity-of-the-job"}).encode()
    url: str = ""
    audiences: list[str] = field(default_factory=list)
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        github = {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/token?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": PASSWORD}
        return {**github, "AWS_ROLE_ARN": ROLE, "AWS_ENDPOINT_URL": self.url}


@pytest.fixture
def played() -> Iterator[Played]:
    """Give both, on loopback."""
    with playing(Played()) as there:
        yield there


@contextmanager
def playing(there: Played) -> Iterator[Played]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            allowed = self.headers["Authorization"] == f"bearer {PASSWORD}"
            there.audiences += parse_qs(urlsplit(self.path).query)["audience"]
            self._answer(200 if allowed else 401, there.given if allowed else b"{}")

        def do_POST(self) -> None:
            there.asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self._answer(200, TAKEN.encode())

        def _answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        there.url = f"http://127.0.0.1:{server.server_port}"
        yield there
        server.shutdown()


def test_the_role_is_taken_by_what_github_says_of_the_job(played: Played) -> None:
    keys = Aws("eu-west-1", played.environment()).keys()
    assert keys == Keys("AKIATAKEN", "s", "t")
    assert played.audiences == ["sts.amazonaws.com"]
    [asked] = played.asked
    assert asked["WebIdentityToken"] == ["the-identity-of-the-job"]
    assert asked["RoleArn"] == [ROLE]


def test_keys_that_are_named_come_before_it(played: Played) -> None:
    named = {"AWS_ACCESS_KEY_ID": "AKIANAMED", "AWS_SECRET_ACCESS_KEY": "s"}
    assert Aws("eu-west-1", {**played.environment(), **named}).keys().identifier == "AKIANAMED"
    assert played.audiences == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"{}", "KeyError"),
        (b"[]", "TypeError"),
        (b"<html>", "JSONDecodeError"),
        (b'{"value": 7}', "what it gave is none"),
        (b'{"value": "a\\nb"}', "what it gave is none"),
        (b" " * (1 << 20), "its answer is too large"),
    ],
)
def test_what_is_no_token_goes_to_nobody(played: Played, given: bytes, why: str) -> None:
    played.given = given
    with pytest.raises(RemoteFailed) as caught:
        Aws("eu-west-1", played.environment()).keys()
    assert ((why,), "allow the job `id-token: write`") == (caught.value.why, caught.value.remedy)
    assert played.asked == []


def test_a_password_that_github_does_not_know_is_not_repeated(played: Played) -> None:
    environment = played.environment() | {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "another-password"}
    with pytest.raises(RemoteFailed) as caught:
        Aws("eu-west-1", environment).keys()
    assert caught.value.why == ("it answered 401",)
    assert "another-password" not in caught.value.explain()


def test_the_password_goes_to_no_host_without_tls(played: Played) -> None:
    environment = played.environment() | {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://198.51.100.1/token"}
    with pytest.raises(RemoteFailed):
        Aws("eu-west-1", environment).keys()
    assert played.audiences == []


def test_a_job_that_may_have_no_token_is_told_what_names_credentials() -> None:
    with pytest.raises(UsageError) as caught:
        Aws("eu-west-1", {"AWS_ROLE_ARN": ROLE}).keys()
    assert caught.value.what == "there are no AWS credentials"
