"""A run directory is read as it is: whole, broken off, altered, or not there at all."""

import gc
import json
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.documents.scan import DatabaseDocument
from shipseal.engine.record import Record, products
from shipseal.errors import PolicyDenied, SubjectFailed
from shipseal.reporting.documents import Documents, NotKnown, NotThere
from shipseal.reporting.evidence import gather
from shipseal.reporting.summary import StageOutcome
from tests.report.written import database

STAGES = ("build", "scan", "admit", "attest")


def leave(run_dir: Path, stage: str, files: dict[str, object], run_id: str = "now") -> Path:
    """Write what a finished stage leaves: its products, and its record."""
    directory = run_dir / stage
    directory.mkdir(parents=True)
    for name, value in files.items():
        (directory / name).write_text(json.dumps(value))
    Record(
        stage=stage,
        run_id=run_id,
        world="dry-run",
        key=Digest.of(b"key"),
        headline=f"{stage} is done",
        commands=(),
        tools={},
        materials={},
        products=products(directory),
        started="2026-11-01T10:00:00.000+00:00",
        finished="2026-11-01T10:00:02.500+00:00",
    ).write(directory)
    return directory


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    (tmp_path / "run.json").write_text(json.dumps({"run_id": "now", "world": "dry-run", "ended": False}))
    leave(tmp_path, "build", {}, run_id="earlier")
    leave(tmp_path, "scan", {"database.json": database()})
    return tmp_path


def outcomes(summary_rows: object) -> dict[str, StageOutcome]:
    assert isinstance(summary_rows, tuple)
    return {row.stage: row.outcome for row in summary_rows}


def test_each_stage_of_the_table_has_a_row_in_its_order(run_dir: Path) -> None:
    assert [row.stage for row in gather(run_dir, STAGES).rows] == list(STAGES)


def test_a_result_of_this_run_is_done_and_one_of_an_earlier_run_is_kept(run_dir: Path) -> None:
    found = outcomes(gather(run_dir, STAGES).rows)
    assert (found["scan"], found["build"]) == (StageOutcome.DONE, StageOutcome.KEPT)


def test_time_and_headline_come_from_the_record(run_dir: Path) -> None:
    row = gather(run_dir, STAGES).rows[1]
    assert (row.seconds, row.text) == (2.5, "scan is done")


def test_a_denied_run_is_told_apart_from_a_failed_one(run_dir: Path) -> None:
    denied, failed = PolicyDenied("no"), SubjectFailed("broken")
    denied.stage, failed.stage = "admit", "attest"
    found = outcomes(gather(run_dir, STAGES, [denied, failed]).rows)
    assert (found["admit"], found["attest"]) == (StageOutcome.DENIED, StageOutcome.FAILED)


def test_what_stands_behind_a_failure_says_that_the_run_ended_before_it(run_dir: Path) -> None:
    denied = PolicyDenied("no")
    denied.stage = "admit"
    assert gather(run_dir, STAGES, [denied]).rows[-1].text == "the run ended before it"


def test_a_half_written_stage_is_unfinished_and_no_result(run_dir: Path) -> None:
    (run_dir / "attest.part").mkdir()
    assert outcomes(gather(run_dir, STAGES).rows)["attest"] is StageOutcome.UNFINISHED


def test_a_stage_altered_after_it_had_finished_is_not_believed(run_dir: Path) -> None:
    (run_dir / "scan" / "database.json").write_text('{"sample": false}')
    found = gather(run_dir, STAGES)
    assert outcomes(found.rows)["scan"] is StageOutcome.FAILED
    assert "altered" in found.rows[1].text
    assert found.documents == Documents()


def test_a_failed_run_does_not_borrow_the_results_that_an_earlier_one_has_left(run_dir: Path) -> None:
    leave(run_dir, "attest", {}, run_id="earlier")
    denied = PolicyDenied("no")
    denied.stage = "admit"
    found = gather(run_dir, STAGES, [denied], reached={"build", "scan"})
    assert outcomes(found.rows)["attest"] is StageOutcome.NOT_RUN
    assert not any(name.startswith("attest/") for name in found.products)


def test_documents_are_read_and_products_are_named_with_their_digests(run_dir: Path) -> None:
    found = gather(run_dir, STAGES)
    path = run_dir / "scan" / "database.json"
    assert found.documents.known == {"scan/database.json": DatabaseDocument.parse(path.read_bytes())}
    assert found.products == {"scan/database.json": str(Digest.of_file(path))}


def test_a_document_of_another_shape_is_told_with_what_is_wrong(tmp_path: Path) -> None:
    leave(tmp_path, "scan", {"database.json": {**database(), "sample": "no", "more": 1}})
    found = gather(tmp_path, STAGES).documents
    assert found.known == {}
    why = "sample: 'no' is neither true nor false; more: there is no such key"
    assert found.unknown["scan/database.json"] == f"is of an unknown shape ({why})"
    assert (found.get(DatabaseDocument), DatabaseDocument in found) == (None, True)
    with pytest.raises(NotKnown, match="is of an unknown shape"):
        found.need(DatabaseDocument)


def test_of_a_document_that_nobody_has_left_that_is_said() -> None:
    assert DatabaseDocument not in Documents()
    with pytest.raises(NotThere, match="scan has left nothing in this run"):
        Documents().need(DatabaseDocument)


def test_a_document_that_is_not_json_is_told_with_the_reason(tmp_path: Path) -> None:
    directory = tmp_path / "scan"
    directory.mkdir()
    (directory / "database.json").write_text("{")
    leave(tmp_path, "other", {})
    record = Record.read(tmp_path / "other")
    Record(**{**vars(record), "products": products(directory)}).write(directory)
    assert "it is not JSON" in gather(tmp_path, STAGES).documents.unknown["scan/database.json"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"run_id": 3}'])
def test_a_broken_run_file_hides_nothing_of_the_stages(run_dir: Path, content: str) -> None:
    (run_dir / "run.json").write_text(content)
    assert gather(run_dir, STAGES).finished("scan")


def test_a_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    found = gather(tmp_path / "nowhere", STAGES)
    assert set(outcomes(found.rows).values()) == {StageOutcome.NOT_RUN}
    assert (found.world, found.run_id) == ("", "")


@pytest.mark.parametrize("data", [b"{", json.dumps(database()).encode()], ids=["half a document", "a whole one"])
def test_reading_a_document_leaves_the_search_for_garbage_as_it_was(data: bytes) -> None:
    for collects, choose in ((False, gc.disable), (True, gc.enable)):
        choose()
        Documents.of([("scan/database.json", data)])
        assert gc.isenabled() is collects
