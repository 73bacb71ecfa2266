"""Read what a run has left in its directory, whether it ended well or not: what is there, and what is not."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from shipseal.engine.record import Record
from shipseal.engine.table import TABLE
from shipseal.errors import PolicyDenied, ShipsealError, UsageError, VerificationFailed
from shipseal.project.config import Config
from shipseal.reporting.summary import Outcome, Row, Summary, Timing, describe

_DOCUMENTS = (
    "facts/facts.json",
    "tools/tools.json",
    "image/image.json",
    "smoke/smoke.json",
    "scan/database.json",
    "scan/grype.json",
    "assess/verdict.json",
    "publish/receipt.json",
    "verify/verification.json",
    "verify/discovery.json",
    "promote/tags.json",
    "deploy/receipt.json",
)
_BESIDE = ("attack/attack.json",)  # what no stage has made, and no record vouches for
_LARGEST = 256 << 20  # bytes of one document: what is larger was made by nobody that we know
_NEEDS = {stage.name: stage.needs for stage in TABLE}


def gather(
    run_dir: Path,
    stages: Sequence[str],
    failures: Sequence[ShipsealError] = (),
    reached: Collection[str] | None = None,
    policy: str = "policy",
) -> Summary:
    """Read a run directory; nothing in it makes this fail.

    Args:
        run_dir: the run directory; it need not exist.
        stages: the names of the table's stages, in its order.
        failures: what ended the run, each with the stage that it ended in.
        reached: the stages that this run has finished or kept. A run that failed may stand beside results of an
            earlier one, which say nothing of it. `None` when all that is there counts.
        policy: the directory of the project's policy, as `policy_of` has it.
    """
    run = _json(run_dir / "run.json")
    about = run if isinstance(run, dict) else {}
    run_id, world, as_of = (str(about.get(key, "")) for key in ("run_id", "world", "as_of"))
    counted = set(stages if reached is None else reached) - {failure.stage for failure in failures}
    records = {stage: _record(run_dir / stage) if stage in counted else None for stage in stages}
    finished = {stage: record for stage, record in records.items() if isinstance(record, Record)}
    products = dict(_products(finished))
    named = [*_DOCUMENTS, *(name for name in products if name.startswith("sbom/") and name.endswith(".syft.json"))]
    documents = {name: _json(run_dir / name) for name in named if name.partition("/")[0] in finished}
    documents |= {name: _json(run_dir / name) for name in _BESIDE if (run_dir / name).exists()}
    failed = {failure.stage: failure for failure in failures}
    return Summary(
        world=world,
        run_id=run_id,
        rows=tuple(_row(run_dir, stage, records[stage], failed, run_id) for stage in stages),
        documents={name: value for name, value in documents.items() if not isinstance(value, _Unreadable)},
        unreadable={name: value.why for name, value in documents.items() if isinstance(value, _Unreadable)},
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


def earlier(run_dir: Path) -> Any:
    """Return what `image/image.json` of another run says; raise `UsageError` where nothing there is one."""
    value = _json(run_dir / "image" / "image.json")
    if isinstance(value, _Unreadable):
        what = f"{run_dir} holds no image of an earlier run"
        raise UsageError(what, why=value.why, do="name the run directory of a release, or leave --since out")
    return value


class _Unreadable:
    """A file that should be there and cannot be read, with the reason."""

    def __init__(self, why: str) -> None:
        self.why = why


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST:
            return _Unreadable(f"it is larger than {_LARGEST:,} bytes")
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
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
    run_dir: Path, stage: str, record: Record | str | None, failed: Mapping[str, ShipsealError], run_id: str
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
        for name, digest in record.products.items():
            yield f"{stage}/{name}", str(digest)
