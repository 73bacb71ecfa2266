"""A stage runs over the finished directories of its needs, and is kept while nothing that decides it has changed."""

import errno
import json
import os
import sqlite3
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.disk import alone
from shipseal.engine.record import Record
from shipseal.engine.run import Event, Run
from shipseal.engine.schedule import execute, wanted
from shipseal.engine.stage import Context, Stage
from shipseal.errors import (
    ConfigError,
    PolicyDenied,
    SubjectFailed,
    ToolFailed,
    UsageError,
    VerificationFailed,
    as_shipseal_error,
)
from shipseal.project.config import HOME
from tests.conftest import NOW, MakeRun


async def first(context: Context) -> str:
    (context.out / "value").write_text("1")
    context.material("pkg:generic/thing@1", Digest.of(b"thing"))
    return "one"


async def second(context: Context) -> str:
    value = int((context.of("first") / "value").read_text())
    context.write_json("value.json", value + 1)
    return "two"


async def third(context: Context) -> str:
    assert context.read("second", "value.json") == b"2\n"
    return "three"


FIRST, SECOND = Stage("first", first), Stage("second", second, needs=("first",), reads=("policy",))
THIRD = Stage("third", third, needs=("second",), uncached=True)
STAGES = [FIRST, SECOND, THIRD]


async def kinds(run: Run, stages: list[Stage] = STAGES) -> dict[str, str]:
    """Run the stages, and return how each ended: finished or kept."""
    seen: list[Event] = []
    run.observe = seen.append
    run.begin()
    await execute(stages, run.once)
    run.end()
    return {event.stage: event.kind for event in seen if event.kind in {"finished", "kept"}}


async def test_a_stage_leaves_a_whole_directory_and_its_record(make_run: MakeRun) -> None:
    run = make_run()
    record = await run.perform(FIRST)
    assert Record.read(run.directory / "first") == record
    assert record.headline == "one"
    assert record.products == {"value": Digest.of(b"1")}
    assert record.materials == {"pkg:generic/thing@1": Digest.of(b"thing")}
    assert not (run.directory / "first.part").exists()


async def test_a_second_run_keeps_what_is_the_same_and_does_live_stages_anew(make_run: MakeRun) -> None:
    assert await kinds(make_run()) == {"first": "finished", "second": "finished", "third": "finished"}
    assert await kinds(make_run()) == {"first": "kept", "second": "kept", "third": "finished"}


async def test_a_run_that_did_not_end_goes_on_and_keeps_its_live_stages(make_run: MakeRun) -> None:
    run = make_run()
    run.begin()
    await execute(STAGES, run.once)
    assert await kinds(make_run()) == {"first": "kept", "second": "kept", "third": "kept"}


async def test_the_other_world_keeps_nothing(make_run: MakeRun) -> None:
    await kinds(make_run())
    assert set((await kinds(make_run("release"))).values()) == {"finished"}


async def test_a_release_takes_nothing_that_a_dry_run_has_left(make_run: MakeRun) -> None:
    await make_run().perform(FIRST)
    with pytest.raises(UsageError, match="first was made in a dry-run, and this is a release"):
        await make_run("release").perform(SECOND)


async def test_a_live_stage_is_done_again_for_another_day_and_others_are_kept(make_run: MakeRun) -> None:
    run = make_run()
    run.begin()
    await execute(STAGES, run.once)
    later = make_run(as_of=NOW.replace(year=2028))
    assert await kinds(later) == {"first": "kept", "second": "kept", "third": "finished"}


@pytest.mark.parametrize(("later", "kind"), [(timedelta(hours=11), "kept"), (timedelta(hours=12), "finished")])
async def test_a_live_stage_of_a_run_that_goes_on_is_kept_until_its_day_ends(
    make_run: MakeRun, later: timedelta, kind: str
) -> None:
    """Its signature would carry the time of a day on which nobody had looked."""
    run = make_run()
    run.begin()
    await execute(STAGES, run.once)
    again = make_run(clock=lambda: NOW + later)
    assert await kinds(again) == {"first": "kept", "second": "kept", "third": kind}


async def test_a_live_stage_is_done_again_by_another_database(make_run: MakeRun, project: Path) -> None:
    configuration = project / "pipeline.toml"
    configuration.write_text(configuration.read_text() + '[scan]\ndatabase = "database"\n')
    (project / "database").mkdir()
    identity = project / "database" / "database.json"
    identity.write_text("one")
    run = make_run()
    run.begin()
    await execute(STAGES, run.once)
    going_on = make_run()
    going_on.begin()
    assert going_on.kept(STAGES[-1])
    identity.write_text("another")
    assert await kinds(make_run()) == {"first": "kept", "second": "kept", "third": "finished"}


async def test_dates_are_judged_as_of_the_day_that_is_asked_for_and_the_record_keeps_the_real_time(
    make_run: MakeRun,
) -> None:
    async def tell(context: Context) -> str:
        return context.now.isoformat()

    record = await make_run(as_of=NOW.replace(year=2028)).perform(Stage("tell", tell))
    assert record.headline == "2028-11-25T12:00:00+00:00"
    assert record.started.startswith("2026-11-25")


async def test_a_bug_names_its_stage_and_the_event_says_what_it_was(make_run: MakeRun) -> None:
    async def stumble(_: Context) -> str:
        raise KeyError("nobody foresaw this")

    seen: list[Event] = []
    with pytest.raises(KeyError) as caught:
        await make_run(observe=seen.append).perform(Stage("stumble", stumble))
    assert (as_shipseal_error(caught.value).stage, as_shipseal_error(caught.value).exit_code) == ("stumble", 1)
    assert seen[-1].text == "KeyError: 'nobody foresaw this'"


async def test_what_the_configuration_names_and_is_not_there_is_said(make_run: MakeRun, project: Path) -> None:
    async def read(_: Context) -> str:
        raise AssertionError("it may not get this far")

    (project / "tests").rmdir()
    with pytest.raises(ConfigError, match=r"pipeline\.toml names what is not there") as caught:
        await make_run().perform(Stage("read", read, reads=("tests",)))
    assert caught.value.why == ("test.paths: there is no tests",)


async def test_a_stage_is_done_again_when_what_it_reads_has_changed(make_run: MakeRun, project: Path) -> None:
    await kinds(make_run())
    (project / "policy" / "rules.toml").write_text("# stricter\n")
    assert (await kinds(make_run()))["second"] == "finished"


async def test_a_stage_is_done_again_when_the_policy_that_comes_with_the_pipeline_has_changed(
    make_run: MakeRun, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "policy").mkdir(parents=True)
    for needed in ("shipseal", "requirements.lock"):
        (home / needed).symlink_to(HOME / needed)
    monkeypatch.setattr("shipseal.engine.keys.HOME", home)
    await kinds(make_run())
    assert (await kinds(make_run()))["second"] == "kept"
    (home / "policy" / "rules.toml").write_text("# stricter\n")
    assert (await kinds(make_run()))["second"] == "finished"


async def test_a_stage_is_done_again_when_the_configuration_has_changed(make_run: MakeRun, project: Path) -> None:
    await kinds(make_run())
    path = project / "pipeline.toml"
    path.write_text(path.read_text().replace("acme/sample", "acme/other"))
    assert (await kinds(make_run()))["first"] == "finished"


async def test_a_stage_is_done_again_when_a_tool_of_its_row_has_changed(make_run: MakeRun) -> None:
    stages = [Stage("first", first, tools=("grype",))]
    await kinds(make_run(locked={"grype": Digest.of(b"old"), "syft": Digest.of(b"old")}), stages)
    other = {"grype": Digest.of(b"old"), "syft": Digest.of(b"new")}
    assert await kinds(make_run(locked=other), stages) == {"first": "kept"}
    assert await kinds(make_run(locked={"grype": Digest.of(b"new")}), stages) == {"first": "finished"}


async def test_a_product_that_was_altered_is_made_again_on_the_next_run(make_run: MakeRun) -> None:
    await kinds(make_run())
    (make_run().directory / "first" / "value").write_text("9")
    assert await kinds(make_run()) == {"first": "finished", "second": "kept", "third": "finished"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda first: (first / "value").write_text("9"), "first/value was altered"),
        (lambda first: (first / "value").unlink(), "first/value was removed"),
        (lambda first: (first / "more").touch(), "first/more was added"),
        (lambda first: (first / "record.json").write_text("{"), "is not a record"),
    ],
)
async def test_what_was_altered_between_two_stages_is_refused(make_run: MakeRun, change: object, said: str) -> None:
    run = make_run()
    await run.perform(FIRST)
    change(run.directory / "first")  # type: ignore[operator]
    with pytest.raises(VerificationFailed, match=said) as caught:
        await run.perform(SECOND)
    assert (caught.value.stage, caught.value.exit_code) == ("second", 6)


async def test_a_stage_whose_need_has_not_finished_says_so(make_run: MakeRun) -> None:
    with pytest.raises(UsageError, match="second needs first, which has not finished"):
        await make_run().perform(SECOND)


async def test_a_stage_may_read_only_what_its_row_declares(make_run: MakeRun) -> None:
    run = make_run()
    await run.perform(FIRST)
    with pytest.raises(UsageError, match="second reads first, which its row does not declare"):
        await run.perform(Stage("second", second))


async def test_a_failed_stage_leaves_no_directory_and_names_itself(make_run: MakeRun) -> None:
    async def judge(context: Context) -> str:
        (context.out / "half").touch()
        raise PolicyDenied("no")

    run = make_run()
    with pytest.raises(PolicyDenied) as caught:
        await run.perform(Stage("judge", judge))
    assert caught.value.stage == "judge"
    assert not (run.directory / "judge").exists()


async def test_a_half_written_directory_of_a_killed_run_is_never_a_result(make_run: MakeRun) -> None:
    run = make_run()
    (run.directory / "first.part").mkdir(parents=True)
    (run.directory / "first.part" / "value").write_text("half")
    record = await run.perform(FIRST)
    assert record.products == {"value": Digest.of(b"1")}


async def test_a_full_disk_is_said_with_what_to_do(make_run: MakeRun) -> None:
    async def fill(_: Context) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "layer")

    with pytest.raises(ToolFailed, match="no space left for") as caught:
        await make_run().perform(Stage("fill", fill))
    assert "free some space" in caught.value.remedy


async def test_a_full_disk_that_only_a_tool_saw_is_not_the_projects_fault(make_run: MakeRun) -> None:
    async def blame(context: Context) -> str:
        try:
            await context.tools.run("python", "-c", "raise SystemExit('ERROR: [Errno 28] No space left on device')")
        except ToolFailed as cause:
            raise SubjectFailed("it does not build", why=cause.why) from cause
        return "it builds"

    with pytest.raises(ToolFailed, match="no space left for"):
        await make_run().perform(Stage("blame", blame, tools=("python",)))


async def test_a_full_disk_that_sqlite_saw_is_said_too(make_run: MakeRun) -> None:
    async def fill(_: Context) -> str:
        with sqlite3.connect(":memory:") as database:
            database.execute("PRAGMA max_page_count = 2")
            database.execute("CREATE TABLE t (x)")
            database.execute("INSERT INTO t VALUES (zeroblob(100000))")
        return ""

    with pytest.raises(ToolFailed, match="no space left for"):
        await make_run().perform(Stage("fill", fill))


async def test_a_file_that_may_not_be_read_is_named(make_run: MakeRun) -> None:
    async def read(_: Context) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/project/secret.py")

    with pytest.raises(UsageError, match=r"/project/secret\.py cannot be used: permission denied"):
        await make_run().perform(Stage("read", read))


async def test_stages_that_fail_together_are_each_named(make_run: MakeRun) -> None:
    async def left(_: Context) -> str:
        raise ToolFailed("left")

    async def right(_: Context) -> str:
        raise PolicyDenied("right")

    with pytest.raises(ExceptionGroup) as caught:
        await execute([Stage("left", left), Stage("right", right)], make_run().once)
    assert {(str(failure), getattr(failure, "stage", "")) for failure in caught.value.exceptions} == {
        ("left", "left"),
        ("right", "right"),
    }


async def test_stages_that_run_beside_one_that_fails_end_first_unless_they_reach_outside(make_run: MakeRun) -> None:
    seen: list[str] = []
    begun: set[str] = set()
    failed = anyio.Event()  # a stage has failed, and the one that reaches outside has been stopped for it

    def begin(name: str) -> None:
        begun.add(name)

    async def soon(_: Context) -> str:
        while len(begun) < 4:
            await anyio.sleep(0.01)
        raise SubjectFailed("soon")

    async def later(_: Context) -> str:
        begin("later")
        await failed.wait()
        raise PolicyDenied("later")

    async def outside(_: Context) -> str:
        begin("outside")
        try:
            await anyio.sleep(600)
        finally:
            failed.set()
        seen.append("outside")
        return ""

    async def without_end(_: Context) -> str:
        begin("without_end")
        await failed.wait()
        seen.append("without_end")
        await anyio.sleep(600)
        return ""

    async def good(_: Context) -> str:
        begin("good")
        await failed.wait()
        return ""

    async def next_(_: Context) -> str:
        seen.append("next")
        return ""

    rows = [
        *(
            Stage("soon", soon),
            Stage("later", later),
            Stage("outside", outside, uncached=True),
            Stage("without_end", without_end),
        ),
        *(Stage("good", good), Stage("next_", next_, needs=("good",))),
    ]
    run = make_run()
    with anyio.fail_after(60), pytest.raises(ExceptionGroup) as caught:
        await execute(rows, run.once, grace=3)
    assert [str(failure) for failure in caught.value.exceptions] == ["soon", "later"]
    assert (seen, Record.read(run.directory / "good").headline) == (["without_end"], "")


def test_only_the_stages_that_a_target_needs_are_wanted() -> None:
    async def apart(_: Context) -> str:
        return ""

    table = [FIRST, Stage("apart", apart), SECOND, THIRD]
    assert [stage.name for stage in wanted(table, "second")] == ["first", "second"]
    with pytest.raises(UsageError, match="there is no stage fourth"):
        wanted(table, "fourth")


def test_a_run_directory_has_one_run_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(UsageError, match="another run is using"), alone(tmp_path):
        raise AssertionError("two runs in one directory")
    with alone(tmp_path):
        pass


def test_a_run_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"), alone(tmp_path / "file" / "run"):
        raise AssertionError("a directory below a file")


async def test_a_secret_is_seen_only_by_the_stage_that_declares_it(make_run: MakeRun) -> None:
    async def tell(context: Context) -> str:
        return json.dumps(dict(context.secrets))

    secrets = {"TOKEN": "hunter2", "OTHER": "x"}
    assert (await make_run(secrets=secrets).perform(Stage("tell", tell))).headline == "{}"
    with_token = await make_run(secrets=secrets).perform(Stage("tell", tell, secrets=("TOKEN",)))
    assert json.loads(with_token.headline) == {"TOKEN": "hunter2"}
