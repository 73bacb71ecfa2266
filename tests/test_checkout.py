"""Stages see the files that git has or would take, those that it ignores never, and copy exactly what they digest."""

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from shipseal.errors import ConfigError, SubjectFailed
from shipseal.project.checkout import copy, copy_below, digest, listed, tracked_below
from tests.conftest import commit


def git(root: Path, *arguments: str) -> None:
    command = ["git", "-C", str(root), "-c", "protocol.file.allow=always", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def names(root: Path, path: Path) -> list[str]:
    return [each.relative_to(root).as_posix() for each in listed(root, path)]


def by_git(root: Path) -> list[str]:
    """Return what git itself says that it has or would take."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, check=True, capture_output=True)
    return sorted(os.fsdecode(name) for name in done.stdout.split(b"\0") if name)


@pytest.fixture
def sources(project: Path) -> Path:
    """Give a project whose service holds a file that git has, one that it would take, and several that it ignores."""
    (project / ".gitignore").write_text("build/\n*_settings.py\n!public_settings.py\n")
    service = project / "service"
    (service / "app").mkdir()
    (service / "app" / "__init__.py").write_text("")
    (service / "app" / "forced_settings.py").write_text("")
    git(project, "add", "-f", "service/app/forced_settings.py")
    commit(project)
    (service / "app" / "new.py").write_text("")
    (service / "app" / "local_settings.py").write_text("PASSWORD = 'hunter2'\n")
    (service / "app" / "public_settings.py").write_text("")
    (service / "build" / "lib").mkdir(parents=True)
    (service / "build" / "lib" / "stale.py").write_text("")
    return project


def test_what_git_has_or_would_take_is_listed_and_nothing_that_it_ignores(sources: Path) -> None:
    found = names(sources, sources / "service" / "app")
    assert found == [
        f"service/app/{name}" for name in ("__init__.py", "forced_settings.py", "new.py", "public_settings.py")
    ]
    assert names(sources, sources) == by_git(sources)


def test_the_excludes_of_one_clone_and_of_its_user_count_too(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "git").mkdir(parents=True)
    (tmp_path / "config" / "git" / "ignore").write_text("mine.py\n")
    (sources / ".git" / "info" / "exclude").write_text("clone.py\n")
    for name in ("mine.py", "clone.py"):
        (sources / "service" / name).write_text("")
    assert names(sources, sources) == by_git(sources)
    assert not {"service/mine.py", "service/clone.py"} & set(names(sources, sources))


def test_a_file_that_git_ignores_is_not_listed_when_it_is_named_itself(sources: Path) -> None:
    assert names(sources, sources / "service" / "app" / "local_settings.py") == []
    assert names(sources, sources / "service" / "app" / "new.py") == ["service/app/new.py"]


def test_what_is_copied_is_what_is_listed_and_what_is_digested(sources: Path, tmp_path: Path) -> None:
    service = sources / "service"
    before = digest(sources, service)
    copy(sources, service, tmp_path / "copy")
    copied = sorted(path for path in (tmp_path / "copy").rglob("*") if path.is_file())
    assert [path.relative_to(tmp_path / "copy") for path in copied] == [
        path.relative_to(service) for path in listed(sources, service)
    ]
    (service / "app" / "local_settings.py").write_text("PASSWORD = 'another'\n")
    assert digest(sources, service) == before
    (service / "app" / "new.py").write_text("changed = True\n")
    assert digest(sources, service) != before


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_modes_are_the_same_whatever_the_umask(sources: Path, tmp_path: Path, umask: int) -> None:
    (sources / "service" / "run.sh").write_text("#!/bin/sh\n")
    (sources / "service" / "run.sh").chmod(0o700)
    before = os.umask(umask)
    try:
        copy(sources, sources / "service", tmp_path / "copy")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "copy").rglob("*")}
    assert (modes["app"], modes["run.sh"], modes["new.py"]) == (0o755, 0o755, 0o644)


def test_a_project_whose_source_is_its_root_does_not_digest_what_runs_and_tools_leave(project: Path) -> None:
    before = digest(project, project)
    for name in (".run/build", ".venv/bin", "__pycache__"):
        (project / name).mkdir(parents=True)
        (project / name / "left").write_text("x")
    assert digest(project, project) == before
    git(project, "gc", "-q")
    assert digest(project, project) == before


def test_without_a_repository_everything_counts_but_leftovers(project: Path) -> None:
    shutil.rmtree(project / ".git")
    (project / "service" / "__pycache__").mkdir()
    (project / "service" / "__pycache__" / "x.pyc").write_text("")
    found = names(project, project / "service")
    assert found == [f"service/{name}.lock" for name in ("requirements-build", "requirements-test", "requirements")]


def outside(service: Path) -> None:
    (service / "link").symlink_to("../../elsewhere")


def absolute(service: Path) -> None:
    (service / "link").symlink_to(service / "requirements.lock")


def by_detour(service: Path) -> None:
    """Each link alone stays below the directory, read as text; together they leave it."""
    (service / "a" / "b").mkdir(parents=True)
    (service / "a" / "b" / "up").symlink_to("../..")
    (service / "a" / "b" / "link").symlink_to("up/../pipeline.toml")


@pytest.mark.parametrize("leave", [outside, absolute, by_detour])
def test_a_link_that_leaves_the_directory_is_refused(
    project: Path, tmp_path: Path, leave: Callable[[Path], None]
) -> None:
    (tmp_path / "elsewhere").write_text("nobody's business")
    leave(project / "service")
    with pytest.raises(SubjectFailed, match="link is a link to") as caught:
        copy(project, project / "service", tmp_path / "copy")
    assert caught.value.exit_code == 7
    assert not any(path.name == "link" for path in (tmp_path / "copy").rglob("*"))


def test_a_link_that_stays_is_copied_as_one(project: Path, tmp_path: Path) -> None:
    (project / "service" / "link").symlink_to("requirements.lock")
    copy(project, project / "service", tmp_path / "copy")
    assert (tmp_path / "copy" / "link").readlink() == Path("requirements.lock")


def test_trees_whose_links_read_alike_have_digests_of_their_own(tmp_path: Path) -> None:
    for name, link, aim in (("one", "y z", "x"), ("other", "z", "x y")):
        (tmp_path / name).mkdir()
        (tmp_path / name / link).symlink_to(aim)
    assert digest(tmp_path / "one", tmp_path / "one") != digest(tmp_path / "other", tmp_path / "other")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listener(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [pipe, listener])
def test_what_is_neither_file_nor_link_is_refused_by_name_and_not_waited_for(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(project / "service")  # the address of a socket is short
    make(Path("special"))
    with pytest.raises(SubjectFailed, match="service/special is neither a file nor a link"):
        digest(project, project / "service")
    with pytest.raises(SubjectFailed, match="service/special is neither a file nor a link"):
        copy(project, project / "service", tmp_path / "copy")


def test_a_directory_of_which_git_has_nothing_is_told(sources: Path, tmp_path: Path) -> None:
    with pytest.raises(SubjectFailed, match="git has no file in service/build"):
        copy(sources, sources / "service" / "build", tmp_path / "copy")


def test_a_path_that_is_named_twice_is_copied_once(sources: Path, tmp_path: Path) -> None:
    for path in (sources / "service" / "app", sources / "service" / "app" / "new.py"):
        copy_below(sources, path, tmp_path / "copy")
    assert (tmp_path / "copy" / "service" / "app" / "new.py").is_file()


def test_the_files_of_a_submodule_count_and_those_of_a_stray_clone_do_not(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "vendored.py").write_text("")
    commit(other)
    git(project, "submodule", "--quiet", "add", str(other), "service/vendored")
    shutil.copytree(other, project / "service" / "stray")
    found = names(project, project / "service")
    assert "service/vendored/vendored.py" in found
    assert not [name for name in found if "stray" in name]


def test_a_worktree_whose_repository_is_elsewhere_is_named(project: Path, tmp_path: Path) -> None:
    git(project, "worktree", "add", "-q", str(tmp_path / "tree"))
    assert names(tmp_path / "tree", tmp_path / "tree") == by_git(tmp_path / "tree")
    project.rename(tmp_path / "moved")
    with pytest.raises(ConfigError, match="is a git worktree whose repository is not here") as caught:
        listed(tmp_path / "tree", tmp_path / "tree")
    assert "clone" in caught.value.remedy


@pytest.mark.parametrize("line", ["[core]\n\tworktree = ../..\n", "[extensions]\n\tnoSuch = true\n", "[core\n"])
def test_a_repository_that_is_not_what_it_seems_is_refused(project: Path, line: str) -> None:
    with (project / ".git" / "config").open("a") as file:
        file.write(line)
    with pytest.raises(ConfigError):
        listed(project, project)


def test_a_truncated_index_is_told(project: Path) -> None:
    index = project / ".git" / "index"
    index.write_bytes(index.read_bytes()[:40])
    with pytest.raises(ConfigError, match="cannot be read"):
        listed(project, project)


def test_what_git_has_in_a_directory_is_told_by_name(sources: Path) -> None:
    (sources / ".run" / "image").mkdir(parents=True)
    assert tracked_below(sources, sources / ".run") == []
    (sources / ".run" / "image" / "record.json").write_text("{}")
    commit(sources)
    assert tracked_below(sources, sources / ".run") == [".run/image/record.json"]
    assert tracked_below(sources, sources.parent) == []
