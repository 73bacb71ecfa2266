"""`facts` says what the repository says of itself, and nothing that it does not."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shipseal.engine.run import Run
from shipseal.engine.stage import Stage
from shipseal.errors import ConfigError, UsageError
from shipseal.stages.facts import facts
from tests.conftest import MakeRun, commit

AS_SOMEBODY = ("-c", "user.name=A Tester", "-c", "user.email=tester@example.invalid", "-c", "commit.gpgsign=false")
FACTS = Stage("facts", facts, reads=("repository",), always_run=True)


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


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
async def test_a_change_that_the_index_was_told_not_to_see_is_one(make_run: MakeRun, project: Path, flag: str) -> None:
    git(project, "update-index", flag, "pipeline.toml")
    with (project / "pipeline.toml").open("a") as file:
        file.write("# changed\n")
    found = await gather(make_run())
    assert (found["dirty"], found["changed"]) == (True, ["pipeline.toml"])
    with pytest.raises(UsageError, match="changes that are in no commit"):
        await gather(make_run("release"))


def rewrite_in_place(project: Path) -> None:
    """Write other bytes of the same length, and give the file the times that the index knows."""
    path = project / "service" / "app.py"
    before = path.stat()
    path.write_text("x = 2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def make_executable(project: Path) -> None:
    (project / "service" / "app.py").chmod(0o755)


def replace_by_a_link(project: Path) -> None:
    (project / "service" / "app.py").unlink()
    (project / "service" / "app.py").symlink_to("requirements.lock")


def remove(project: Path) -> None:
    (project / "service" / "app.py").unlink()


def forget(project: Path) -> None:
    git(project, "rm", "-q", "--cached", "service/app.py")


def stage_other_bytes(project: Path) -> None:
    (project / "service" / "app.py").write_text("x = 3\n")
    git(project, "add", "service/app.py")
    (project / "service" / "app.py").write_text("x = 1\n")


@pytest.mark.parametrize(
    "change", [rewrite_in_place, make_executable, replace_by_a_link, remove, forget, stage_other_bytes]
)
async def test_every_difference_from_the_commit_is_seen(
    make_run: MakeRun, project: Path, change: Callable[[Path], None]
) -> None:
    (project / "service" / "app.py").write_text("x = 1\n")
    commit(project)
    assert (await gather(make_run()))["changed"] == []
    change(project)
    assert (await gather(make_run()))["changed"] == ["service/app.py"]


@pytest.mark.parametrize("name", ["policy/vex/mine.json", "pipeline.toml", "service/requirements.lock"])
async def test_what_git_ignores_and_a_stage_reads_in_place_is_a_change(
    make_run: MakeRun, project: Path, name: str
) -> None:
    (project / ".gitignore").write_text(f"/{name}\n")
    path = project / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(path.read_text() if path.exists() else "{}")
    git(project, "rm", "-q", "--cached", "--ignore-unmatch", name)
    git(project, "add", ".gitignore")
    git(project, *AS_SOMEBODY, "commit", "-q", "-m", "Ignore it")
    found = await gather(make_run())
    assert (found["dirty"], found["changed"]) == (True, [name])
    with pytest.raises(UsageError, match="changes that are in no commit"):
        await gather(make_run("release"))


async def test_a_filter_of_the_repositorys_configuration_is_neither_started_nor_believed(
    make_run: MakeRun, project: Path, tmp_path: Path
) -> None:
    (project / ".gitattributes").write_text("*.toml filter=evil\n")
    commit(project)
    evil = f"sh -c 'touch {tmp_path}/started; git show HEAD:pipeline.toml'"
    git(project, "config", "filter.evil.clean", evil)
    git(project, "config", "filter.evil.smudge", evil)
    git(project, "config", "filter.evil.process", evil)
    with (project / "pipeline.toml").open("a") as file:
        file.write("# changed\n")
    assert (await gather(make_run()))["changed"] == ["pipeline.toml"]
    assert not (tmp_path / "started").exists()


async def test_a_submodule_is_clean_while_its_own_commit_and_files_are_what_was_committed(
    make_run: MakeRun, project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "vendored.py").write_text("x = 1\n")
    commit(other)
    git(project, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "vendored")
    commit(project)
    before = await gather(make_run())
    assert (before["dirty"], before["changed"]) == (False, [])
    (project / "vendored" / "vendored.py").write_text("x = 2\n")
    after = await gather(make_run())
    assert after["changed"] == ["vendored/vendored.py"]
    assert after["tree"] != before["tree"]
    commit(project / "vendored")
    assert (await gather(make_run()))["changed"] == ["vendored"]
    shutil.rmtree(project / "vendored")
    (project / "vendored").mkdir()
    assert (await gather(make_run()))["changed"] == []


@pytest.mark.timeout(20)
async def test_a_pipe_in_the_tree_is_not_waited_for(make_run: MakeRun, project: Path) -> None:
    os.mkfifo(project / "pipe")
    assert (await gather(make_run()))["changed"] == []
    (project / "pipeline.lock").write_text("")
    commit(project)
    (project / "pipeline.lock").unlink()
    os.mkfifo(project / "pipeline.lock")
    assert (await gather(make_run()))["changed"] == ["pipeline.lock"]


async def test_a_name_that_is_no_text_is_named_all_the_same(make_run: MakeRun, project: Path) -> None:
    (project / os.fsdecode(b"\xff.txt")).write_text("")
    found = await gather(make_run())
    assert (found["dirty"], found["changed"]) == (True, ["\\xff.txt"])


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
    assert "git init" in caught.value.remedy
    assert caught.value.exit_code == 2


async def test_a_repository_cannot_make_us_start_its_programs(make_run: MakeRun, project: Path, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    hook.chmod(0o755)
    git(project, "config", "core.fsmonitor", str(hook))
    await gather(make_run())
    assert not (tmp_path / "started").exists()
