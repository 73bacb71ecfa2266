"""A release refuses what could never be verified, before anything of it is made."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.distribution.registry import Registry
from shipseal.engine.table import TABLE
from shipseal.engine.world import choose
from shipseal.errors import UsageError
from shipseal.project.config import HOME, Config
from tests.commands import clone, pipeline
from tests.test_toolbox import toolbox


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project that has no policy of its own, and so the one that comes with the pipeline."""
    root = clone("greetings", tmp_path / "greetings")
    configuration = root / "pipeline.toml"
    configuration.write_text(configuration.read_text().replace('[policy]\ndirectory = "rules"\n', ""))
    return root


def test_a_policy_that_still_names_the_place_holder_is_refused_before_anything_is_made(project: Path) -> None:
    ended = pipeline("release", "--yes", cwd=project)
    assert ended.code == 2, ended.output
    assert "the policy production names a place holder, and nobody who could sign" in ended.stderr
    assert "https://github.example/example/simpletimeservice" in ended.stderr
    assert not (project / ".run").exists()


def test_a_release_is_judged_as_of_now_whoever_asks_for_another_day(project: Path) -> None:
    ended = pipeline("stage", "assess", "--world", "release", "--as-of", "2030-01-01T00:00:00Z", cwd=project)
    assert ended.code == 2, ended.output
    assert "a release is judged as of now" in ended.stderr


def own_names(project: Path) -> None:
    """Give a project a policy that names somebody."""
    text = (HOME / "policy" / "verification.toml").read_text()
    (project / "policy").mkdir()
    (project / "policy" / "verification.toml").write_text(text.replace("github.example", "code.invalid"))


@pytest.mark.parametrize("words", [("release", "--yes", "--to", "deploy"), ("release", "--yes", "--to", "report")])
def test_a_release_that_could_not_end_is_refused_before_it_begins(project: Path, words: tuple[str, ...]) -> None:
    """What would be signed before it is found that there is no cluster stays in a public log."""
    nobody = {"KUBECONFIG": str(project / "nothing-here")}
    own_names(project)
    ended = pipeline(*words, cwd=project, env=nobody)
    assert ended.code == 2, ended.output
    assert "there is no kubeconfig, and so no cluster to deploy to" in ended.stderr
    assert not (project / ".run").exists()


@pytest.mark.parametrize("stage", [row.name for row in TABLE if row.writes])
def test_a_stage_that_writes_outside_asks_as_a_release_does(project: Path, stage: str) -> None:
    ended = pipeline("stage", stage, "--world", "release", cwd=project)
    assert ended.code == 2, ended.output
    assert "This pushes to docker.io/example/greetings, and signs" in ended.stderr
    assert "error: nothing was written outside" in ended.stderr
    assert not (project / ".run").exists()


def test_what_nobody_agreed_to_is_refused_by_the_world_itself(project: Path) -> None:
    """Whatever a stage is asked by, its registry and its signer come from here."""
    world = choose("release", Config.load(project / "pipeline.toml"))
    with pytest.raises(UsageError, match="nobody agreed to signing"):
        world.signer(toolbox(project), project)

    async def write() -> None:
        async with world.registry(toolbox(project), None, writable=True):
            raise AssertionError

    with pytest.raises(UsageError, match=r"nobody agreed to pushing to docker\.io/example/greetings"):
        anyio.run(write)


def test_a_registry_that_was_opened_to_be_read_is_not_written_to(project: Path) -> None:
    world = choose("release", Config.load(project / "pipeline.toml"), agreed=True)

    async def write(call: Callable[[Registry], Awaitable[None]]) -> None:
        async with world.registry(toolbox(project), None) as registry:
            await call(registry)

    calls: list[Callable[[Registry], Awaitable[None]]] = [
        lambda registry: registry.push(project, Digest.of(b"")),
        lambda registry: registry.push_blob(project / "pipeline.toml", Digest.of(b"")),
        lambda registry: registry.tag(Digest.of(b""), "1.0"),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="was opened to be read"):
            anyio.run(write, call)


def test_every_stage_with_a_secret_that_writes_says_so() -> None:
    assert {row.name for row in TABLE if row.writes} == {"attest", "publish", "promote", "deploy"}
