"""A registry behind an authority, a mirror, a limit or a lie: the real ORAS, a real olareg, and a gate between them."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.distribution.credentials import login
from shipseal.distribution.oras import Oras
from shipseal.distribution.rate_limit import is_throttled, until
from shipseal.distribution.reaching import Reach, authorities
from shipseal.distribution.realm import realms, require_own_realm
from shipseal.distribution.registry import Registry
from shipseal.engine.run import Run
from shipseal.engine.world import choose
from shipseal.errors import ConfigError, RemoteFailed, UsageError
from shipseal.project.config import Config
from shipseal.tools.toolbox import Toolbox
from tests.conftest import NOW, PIPELINE_TOML, MakeRun
from tests.gate import Asked, Authority, Fault, Gate, basic, gate, once
from tests.layouts import write_layout

LOGIN = basic("publisher", "pw-of-a-test")


def environment(host: str) -> dict[str, str]:
    """Return the login for a registry as a CI system keeps it."""
    return {"DOCKER_AUTH_CONFIG": json.dumps({"auths": {host: {"auth": LOGIN.removeprefix("Basic ")}}})}


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    return make_run()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def tools(run: Run, tmp_path: Path, said: list[str]) -> Toolbox:
    return Toolbox(
        run.store, run.locked, frozenset({"oras", "olareg", "cosign"}), tmp_path / "log.txt", say=said.append
    )


@pytest.fixture
async def behind(run: Run, tools: Toolbox, tmp_path: Path) -> AsyncIterator[Registry]:
    """Give olareg with an image in it, the one of `layout`."""
    (tmp_path / "registry").mkdir()
    index, _ = write_layout(tmp_path / "layout")
    async with run.world.registry(tools, tmp_path / "registry", writable=True) as registry:
        await registry.push(tmp_path / "layout", index)
        await registry.tag(index, "1.0.0")
        yield registry


def image(place: Path) -> Digest:
    """Return the digest of the image that is there."""
    return Digest.parse(json.loads((place / "layout" / "index.json").read_bytes())["manifests"][0]["digest"])


def before(registry: Registry, at: Gate, **changes: Any) -> Registry:
    """Return a registry as it is reached through a gate."""
    at.behind = (registry.host, "")
    return replace(registry, host=at.host, **changes)


async def test_a_registry_is_trusted_by_the_authority_that_is_named_for_it_and_not_without(
    behind: Registry, tmp_path: Path
) -> None:
    authority = Authority.make(tmp_path)
    with gate(tls=authority) as at:
        private = before(behind, at, plain_http=False)
        with pytest.raises(RemoteFailed, match="has a certificate of an authority that nobody here knows") as caught:
            await private.resolve("1.0.0")
        assert "ca-file of [registry]" in caught.value.remedy
        private = replace(private, ca_file=authorities(authority.file))
        assert await private.resolve("1.0.0") == image(tmp_path)
        await private.pull(image(tmp_path), tmp_path / "back")
        write_layout(tmp_path / "other", evidence=3)
        await private.push(tmp_path / "other", image(tmp_path))
        assert len(await private.referrers(image(tmp_path))) == 3


async def test_the_machines_own_setting_for_authorities_is_honoured(behind: Registry, tmp_path: Path) -> None:
    authority = Authority.make(tmp_path)
    with gate(tls=authority) as at:
        private = before(behind, at, plain_http=False, environment={"SSL_CERT_FILE": str(authority.file)})
        assert await private.resolve("1.0.0") == image(tmp_path)


async def test_another_authority_is_not_enough(behind: Registry, tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one, other = Authority.make(tmp_path / "one"), Authority.make(tmp_path / "other")
    with gate(tls=one) as at, pytest.raises(RemoteFailed, match="an authority that nobody here knows"):
        await before(behind, at, plain_http=False, ca_file=other.file).resolve("1.0.0")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_without_an_authority_is_refused_before_anything_is_asked(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "authority.pem").write_text(content)
    with pytest.raises(ConfigError, match="does not say which authorities vouch for the registry"):
        authorities(tmp_path / "authority.pem")


async def test_a_login_does_not_follow_a_redirect_to_another_host_or_port(behind: Registry, tmp_path: Path) -> None:
    with gate(name="localhost") as elsewhere, gate() as at, login(environment(at.host)) as found:
        elsewhere.behind = (behind.host, "")
        registry = before(behind, at, environment=found.environment)
        at.tokens = (LOGIN, 99)
        for host in (elsewhere.host, elsewhere.host.replace("localhost", "127.0.0.1")):
            at.fault = redirect(host)
            await registry.pull(image(tmp_path), tmp_path / host)
        assert LOGIN in {each for _, _, each in at.seen}, "the login was used"
        assert len(elsewhere.seen) > 1
        assert {each for _, _, each in elsewhere.seen} == {""}


async def test_no_login_follows_a_redirect_by_cosign(behind: Registry, tmp_path: Path) -> None:
    with gate(name="localhost") as elsewhere, gate() as at, login(environment(at.host)) as found:
        elsewhere.behind = (behind.host, "")
        registry = before(behind, at, environment=found.environment)
        at.tokens = (LOGIN, 99)
        for host in (elsewhere.host, elsewhere.host.replace("localhost", "127.0.0.1")):
            at.fault = redirect(host, "/manifests/")
            name = f"{at.host}/{registry.repository}@{image(tmp_path)}"
            done = await registry.tools.run("cosign", "tree", name, env=registry.environment)
            assert b"via OCI referrer" in done.stdout
        assert LOGIN in {each for _, _, each in at.seen}, "the login was used"
        assert len(elsewhere.seen) > 1
        assert {each for _, _, each in elsewhere.seen} == {""}


def redirect(host: str, part: str = "/blobs/") -> Fault:
    """Send whoever is let in to another place for each blob, as registries do that keep them in a cloud's store."""

    def fault(asked: Asked) -> bool:
        if part not in asked.path or not asked.authorization:
            return False
        asked.answer(307, Location=f"http://{host}{asked.path}")
        return True

    return fault


async def test_a_login_is_not_taken_to_a_realm_that_nobody_has_named(behind: Registry) -> None:
    """ORAS takes it wherever a registry says, but for addresses inside: that is how Docker's tokens work."""
    with gate() as elsewhere, gate() as at, login(environment(at.host)) as found:
        elsewhere.fault = once(lambda _: True, lambda asked: asked.answer(401), times=99)
        realm = f'Bearer realm="http://{elsewhere.host}/token",service="tests"'
        at.fault = once(lambda _: True, lambda asked: asked.answer(401, WWW_Authenticate=realm), times=99)
        registry = before(behind, at, environment=found.environment)
        with pytest.raises(RemoteFailed, match="would have its login taken to another host") as caught:
            await require_own_realm(registry, found)
        assert f"http://{elsewhere.host}/token" in caught.value.why[0]
        assert {each for _, _, each in elsewhere.seen} <= {""}
        await require_own_realm(registry, found, elsewhere.host)
        with pytest.raises(RemoteFailed, match="does not allow this login"):
            await registry.resolve("1.0.0")
        assert elsewhere.seen[-1][2] == LOGIN, "which is why it is looked at before"


async def test_the_registry_of_a_release_is_reached_as_is_configured_and_no_login_goes_elsewhere(
    behind: Registry, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vouches = Authority.make(tmp_path)
    with gate(tls=vouches, name="localhost") as elsewhere, gate(tls=vouches) as at:
        at.behind, at.tokens = (behind.host, ""), (LOGIN, 99)
        text = PIPELINE_TOML.replace("registry.example/acme", f"{at.host}/acme")
        monkeypatch.setenv("DOCKER_AUTH_CONFIG", environment(at.host)["DOCKER_AUTH_CONFIG"])

        async def resolved(more: str) -> Digest | None:
            (project / "pipeline.toml").write_text(f'{text}\n[registry]\nca-file = "{vouches.file}"\n{more}')
            async with choose("release", Config.load(project / "pipeline.toml")).registry(behind.tools, None) as found:
                return await found.resolve("1.0.0")

        assert await resolved("") == image(tmp_path)
        realm = f'Bearer realm="https://{elsewhere.host}/token",service="tests"'
        at.fault = once(
            lambda asked: not asked.authorization, lambda asked: asked.answer(401, WWW_Authenticate=realm), 99
        )
        with pytest.raises(RemoteFailed, match="would have its login taken to another host"):
            await resolved("")
        with pytest.raises(RemoteFailed, match="oras resolve"):
            await resolved(f'realm = "{elsewhere.host}"')
        assert {each for _, _, each in elsewhere.seen} <= {""}


async def test_a_registry_that_gives_its_tokens_itself_is_asked_and_used(behind: Registry, tmp_path: Path) -> None:
    with gate() as at, login(environment(at.host)) as found:
        at.tokens = (LOGIN, 99)
        registry = before(behind, at, environment=found.environment)
        await require_own_realm(registry, found)
        assert LOGIN not in {each for _, _, each in at.seen}, "that was asked as nobody"
        assert await registry.resolve("1.0.0") == image(tmp_path)


async def test_a_registry_without_a_login_for_it_is_not_asked_where_logins_go(behind: Registry) -> None:
    with gate() as at, login(environment("registry.example")) as found:
        await require_own_realm(before(behind, at), found)
        assert at.seen == []


def test_only_the_place_for_tokens_is_read_from_a_challenge() -> None:
    trace = (
        r'   "Www-Authenticate": "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\""',
        r'   "Www-Authenticate": "Basic realm=\"https://evil.example\""',
        r'   "Server": "Bearer realm=\"https://other.example\""',
    )
    assert list(realms(trace)) == ["https://auth.docker.io/token"]


@pytest.mark.parametrize(("method", "expected"), [("POST", 0), ("PUT", 1)])
async def test_a_token_that_ends_in_the_middle_of_a_push_is_asked_for_again(
    behind: Registry, tmp_path: Path, said: list[str], method: str, expected: int
) -> None:
    """ORAS asks for another one itself, but not between the two requests for a blob: then it is run once more."""
    write_layout(tmp_path / "more", evidence=4)
    with gate() as at, login(environment(at.host)) as found:
        at.tokens = (LOGIN, 99)
        at.fault = once(lambda asked: asked.method == method, lambda _: at.left.clear(), passing=True)
        await before(behind, at, environment=found.environment).push(tmp_path / "more", image(tmp_path))
    assert sum(path.startswith("/token") for _, path, _ in at.seen) >= 2
    assert len(said) == expected
    assert len(await behind.referrers(image(tmp_path))) == 4


async def test_a_limit_that_ends_is_waited_for_and_said(behind: Registry, tmp_path: Path, said: list[str]) -> None:
    """ORAS gives up after its sixth request; six more tell us how long."""
    with gate() as at:
        at.fault = once(lambda _: True, lambda asked: asked.answer(429, Retry_After="1"), times=12)
        assert await before(behind, at).resolve("1.0.0") == image(tmp_path)
    (words,) = said
    assert f"{at.host} has had too many requests; waiting until " in words


async def test_a_limit_that_lasts_too_long_is_a_failure_that_says_until_when(behind: Registry, tools: Toolbox) -> None:
    with gate() as at:
        at.behind = (behind.host, "")
        at.fault = once(lambda _: True, lambda asked: asked.answer(429, RateLimit_Reset="3000"), times=99)
        with pytest.raises(RemoteFailed, match=r"has had too many requests, until \d{4}-\d\d-\d\d .* UTC") as caught:
            await Oras(tools, at.host, "image").run("resolve", "--plain-http", f"{at.host}/image:1.0.0")
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "90"}, NOW + timedelta(seconds=90)),
        ({"Retry-After": (NOW + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")}, NOW + timedelta(hours=1)),
        ({"Ratelimit-Reset": "120"}, NOW + timedelta(seconds=120)),
        ({"X-Ratelimit-Reset": str(int(NOW.timestamp()) + 60)}, NOW + timedelta(seconds=60)),
        ({"X-Ratelimit-Reset": str(int(NOW.timestamp()) - 60)}, NOW),
        ({"Ratelimit-Reset": "120", "Retry-After": "5"}, NOW + timedelta(seconds=5)),
        ({"Retry-After": "9" * 15}, NOW + timedelta(days=365)),
        ({"Retry-After": "9" * 40}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Mon, 99 Foo 20261 00:00:00"}, None),
        ({}, None),
    ],
)
def test_until_when_is_read_from_what_registries_say(headers: dict[str, str], expected: datetime | None) -> None:
    lines = [
        '< Response Status: "429 Too Many Requests"',
        *(f'   "{name}": "{each}"' for name, each in headers.items()),
    ]
    assert expected == until(lines, NOW)


def test_a_header_of_an_answer_that_was_none_of_too_many_requests_does_not_count() -> None:
    assert until(['< Response Status: "401 Unauthorized"', '   "Retry-After": "90"'], NOW) is None


def test_the_words_of_a_limit_are_known() -> None:
    assert is_throttled(["Error response from registry: toomanyrequests: You have reached your pull rate limit."])
    assert is_throttled(["response status code 429: Too Many Requests"])
    assert not is_throttled(["response status code 500: Internal Server Error"])


async def test_a_digest_header_that_lies_is_found_out_where_a_tag_is_read_back(
    behind: Registry, tmp_path: Path
) -> None:
    def lie(asked: Asked, headers: dict[str, str]) -> None:
        if "Docker-Content-Digest" in headers and asked.path.endswith("/1.0.0"):
            headers["Docker-Content-Digest"] = f"sha256:{0:064x}"

    with gate() as at:
        registry = before(behind, at)
        assert Digest.of(await registry.tagged("1.0.0") or b"") == image(tmp_path)
        at.changed = lie
        with pytest.raises(RemoteFailed) as caught:
            await registry.tagged("1.0.0")
    assert "mismatched digest" in caught.value.why[0]


def test_a_mirror_is_a_host_with_or_without_a_prefix() -> None:
    assert Reach(mirror="mirror.example").place("docker.io", "acme/app") == ("mirror.example", "acme/app")
    assert Reach(mirror="mirror.example/hub/").place("docker.io", "acme/app") == ("mirror.example", "hub/acme/app")
    assert Reach().place("docker.io", "acme/app") == ("docker.io", "acme/app")
    with pytest.raises(UsageError, match="is not a valid mirror"):
        Reach(mirror="https://mirror.example").place("docker.io", "acme/app")
