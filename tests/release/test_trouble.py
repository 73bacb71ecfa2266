"""One release that goes wrong four times before it goes right: a wrong password, and kills as it publishes and tags."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import Ended, arguments
from tests.release.conftest import MakeProject
from tests.release.projects import REPOSITORY, Project
from tests.release.registries import Login, docker_registry
from tests.release.watching import files_with

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Story:
    """What came of each attempt, in order.

    Args:
        project: the project, whose run directory went through all of them.
        wrong: the login that was not the registry's.
        refused: how the attempt with that login ended.
        signed: what it had signed.
        tags: the tags of the registry after each attempt.
        finished: what the last attempt printed.
        left: files with a secret in them after each attempt.
    """

    project: Project
    wrong: Login
    refused: Ended
    signed: list[Path]
    tags: list[list[str]]
    finished: Ended
    left: list[list[Path]]


@pytest.fixture(scope="module")
def story(make_project: MakeProject, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Give the whole story."""
    with docker_registry(tmp_path_factory.mktemp("docker-registry")) as registry:
        project = make_project(registry)
        wrong, tags, left = Login(), [], []

        def note() -> None:
            tags.append(registry.tags(REPOSITORY))
            assert registry.login is not None
            known = [each for login in (wrong, registry.login) for each in (login.password, login.auth)]
            known += [token.rpartition(".")[2] for token in project.tokens]
            left.append([path for each in known for path in files_with(each, project.root, project.home)])

        refused = project.release(DOCKER_AUTH_CONFIG=wrong.configuration(registry.host))
        signed = list(project.run_dir.rglob("*.sigstore.json"))
        note()
        kill_in(project, "publish", "pushing")
        note()
        kill_in(project, "publish", "reading everything back")
        note()
        kill_in(project, "promote", "attaching the verification summary", times=2)
        note()
        finished = project.release("--json")
        note()
        yield Story(project, wrong, refused, signed, tags, finished, left)


def kill_in(project: Project, stage: str, words: str, times: int = 1) -> None:
    """Start a release, and kill it as soon as a stage says something, or says it again."""
    process = subprocess.Popen(
        arguments("release", "--yes", "--json", "--store", project.store),
        cwd=project.root,
        env={**os.environ, **project.variables()},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event.get("stage") == stage and event["event"] == "progress" and event["text"].startswith(words):
            times -= 1
            if not times:
                process.kill()
                break
    process.stdout.close()
    assert process.wait(timeout=30) == -signal.SIGKILL


def test_a_wrong_password_is_said_so(story: Story) -> None:
    assert story.refused.code == 5, story.refused.output
    host = story.project.registry.host
    assert f"{host} does not allow this login `oras repo` in {REPOSITORY}" in story.refused.stderr
    assert "unauthorized: authentication required" in story.refused.stderr
    assert f"docker login {host}" in story.refused.stderr


def test_nothing_is_signed_for_a_registry_that_lets_nobody_in(story: Story) -> None:
    """The signer's identity would be in a public log for good, for an image that nobody can have."""
    assert story.signed == []
    assert "asking the registry" in story.refused.stderr
    assert "signing " not in story.refused.stderr


def test_no_tag_is_there_before_the_attempt_that_goes_right(story: Story) -> None:
    assert story.tags == [[], [], [], [], ["1", "1.0", "1.0.0"]]


def test_what_was_killed_goes_on_where_it_was(story: Story) -> None:
    assert story.finished.code == 0, story.finished.output
    events = [json.loads(line) for line in story.finished.stdout.splitlines()]
    kept = {event["stage"] for event in events if event["event"] == "kept"}
    assert {"build", "test", "image", "smoke", "sbom", "scan", "vex", "assess", "admit", "attest", "publish"} <= kept


def test_each_piece_of_evidence_is_there_once_after_every_kill(story: Story) -> None:
    receipt = story.project.read("publish/receipt.json")["referrers"]
    for subject, pushed in receipt.items():
        there = story.project.registry.referrers(REPOSITORY, subject)
        assert len(there) == len(set(there)) == len(pushed) + 1
        assert set(pushed) < set(there)


def test_nothing_that_went_wrong_left_a_secret_in_a_file_or_in_what_was_printed(story: Story) -> None:
    assert story.left == [[], [], [], [], []]
    for ended in (story.refused, story.finished):
        for login in (story.wrong, story.project.registry.login):
            assert login is not None
            assert login.password not in ended.output
            assert login.auth not in ended.output
