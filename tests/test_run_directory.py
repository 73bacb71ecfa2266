"""A run writes only where nobody else could have laid something out for it, and never through a name that is there."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from shipseal.disk import alone, clear, empty, write
from shipseal.engine import run_directory, seal
from shipseal.engine.schedule import execute
from shipseal.engine.stage import Context, Stage
from shipseal.errors import ConfigError, UsageError, VerificationFailed
from tests.commands import pipeline
from tests.conftest import MakeRun, commit


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """Give a directory outside the project with a file in it, both of which have to stay as they are."""
    directory = tmp_path / "precious"
    directory.mkdir()
    (directory / "file").write_text("mine")
    return directory


def untouched(precious: Path) -> bool:
    return [path.name for path in precious.iterdir()] == ["file"] and (precious / "file").read_text() == "mine"


def test_it_is_beside_the_configuration_unless_another_is_named(project: Path, tmp_path: Path) -> None:
    assert run_directory.checked(project) == project / ".run"
    assert run_directory.checked(project, tmp_path / "other") == tmp_path / "other"


def test_a_link_is_refused_and_what_it_names_is_left_alone(project: Path, precious: Path) -> None:
    (project / ".run").symlink_to(precious)
    ended = pipeline("dry-run", "--to", "facts", cwd=project)
    assert ended.code == 2, ended.output
    assert f"{project / '.run'} is a link" in ended.stderr
    assert untouched(precious)


def test_a_directory_of_the_project_that_a_link_leads_out_of_it_is_refused(project: Path, precious: Path) -> None:
    (project / "out").symlink_to(precious)
    with pytest.raises(UsageError, match="is not in the project"):
        run_directory.checked(project, project / "out" / "run")


def test_a_directory_that_the_repository_brings_is_refused(project: Path) -> None:
    (project / ".run" / "build").mkdir(parents=True)
    (project / ".run" / "build" / "record.json").write_text("{}")
    commit(project)
    ended = pipeline("dry-run", "--to", "facts", cwd=project)
    assert ended.code == 2, ended.output
    assert "comes out of the repository" in ended.stderr
    assert "git has .run/build/record.json" in ended.stderr


@pytest.mark.parametrize("verb", ["dry-run", "release", "plan", "stage"])
def test_every_verb_that_uses_a_run_directory_refuses_it(project: Path, precious: Path, verb: str) -> None:
    (project / ".run").symlink_to(precious)
    ended = pipeline(verb, *(["facts"] if verb == "stage" else []), cwd=project)
    assert ended.code == 2, ended.output
    assert untouched(precious)


def test_the_project_itself_is_no_run_directory(project: Path) -> None:
    with pytest.raises(UsageError, match="comes out of the repository"):
        run_directory.checked(project, project)


def test_a_file_is_no_run_directory(project: Path) -> None:
    (project / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        run_directory.checked(project, project / "file")


LINKS = ("lock", "run.json", "run.part", ".gitignore", "facts", "facts.part", "report.failed")


@pytest.mark.parametrize("name", LINKS)
def test_nothing_is_written_or_removed_through_a_link_in_it(project: Path, precious: Path, name: str) -> None:
    """A run directory that no repository has brought may hold links all the same: those of an archive."""
    (project / ".run").mkdir()
    (project / ".run" / name).symlink_to(precious if "." not in name[1:] or "part" in name else precious / "file")
    ended = pipeline("dry-run", "--to", "facts", cwd=project)
    assert ended.code == (2 if name == "lock" else 0), ended.output
    assert untouched(precious)


def test_others_may_not_look_into_it(make_run: MakeRun) -> None:
    before = os.umask(0)
    try:
        run = make_run()
        with alone(run.directory):
            assert stat.S_IMODE(run.directory.stat().st_mode) == 0o700
            assert stat.S_IMODE((run.directory / "lock").stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_one_that_is_open_to_others_is_closed(make_run: MakeRun) -> None:
    run = make_run()
    run.directory.mkdir(mode=0o755)
    run.begin()
    assert stat.S_IMODE(run.directory.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_one_of_another_user_is_refused(make_run: MakeRun) -> None:
    run = make_run()
    run.directory.mkdir()
    os.chown(run.directory, 65534, 65534)
    with pytest.raises(UsageError, match="belongs to another user"), alone(run.directory):
        pass


def test_a_file_takes_the_place_of_a_link(tmp_path: Path, precious: Path) -> None:
    (tmp_path / "name").symlink_to(precious / "file")
    write(tmp_path / "name", "new")
    assert ((tmp_path / "name").read_text(), (tmp_path / "name").is_symlink()) == ("new", False)
    assert untouched(precious)


def test_a_file_that_cannot_be_put_in_place_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "name").mkdir()
    with pytest.raises(OSError, match="directory"):
        write(tmp_path / "name", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def test_of_a_link_nothing_is_removed_but_the_link(tmp_path: Path, precious: Path) -> None:
    (tmp_path / "name").symlink_to(precious)
    clear(tmp_path / "name")
    assert not (tmp_path / "name").is_symlink()
    (tmp_path / "name").symlink_to(precious)
    empty(tmp_path / "name")
    assert list((tmp_path / "name").iterdir()) == []
    assert untouched(precious)


async def work(context: Context) -> str:
    (context.out / "value").write_text("1")
    return "done"


WORK = Stage("work", work)


async def kept(make_run: MakeRun, world: str) -> bool:
    run = make_run(world)
    run.begin()
    return run.kept(WORK) is not None


@pytest.fixture
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file of a user's key who has none yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return seal.key_file(os.environ)


async def test_a_release_keeps_what_this_users_own_releases_have_made(make_run: MakeRun, own_key: Path) -> None:
    run = make_run("release")
    run.begin()
    await execute([WORK], run.once)
    assert await kept(make_run, "release")
    assert stat.S_IMODE(own_key.stat().st_mode) == 0o600  # noqa: ASYNC240 - a test


async def test_a_release_keeps_nothing_that_somebody_else_has_made_however_well_it_agrees(
    make_run: MakeRun, own_key: Path
) -> None:
    run = make_run("release")
    run.begin()
    await execute([WORK], run.once)
    own_key.unlink()  # noqa: ASYNC240 - from now on this is another user
    assert not await kept(make_run, "release")
    for forged in ("", "0" * 64, "é"):
        (run.directory / "work" / "seal").write_text(forged)
        assert not await kept(make_run, "release")


async def test_a_record_that_was_written_anew_has_no_seal(make_run: MakeRun, own_key: Path) -> None:
    run = make_run("release")
    run.begin()
    await execute([WORK], run.once)
    path = run.directory / "work" / "record.json"
    record = json.loads(path.read_bytes())
    path.write_text(json.dumps(record | {"headline": "another"}, indent=2, sort_keys=True) + "\n")
    assert not await kept(make_run, "release")


async def test_a_dry_run_goes_on_from_a_directory_that_another_engine_has_made(
    make_run: MakeRun, own_key: Path
) -> None:
    run = make_run()
    run.begin()
    await execute([WORK], run.once)
    assert not own_key.exists()  # noqa: ASYNC240 - a test
    assert await kept(make_run, "dry-run")


def link_to_a_file(work: Path, outside: Path) -> None:
    (work / "link").symlink_to(outside / "file")


def link_to_a_directory(work: Path, outside: Path) -> None:
    (work / "link").symlink_to(outside)


def pipe(work: Path, _: Path) -> None:
    os.mkfifo(work / "link")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("lay", [link_to_a_file, link_to_a_directory, pipe])
async def test_a_result_with_anything_in_it_but_files_is_none(
    make_run: MakeRun, precious: Path, lay: Callable[[Path, Path], None]
) -> None:
    run = make_run()
    run.begin()
    await execute([WORK], run.once)
    lay(run.directory / "work", precious)
    assert not await kept(make_run, "dry-run")
    with pytest.raises(VerificationFailed, match="work/link is not a file"):
        await run.perform(Stage("last", last, needs=("work",)))


async def last(context: Context) -> str:
    return context.read("work", "value").decode()


@pytest.mark.timeout(20)
async def test_a_pipe_among_what_a_stage_reads_is_named_and_not_waited_for(make_run: MakeRun, project: Path) -> None:
    os.mkfifo(project / "policy" / "rules.toml")
    with pytest.raises(ConfigError, match=r"policy/rules\.toml cannot be read"):
        await make_run().perform(Stage("work", work, reads=("policy",)))


async def test_a_record_nested_without_end_is_no_record(make_run: MakeRun) -> None:
    run = make_run()
    run.begin()
    await execute([WORK], run.once)
    (run.directory / "work" / "record.json").write_text("[" * 100_000)
    assert not await kept(make_run, "dry-run")
