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


def test_people_read_it_and_that_nothing_was_written(copy: Project) -> None:
    said = copy.run("plan").stdout
    assert "tag       1.0 (there already)" in said
    assert f"log       {copy.authority.url}, where the signer's identity stays for good" in said
    assert said.endswith("nothing was written\n")


def test_nobody_who_signs_is_said_so(copy: Project) -> None:
    assert plan(copy, SIGSTORE_ID_TOKEN="")["signer"] == "nobody yet: there is no identity to sign with"


def test_before_anything_is_built_no_digest_and_no_tag_is_claimed(
    make_project: MakeProject, open_registry: Served
) -> None:
    planned = plan(make_project(open_registry))
    assert (planned["digest"], planned["tags"]) == (None, {})


def test_another_source_has_no_digest_until_it_is_built(copy: Project) -> None:
    copy.commit("app/greetings/web.py", (copy.root / "app" / "greetings" / "web.py").read_text() + "\n# more\n")
    assert plan(copy)["digest"] is None


def test_a_wrong_password_is_found_before_anything_is_signed(
    make_project: MakeProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with docker_registry(tmp_path_factory.mktemp("docker-registry")) as registry:
        project = make_project(registry)
        early = project.run("plan", DOCKER_AUTH_CONFIG=Login().configuration(registry.host))
        assert early.code == 5, early.output
        assert project.run("release", "--to", "image").code == 0, "nobody is asked: nothing is written outside"
        assert plan(project)["tags"] == dict.fromkeys(TAGS)
        ended: Ended = project.run("plan", DOCKER_AUTH_CONFIG=Login().configuration(registry.host))
        assert (ended.code, registry.tags(REPOSITORY)) == (5, []), ended.output
        assert "does not allow this login" in ended.stderr
