"""A whole release of our own image over private ground, with one fault in the middle: it ends well or says why.

The image is for all of its platforms. The registry is a real one, behind a gate with a certificate of an authority of
the test's own and with tokens.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import Store
from tests.gate import Asked, Authority, Fault, Gate, basic, gate, once
from tests.release.projects import REPOSITORY, Project, import_database, make_own
from tests.release.registries import Login, Served, docker_registry, olareg

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Place:
    """Where releases go.

    Args:
        project: the project, released once: what is not bound to a registry is kept.
        at: the gate, which has the address that the project names.
        elsewhere: another server, that nobody should take a login to.
        login: who may ask the gate for tokens.
        first: the registry that has the first release.
    """

    project: Project
    at: Gate
    elsewhere: Gate
    login: Login
    first: Served

    @property
    def authorization(self) -> str:
        """The login as a client sends it."""
        return basic(self.login.user, self.login.password)


@dataclass(frozen=True)
class Ground:
    """One empty registry behind the gate, and a copy of the project."""

    place: Place
    project: Project
    registry: Served


@pytest.fixture(scope="module")
def place(
    authority: LocalSigstore, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Give this repository's own image as a project that names the gate, and has been released through it."""
    vouches, login = Authority.make(tmp_path_factory.mktemp("authority")), Login()
    with ExitStack() as stack:
        at, elsewhere = (stack.enter_context(gate(tls=vouches, name=name)) for name in ("127.0.0.1", "localhost"))
        first = stack.enter_context(olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("first")))
        project = make_own(tmp_path_factory.mktemp("own"), Served(at.host, first.log, login), authority, store.root)
        assert import_database(project).code == 0
        text = (project.root / "pipeline.toml").read_text()
        trusted = project.home / "ca.pem"
        shutil.copy(vouches.file, trusted)
        project.commit("pipeline.toml", text.replace("plain-http = true", f'ca-file = "{trusted}"'))
        found = Place(project, at, elsewhere, login, first)
        at.tokens, at.behind = (found.authorization, 1 << 30), (first.host, "")
        ended = project.release()
        assert ended.code == 0, ended.output
        assert len(first.tags(REPOSITORY)) > 1
        yield found


@pytest.fixture(params=["olareg", "docker-registry"])
def ground(
    request: pytest.FixtureRequest, place: Place, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> Iterator[Ground]:
    """Give each kind of registry."""
    (tmp_path / "registry").mkdir()
    with ExitStack() as stack:
        if request.param == "olareg":
            served = stack.enter_context(olareg(store.get(locked["olareg"]), tmp_path / "registry"))
        else:
            served = stack.enter_context(docker_registry(tmp_path / "registry"))
        place.at.behind = (served.host, f"Basic {served.login.auth}" if served.login else "")
        place.at.fault, place.at.changed = (lambda _: False), lambda *_: None
        place.at.seen.clear()
        place.elsewhere.seen.clear()
        place.elsewhere.behind = place.at.behind
        yield Ground(place, place.project.copy(tmp_path / "greetings"), served)


ONE = pytest.mark.parametrize("ground", ["olareg"], indirect=True)
OTHER = pytest.mark.parametrize("ground", ["docker-registry"], indirect=True)


def of(method: str, part: str = "") -> Callable[[Asked], bool]:
    """Return what matches a request with the login of a method, for a path with a part in it."""
    return lambda asked: asked.method == method and part in asked.path and asked.authorization.startswith("Bearer ")


def fails(ground: Ground, *words: str) -> str:
    """Release in spite of a fault: exit code 5 says why, nothing is tagged. Return all that was printed."""
    ended = ground.project.release()
    assert ended.code == 5, ended.output
    for each in words:
        assert each in ended.stderr, ended.stderr
    assert ground.registry.tags(REPOSITORY) == []
    assert ground.place.login.password not in ended.output
    ground.place.at.fault, ground.place.at.changed = (lambda _: False), lambda *_: None
    return ended.output


def ends_well(ground: Ground) -> str:
    """Release, to the end: tags, and each piece of evidence once. Return all that was printed."""
    ended = ground.project.release()
    assert ended.code == 0, ended.output
    assert ground.registry.tags(REPOSITORY) == ground.place.first.tags(REPOSITORY)
    for subject, pushed in ground.project.read("publish/receipt.json")["referrers"].items():
        there = ground.registry.referrers(REPOSITORY, subject)
        assert len(there) == len(set(there)) == len(pushed) + 1
    return ended.output


def lie(asked: Asked, headers: dict[str, str]) -> None:
    """Say another digest than that of what was pushed or is given."""
    if "/manifests/" in asked.path and "Docker-Content-Digest" in headers:
        headers["Docker-Content-Digest"] = f"sha256:{0:064x}"


def everything(*faults: Fault) -> Fault:
    """Return the faults as one: the first that a request is for befalls it."""
    return lambda asked: any(fault(asked) for fault in faults)


@ONE
def test_who_cannot_be_trusted_is_found_out_before_anything_is_signed(ground: Ground, tmp_path: Path) -> None:
    trusted = ground.project.home / "ca.pem"
    kept = trusted.read_bytes()
    shutil.copy(Authority.make(tmp_path).file, trusted)
    said = fails(ground, "has a certificate of an authority that nobody here knows", "ca-file")
    trusted.write_bytes(kept)
    realm = f'Bearer realm="https://{ground.place.elsewhere.host}/token",service="tests"'
    challenge = once(lambda _: True, lambda asked: asked.answer(401, WWW_Authenticate=realm), times=99)
    ground.place.at.fault = challenge
    said += fails(ground, "would have its login taken to another host", "realm of [registry]")
    assert "signing " not in said
    assert {each for _, _, each in ground.place.elsewhere.seen} <= {""}


def test_a_push_that_is_cut_off_and_a_digest_that_lies_tag_nothing_and_the_next_run_ends_it(ground: Ground) -> None:
    for part in ("/blobs/", "/manifests/"):
        ground.place.at.fault = once(of("PUT", part), Asked.cut, times=99)
        fails(ground, "did not do `oras ", "it goes on here")
    ground.place.at.changed = lie
    fails(ground, "sha256:0000000000")
    ends_well(ground)


@OTHER
def test_a_limit_for_an_hour_ends_it_and_what_passes_is_waited_for(ground: Ground) -> None:
    """What passes: a limit for a second, a token that ends between two requests, blobs that are at another host."""
    at, elsewhere = ground.place.at, ground.place.elsewhere
    at.fault = once(of("PUT", "/manifests/"), lambda asked: asked.answer(429, Retry_After="3600"), times=99)
    fails(ground, f"{at.host} has had too many requests, until 20", "it goes on here")
    at.seen.clear()
    at.fault = everything(
        once(of("PUT", "/manifests/"), lambda asked: asked.answer(429, Retry_After="1"), times=12),
        once(of("PUT", "/manifests/"), lambda _: at.left.clear(), passing=True),
        once(
            of("GET", "/blobs/"),
            lambda asked: asked.answer(307, Location=f"https://{elsewhere.host}{asked.path}"),
            times=99,
        ),
    )
    said = ends_well(ground)
    assert f"{at.host} has had too many requests; waiting until 20" in said
    assert sum(path.startswith("/token") for _, path, _ in at.seen) > 0
    assert elsewhere.seen
    assert {each for _, _, each in elsewhere.seen} == {""}


def test_a_mirror_is_read_in_the_place_of_the_registry_and_every_byte_of_it_is_checked(place: Place) -> None:
    at, mirror, project = place.at, place.elsewhere, place.project
    at.seen.clear()
    mirror.behind, mirror.fault = (place.first.host, ""), lambda _: False
    reference = project.read("publish/receipt.json")["reference"]
    words = ("--policy", project.policy, "--ca-file", project.home / "ca.pem", "--mirror", mirror.host)
    ended = project.run("verify", reference, *words, "--json")
    assert ended.code == 0, ended.output
    found = json.loads(ended.stdout)
    assert [found["reference"], found["mirror"]] == [reference, mirror.host]
    assert f"that {mirror.host}, which was asked, lists all that the registry itself does" in found["not_proved"]
    assert at.seen == []
    assert project.run("verify", reference.partition("@")[0] + ":1", *words).code == 2, "a mirror's tags may be old"
    mirror.fault = once(of_anybody("/blobs/"), lambda asked: asked.answer(200, b"other bytes"), times=99)
    ended = project.run("verify", reference, *words)
    assert ended.code == 6, ended.output


def of_anybody(part: str) -> Callable[[Asked], bool]:
    """Return what matches a request to read something, by a part of its path."""
    return lambda asked: asked.method == "GET" and part in asked.path
