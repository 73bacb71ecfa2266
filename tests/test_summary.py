"""The end of a run says what each stage gave, and never more than the evidence does."""

from typing import Any

import pytest

from shipseal.errors import SubjectFailed
from shipseal.reporting.summary import (
    Row,
    RunSummary,
    StageOutcome,
    describe,
    lines,
    not_run,
    real,
    stand_ins,
    warnings,
)
from tests.report import runs
from tests.report.written import database, emulated, image, smoke

STAGES = ("build", "scan", "attest", "publish", "verify", "deploy")


def summary(world: str = "dry-run", *, rows: tuple[Row, ...] | None = None, **documents: Any) -> RunSummary:
    every = tuple(Row(stage, StageOutcome.DONE, 1.25, f"{stage} headline") for stage in STAGES)
    named = {name.replace("__", "/") + ".json": value for name, value in documents.items()}
    return RunSummary(world, "run", every if rows is None else rows, runs.read(named), (), {})


def test_each_stage_has_one_line_with_time_result_and_headline() -> None:
    assert lines(summary())[0] == "build       1.2 s  done        build headline"


def test_a_stage_without_a_time_shows_none() -> None:
    [line, *_] = lines(summary(rows=(Row("deploy", StageOutcome.NOT_RUN, None, "not asked for"),)))
    assert line == "deploy         -  not run     not asked for"


def test_the_three_questions_are_answered_even_when_the_answer_is_nothing() -> None:
    said = lines(summary("release", rows=()))
    assert [line for line in said if line.endswith(":")] == ["real:", "local stand-in:", "not run:"]
    assert said.count("  nothing") == 3


def test_a_dry_run_says_that_its_signatures_are_those_of_a_local_test_authority() -> None:
    assert any("signed by a local test authority" in fact for fact in stand_ins(summary()))
    assert any("local test authority" in warning for warning in warnings(summary()))


def test_a_release_has_neither_a_stand_in_nor_a_warning() -> None:
    full = summary("release", scan__database=database(sample=False))
    assert stand_ins(full) == []
    assert warnings(full) == []


def test_a_directory_that_does_not_tell_its_world_is_taken_for_the_lesser_one() -> None:
    assert summary("").locally_signed


def test_a_sample_database_is_a_stand_in_and_a_warning() -> None:
    run = summary(scan__database=database())
    assert any("SAMPLE" in fact for fact in stand_ins(run))
    assert any("SAMPLE" in warning for warning in warnings(run))
    assert not any("database" in fact for fact in real(run))


def test_a_full_database_is_named_with_its_date() -> None:
    assert "the vulnerability database, built 2026-11-01T00:00:00Z" in real(
        summary(scan__database=database(sample=False))
    )


def test_a_database_that_does_not_say_is_taken_for_a_sample() -> None:
    silent = {key: value for key, value in database(sample=False).items() if key != "sample"}
    assert summary(scan__database=silent).sample is True
    assert any("SAMPLE" in fact for fact in stand_ins(summary(scan__database=[])))


def test_without_a_scan_nothing_is_said_of_a_database() -> None:
    assert summary().sample is None
    assert not any("database" in fact for fact in [*real(summary()), *stand_ins(summary())])


def test_what_did_not_finish_is_not_called_real() -> None:
    run = summary(
        rows=(Row("attest", StageOutcome.FAILED, None, "no"), Row("publish", StageOutcome.NOT_RUN, None, "no"))
    )
    assert real(run) == []
    assert stand_ins(run) == []
    assert warnings(run) == []


def test_a_kept_stage_counts_as_done() -> None:
    assert summary(rows=(Row("attest", StageOutcome.KEPT, 1, ""),)).finished("attest")


def test_a_stage_that_was_not_run_is_listed_with_its_reason() -> None:
    run = summary(rows=(Row("deploy", StageOutcome.NOT_RUN, None, "not asked for"),))
    assert "deploy: not asked for" in not_run(run)


def test_a_dry_run_lists_the_remote_services_that_it_did_not_ask() -> None:
    assert any("public Sigstore" in fact for fact in not_run(summary()))
    assert not_run(summary("release")) == []


def test_a_platform_that_was_not_started_is_listed() -> None:
    run = summary(image__image=image("linux/amd64", "linux/arm64"), smoke__smoke=smoke())
    assert "smoke on linux/arm64: the image was started on linux/amd64 only" in not_run(run)
    assert not any("smoke on linux/amd64" in fact for fact in not_run(run))


def test_a_platform_that_was_emulated_is_a_stand_in_and_one_that_was_not_says_why() -> None:
    def run(how: dict[str, object]) -> RunSummary:
        return summary(
            image__image=image("linux/amd64", "linux/arm64"),
            smoke__smoke=smoke(isolation="docker", emulated={"linux/arm64": how}),
        )

    done = run(emulated(started=True))
    assert "the processor of linux/arm64: qemu-aarch64-static, which answered 3 requests" in stand_ins(done)
    assert not any("arm64" in fact for fact in not_run(done))
    left = run(emulated(started=False, why="qemu-aarch64-static is not installed on this machine"))
    assert any(fact.endswith("only; qemu-aarch64-static is not installed on this machine") for fact in not_run(left))


def test_docker_is_real_and_anything_else_a_stand_in_that_says_what_it_lacks() -> None:
    docker = summary(smoke__smoke=smoke(isolation="docker"))
    assert "Docker, which started the image" in real(docker)
    loader = summary(smoke__smoke=smoke(isolation="loader", limits="none at all"))
    assert not any("Docker" in fact for fact in real(loader))
    assert "the container runtime: loader; isolation: none at all" in stand_ins(loader)


@pytest.mark.parametrize("outcome", list(StageOutcome))
@pytest.mark.parametrize("ended", [True, False])
def test_every_outcome_is_described(outcome: StageOutcome, ended: bool) -> None:
    described = describe(outcome, SubjectFailed("2 tests failed"), ended)
    assert described or outcome in {StageOutcome.DONE, StageOutcome.KEPT}


def test_what_lies_behind_a_failure_was_not_reached_and_was_not_unwanted() -> None:
    assert describe(StageOutcome.NOT_RUN, None, ended=True) == "the run ended before it"
    assert describe(StageOutcome.NOT_RUN, None, ended=False) == "not asked for"
