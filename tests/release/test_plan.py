"""`plan` says what a release would write, before it does and after, and writes nothing itself."""

import json
from typing import Any

import pytest

from tests.commands import Ended
from tests.release.conftest import MakeProject
from tests.release.projects import IDENTITY, REPOSITORY, Project
from tests.release.registries import Login, Served, docker_registry

pytestmark = pytest.mark.timeout(600)

TAGS = ("1.0.0", "1.0", "1")


def plan(project: Project, **more: str) -> dict[str, Any]:
    """Return the plan as machines read it."""
    ended = project.run("plan", "--json", **more)
    assert ended.code == 0, ended.output
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


def files(project: Project) -> set[str]:
    """Return every file of the registry, of the project and of the home directory."""
    places = (project.registry.log.parent / "files", project.root, project.home)
    return {str(path) for place in places for path in place.rglob("*")}


def test_after_a_release_every_tag_is_there_already(copy: Project) -> None:
    before = files(copy)
    planned = plan(copy)
    digest = copy.read("image/image.json")["digest"]
    assert planned["digest"] == digest
    assert planned["tags"] == dict.fromkeys(TAGS, digest)
    assert planned["repository"] == f"{copy.registry.host}/{REPOSITORY}"
    assert planned["signer"] == f"{IDENTITY}, certified by the configured signing authority"
    assert planned["logs"] == [copy.authority.url]
    assert files(copy) == before


@pytest.fixture(scope="module")
def just_released(make_project: MakeProject, own_registry: Served) -> Project:
    """Give a project of a registry of its own, released: elsewhere others say more of the same image."""
    project = make_project(own_registry)
    ended = project.release()
    assert ended.code == 0, ended.output
    return project


def test_after_a_release_every_effect_is_there_already_by_its_digest(just_released: Project) -> None:
    planned = plan(just_released)
    assert planned["missing"] == ""
    assert {True} == {each["there"] for each in planned["effects"]}
    attached = {each["digest"] for each in planned["effects"] if each["kind"] == "referrer"}
    subjects = just_released.read("publish/receipt.json")["subjects"]
    assert attached == {each for subject in subjects for each in just_released.registry.referrers(REPOSITORY, subject)}


def test_people_read_it_and_that_nothing_was_written(just_released: Project) -> None:
    said = just_released.run("plan").stdout
    assert "tag       1.0 (there already)" in said
    assert f"log       {just_released.authority.url}, where the signer's identity stays for good" in said
    assert f"blob        layer for linux/amd64: sha256:{layer(just_released)} (there already)" in said
    assert said.endswith("effects   none: all of it is there already\nnothing was written\n")


def layer(project: Project) -> str:
    """Return the digest of the first layer of the first platform, without its algorithm."""
    blobs = project.run_dir / "image" / "layout" / "blobs" / "sha256"
    platform = project.read("image/image.json")["platforms"]["linux/amd64"]["digest"].removeprefix("sha256:")
    manifest = json.loads((blobs / platform).read_bytes())
    return str(manifest["layers"][0]["digest"]).removeprefix("sha256:")


def test_nobody_who_signs_is_said_so_and_the_image_is_listed_all_the_same(copy: Project) -> None:
    planned = plan(copy, SIGSTORE_ID_TOKEN="")
    assert planned["signer"] == "nobody yet: there is no identity to sign with"
    assert planned["missing"] == "signer"
    assert {"blob", "manifest", "tag"} == {each["kind"] for each in planned["effects"]}


def test_before_anything_is_built_no_digest_and_no_tag_is_claimed(
    make_project: MakeProject, open_registry: Served
) -> None:
    planned = plan(make_project(open_registry))
    assert (planned["digest"], planned["tags"]) == (None, {})


def test_another_source_has_no_digest_until_it_is_built(copy: Project) -> None:
    copy.commit("app/greetings/web.py", (copy.root / "app" / "greetings" / "web.py").read_text() + "\n# more\n")
    assert plan(copy)["digest"] is None


def test_a_wrong_password_is_found_before_anything_is_signed_and_a_release_does_what_was_planned(
    make_project: MakeProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with docker_registry(tmp_path_factory.mktemp("docker-registry")) as registry:
        project = make_project(registry)
        early = project.run("plan", DOCKER_AUTH_CONFIG=Login().configuration(registry.host))
        assert early.code == 5, early.output
        assert project.run("release", "--to", "image").code == 0, "nobody is asked: nothing is written outside"
        built = plan(project)
        assert built["tags"] == dict.fromkeys(TAGS)
        assert built["missing"] == "admit"
        ended: Ended = project.run("plan", DOCKER_AUTH_CONFIG=Login().configuration(registry.host))
        assert (ended.code, registry.tags(REPOSITORY)) == (5, []), ended.output
        assert "does not allow this login" in ended.stderr
        assert project.run("release", "--to", "test,smoke,admit").code == 0
        judged = plan(project)
        assert registry.tags(REPOSITORY) == []
        released = project.release("--json")
        assert released.code == 0, released.output
        assert judged["effects"] == project.read("attest/effects.json")["effects"]
        assert {False} == {each["there"] for each in judged["effects"]}
        assert {each["at"] for each in judged["effects"] if each["kind"] == "log entry"} == {project.authority.url}
        events = [json.loads(line) for line in released.stdout.splitlines()]
        (*_, last) = (each for each in events if each["event"] == "progress" and "total" in each)
        receipt = project.read("publish/receipt.json")
        assert (receipt["bytes"], receipt["bytes"]) == (last["done"], last["total"])
        assert f"{last['total']} of {last['total']} bytes are there, {receipt['sent']} of them sent now" == last["text"]
