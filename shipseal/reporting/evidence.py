"""Read what a run has left in its directory, whether it ended well or not: what is there, and what is not."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from shipseal.documents.previous_image import EarlierImage
from shipseal.engine.record import Record
from shipseal.engine.table import TABLE
from shipseal.errors import PolicyDenied, ShipsealError, UsageError, VerificationFailed
from shipseal.project.config import Config
from shipseal.reporting.documents import ONCE, PER_PLATFORM, UNRECORDED, Documents, Unreadable, name
from shipseal.reporting.summary import Row, RunSummary, StageOutcome, Timing, describe

_LARGEST = 256 << 20  # bytes of one document: what is larger was made by nobody that we know
_NEEDS = {stage.name: stage.needs for stage in TABLE}


def gather(
    run_dir: Path,
    stages: Sequence[str],
    failures: Sequence[ShipsealError] = (),
    reached: Collection[str] | None = None,
    policy: str = "policy",
) -> RunSummary:
    """Read a run directory; nothing in it makes this fail.

    Args:
        run_dir: the run directory; it need not exist.
        stages: the names of the table's stages, in its order.
        failures: what ended the run, each with the stage that it ended in.
        reached: the stages that this run has finished or kept. A run that failed may stand beside results of an
            earlier one, which say nothing of it. `None` when all that is there counts.
        policy: the directory of the project's policy, as `policy_of` has it.
    """
    run_id, world, as_of = _identity(run_dir / "run.json")
    counted = set(stages if reached is None else reached) - {failure.stage for failure in failures}
    records = {stage: _record(run_dir / stage) if stage in counted else None for stage in stages}
    finished = {stage: record for stage, record in records.items() if isinstance(record, Record)}
    products = dict(_products(finished))
    failed = {failure.stage: failure for failure in failures}
    return RunSummary(
        world=world,
        run_id=run_id,
        rows=tuple(_row(run_dir, stage, records[stage], failed, run_id) for stage in stages),
        documents=Documents.of((path, _bytes(run_dir / path)) for path in _named(run_dir, finished, products)),
        failures=tuple(failures),
        products=products,
        as_of=as_of,
        timings=dict(_timings(finished)),
        policy=policy,
    )


def policy_of(config: Config) -> str:
    """Return where a project keeps its policy, from its own directory."""
    directory = config.policy.directory
    return str(directory.relative_to(config.root) if directory.is_relative_to(config.root) else directory)


def previous_image(run_dir: Path) -> EarlierImage:
    """Return what `image/image.json` of another run says; raise `UsageError` where nothing there is one."""
    data = _bytes(run_dir / "image" / "image.json")
    try:
        if isinstance(data, Unreadable):
            raise VerificationFailed("it cannot be read", why=data.why)
        return EarlierImage.parse(data)
    except VerificationFailed as error:
        what = f"{run_dir} holds no image of an earlier run"
        raise UsageError(
            what, why=error.why, remedy="name the run directory of a release, or leave --since out"
        ) from error


def _named(run_dir: Path, finished: Collection[str], products: Collection[str]) -> Iterator[str]:
    """Yield the names of the documents that are looked for."""
    yield from (name(model) for model in ONCE if model.STAGE in finished)
    for model in PER_PLATFORM:
        yield from (path for path in products if path.startswith(f"{model.STAGE}/") and path.endswith(f"/{model.NAME}"))
    yield from (name(model) for model in UNRECORDED if (run_dir / name(model)).exists())


def _bytes(path: Path) -> bytes | Unreadable:
    try:
        if path.stat().st_size > _LARGEST:
            return Unreadable(f"it is larger than {_LARGEST:,} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        return Unreadable(f"{type(error).__name__}: {error}")


def _identity(path: Path) -> tuple[str, str, str]:
    """Return what `run.json` says of a run: its identity, its world, and the time that dates are judged by."""
    data = _bytes(path)
    about: object = None
    with suppress(ValueError, RecursionError):
        about = json.loads(data) if isinstance(data, bytes) else None
    known = about if isinstance(about, dict) else {}
    run_id, world, as_of = (str(known.get(key, "")) for key in ("run_id", "world", "as_of"))
    return run_id, world, as_of


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
    run_dir: Path, stage: str, record: Record | str | None, failed: Mapping[str, ShipsealError], run_id: str
) -> Row:
    failure = failed.get(stage)
    if failure is not None:
        outcome = StageOutcome.DENIED if isinstance(failure, PolicyDenied) else StageOutcome.FAILED
        return Row(stage, outcome, None, describe(outcome, failure, ended=True))
    if isinstance(record, str):
        return Row(stage, StageOutcome.FAILED, None, record)
    if record is None:
        outcome = StageOutcome.UNFINISHED if (run_dir / f"{stage}.part").exists() else StageOutcome.NOT_RUN
        return Row(stage, outcome, None, describe(outcome, None, ended=bool(failed)))
    outcome = StageOutcome.DONE if record.run_id == run_id else StageOutcome.KEPT
    return Row(stage, outcome, _seconds(record), record.headline)


def _timings(records: Mapping[str, Record]) -> Iterator[tuple[str, Timing]]:
    for stage, record in records.items():
        with suppress(ValueError, TypeError):
            started, finished = datetime.fromisoformat(record.started), datetime.fromisoformat(record.finished)
            if finished >= started:  # one that knows its offset and one that does not cannot be compared either
                yield stage, Timing(started, finished, _NEEDS.get(stage, ()))


def _seconds(record: Record) -> float | None:
    try:
        return (datetime.fromisoformat(record.finished) - datetime.fromisoformat(record.started)).total_seconds()
    except (ValueError, TypeError):
        return None


def _products(records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    for stage, record in records.items():
        for path, digest in record.products.items():
            yield f"{stage}/{path}", str(digest)
