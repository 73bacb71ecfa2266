"""Read what a run has left in its directory, whether it ended well or not: what is there, and what is not."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.engine.record import Record
from pipeline.errors import PipelineError, PolicyDenied, VerificationFailed
from pipeline.reporting.summary import Outcome, Row, Summary, describe

_DOCUMENTS = (
    "facts/facts.json",
    "image/image.json",
    "smoke/smoke.json",
    "scan/database.json",
    "assess/verdict.json",
    "publish/receipt.json",
    "verify/verification.json",
    "promote/tags.json",
    "deploy/receipt.json",
)


def gather(
    run_dir: Path,
    stages: Sequence[str],
    failures: Sequence[PipelineError] = (),
    reached: Collection[str] | None = None,
) -> Summary:
    """Read a run directory; nothing in it makes this fail.

    Args:
        run_dir: the run directory; it need not exist.
        stages: the names of the table's stages, in its order.
        failures: what ended the run, each with the stage that it ended in.
        reached: the stages that this run has finished or kept. A run that failed may stand beside results of an
            earlier one, which say nothing of it. `None` when all that is there counts.
    """
    run = _json(run_dir / "run.json")
    about = run if isinstance(run, dict) else {}
    run_id, world, as_of = (str(about.get(key, "")) for key in ("run_id", "world", "as_of"))
    counted = set(stages if reached is None else reached) - {failure.stage for failure in failures}
    records = {stage: _record(run_dir / stage) if stage in counted else None for stage in stages}
    finished = {stage: record for stage, record in records.items() if isinstance(record, Record)}
    documents = {name: _json(run_dir / name) for name in _DOCUMENTS if name.partition("/")[0] in finished}
    failed = {failure.stage: failure for failure in failures}
    return Summary(
        world=world,
        run_id=run_id,
        rows=tuple(_row(run_dir, stage, records[stage], failed, run_id) for stage in stages),
        documents={name: value for name, value in documents.items() if not isinstance(value, _Unreadable)},
        unreadable={name: value.why for name, value in documents.items() if isinstance(value, _Unreadable)},
        failures=tuple(failures),
        products=dict(_products(finished)),
        as_of=as_of,
    )


class _Unreadable:
    """A file that should be there and cannot be read, with the reason."""

    def __init__(self, why: str) -> None:
        self.why = why


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        return _Unreadable(f"{type(error).__name__}: {error}")


def _record(directory: Path) -> Record | str | None:
    """Return the record, why it cannot be believed, or `None` when the stage did not finish."""
    try:
        record = Record.read(directory)
        record.check(directory)
    except FileNotFoundError:
        return None
    except (OSError, VerificationFailed) as error:
        return str(error)
    return record


def _row(
    run_dir: Path, stage: str, record: Record | str | None, failed: Mapping[str, PipelineError], run_id: str
) -> Row:
    failure = failed.get(stage)
    if failure is not None:
        outcome = Outcome.DENIED if isinstance(failure, PolicyDenied) else Outcome.FAILED
        return Row(stage, outcome, None, describe(outcome, failure, ended=True))
    if isinstance(record, str):
        return Row(stage, Outcome.FAILED, None, record)
    if record is None:
        outcome = Outcome.UNFINISHED if (run_dir / f"{stage}.part").exists() else Outcome.NOT_RUN
        return Row(stage, outcome, None, describe(outcome, None, ended=bool(failed)))
    outcome = Outcome.DONE if record.run_id == run_id else Outcome.KEPT
    return Row(stage, outcome, _seconds(record), record.headline)


def _seconds(record: Record) -> float | None:
    try:
        return (datetime.fromisoformat(record.finished) - datetime.fromisoformat(record.started)).total_seconds()
    except (ValueError, TypeError):
        return None


def _products(records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    for stage, record in records.items():
        for name, digest in record.products.items():
            yield f"{stage}/{name}", str(digest)
