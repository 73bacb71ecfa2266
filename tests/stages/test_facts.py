"""`facts` says what the repository says of itself, and nothing that it does not."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError, UsageError
from pipeline.run import Run
from pipeline.stage import Stage
from pipeline.stages.facts import facts
from tests.conftest import MakeRun, commit

FACTS = Stage(facts, reads=("repository",), always=True)


async def gather(run: Run) -> dict[str, Any]:
    await run.perform(FACTS)
    found: dict[str, Any] = json.loads((run.directory / "facts" / "facts.json").read_bytes())
    return found


def git(project: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", project, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


async def test_a_clean_tree_gives_its_commit(make_run: MakeRun, project: Path) -> None:
    found = await gather(make_run())
    assert found["revision"] == git(project, "rev-parse", "HEAD")
    assert found["commit_time"] == int(git(project, "show", "-s", "--format=%ct"))
    assert (found["dirty"], found["ref"], found["repository"]) == (False, "refs/heads/main", "")


async def test_the_remote_is_named_where_there_is_one(make_run: MakeRun, project: Path) -> None:
    git(project, "remote", "add", "origin", "https://git.example/acme/sample.git")
    assert (await gather(make_run()))["repository"] == "https://git.example/acme/sample"


async def test_the_credentials_of_a_clones_address_are_kept_nowhere(make_run: MakeRun, project: Path) -> None:
    git(project, "remote", "add", "origin", "https://somebody:hunter2@git.example/acme/sample.git")
    run = make_run()
    assert (await gather(run))["repository"] == "https://git.example/acme/sample"
    assert all(b"hunter2" not in path.read_bytes() for path in run.directory.rglob("*") if path.is_file())


async def test_a_dirty_tree_is_said_and_changes_the_digest(make_run: MakeRun, project: Path) -> None:
    before = await gather(make_run())
    (project / "new.txt").write_text("not committed")
    after = await gather(make_run())
    assert (after["dirty"], after["changed"]) == (True, ["new.txt"])
    assert after["tree"] != before["tree"]


async def test_a_dirty_tree_is_no_release(make_run: MakeRun, project: Path) -> None:
    (project / "new.txt").write_text("not committed")
    with pytest.raises(UsageError, match="changes that are in no commit"):
        await gather(make_run("release"))


async def test_what_git_ignores_is_no_part_of_the_tree(make_run: MakeRun, project: Path) -> None:
    (project / ".gitignore").write_text("*.log\n")
    commit(project)
    before = await gather(make_run())
    (project / "debug.log").write_text("noise")
    assert await gather(make_run()) == before


@pytest.mark.parametrize("kind", [("tag", "v1.2.3"), ("tag", "--annotate", "--message", "a release", "v1.2.3")])
async def test_a_checkout_of_a_tag_is_on_that_tag(make_run: MakeRun, project: Path, kind: tuple[str, ...]) -> None:
    git(project, *kind)
    assert (await gather(make_run()))["ref"] == "refs/heads/main"
    git(project, "checkout", "--quiet", "--detach")
    assert (await gather(make_run()))["ref"] == "refs/tags/v1.2.3"


async def test_of_two_tags_on_one_commit_none_is_the_checkouts(make_run: MakeRun, project: Path) -> None:
    git(project, "tag", "v1.2.3")
    git(project, "tag", "v1.2")
    git(project, "checkout", "--quiet", "--detach")
    assert (await gather(make_run()))["ref"] == ""


async def test_a_detached_head_has_no_ref(make_run: MakeRun, project: Path) -> None:
    git(project, "checkout", "-q", "--detach")
    assert (await gather(make_run()))["ref"] == ""


async def test_a_directory_without_a_repository_is_refused(make_run: MakeRun, project: Path) -> None:
    git(project, "rev-parse", "HEAD")
    (project / ".git").rename(project / "not-git")
    with pytest.raises(ConfigError, match="not a git repository with a commit") as caught:
        await gather(make_run())
    assert "git init" in caught.value.do
    assert caught.value.exit_code == 2


async def test_a_repository_cannot_make_us_start_its_programs(make_run: MakeRun, project: Path, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    hook.chmod(0o755)
    git(project, "config", "core.fsmonitor", str(hook))
    await gather(make_run())
    assert not (tmp_path / "started").exists()
