"""Runs to make reports of: summaries as a run directory would give them, with any part of them changed."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shipseal.engine.table import TABLE
from shipseal.errors import ShipsealError
from shipseal.reporting import evidence
from shipseal.reporting.documents import ONCE, PER_PLATFORM, UNRECORDED, Documents
from shipseal.reporting.summary import Row, RunSummary, StageOutcome, Timing
from tests.cases import match, report
from tests.report.written import bare, reason, verdict

MODELS = (*ONCE, *PER_PLATFORM, *UNRECORDED)
STAGES = [stage.name for stage in TABLE]
START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HOSTILE = (
    "</title></style></textarea>--><script>window.owned = 1</script><img src=x onerror='window.owned=1'>"
    '" onmouseover="window.owned=1" autofocus onfocus=\'window.owned=1\' {{ 7 * 7 }} [x](javascript:owned=1) '
    "<svg onload=window.owned=1><a href=javascript:owned=1>\x1b[31m\u202egnp.exe\u2066\r\n::error::no | `x`"
)


def gathered(root: Path, failure: ShipsealError | None = None, stage: str = "") -> RunSummary:
    """Return the summary of a finished run, or of one that has failed in a stage."""
    if failure is None:
        return evidence.gather(root / ".run", STAGES, policy="rules")
    failure.stage = stage
    return evidence.gather(root / ".run", STAGES, (failure,), STAGES[: STAGES.index(stage)])


def summary(documents: Mapping[str, Any], **changes: Any) -> RunSummary:
    """Return a small summary of what these files say, in which each stage has ended a second after the one before."""
    rows = tuple(Row(stage, StageOutcome.DONE, 1.0, f"{stage} was done") for stage in STAGES)
    timings = {
        stage: Timing(START + timedelta(seconds=index), START + timedelta(seconds=index + 1), TABLE[index].needs)
        for index, stage in enumerate(STAGES)
    }
    values = {"rows": rows, "failures": (), "products": {}, "timings": timings, **changes}
    return RunSummary(values.pop("world", "dry-run"), "run", documents=read(documents), **values)


def many(count: int, packages: int) -> dict[str, Any]:
    """Return the documents of a run with many findings, half of them noted, a tenth denied, the rest excused."""
    names = [f"CVE-2026-{number:05}" for number in range(count)]
    where = [f"lib{number % packages} 1.{number % packages}" for number in range(count)]
    lines = [reason(name, "noted", package) for name, package in zip(names, where, strict=True)]
    tenth = count // 10
    judged = verdict(denied=lines[:tenth], excused=lines[tenth : 5 * tenth], noted=lines[5 * tenth :])
    judged["without_vex"] = {"allowed": False, "denied": list(map(bare, lines[: 5 * tenth]))}
    matches = [
        match(name, f"pkg:deb/debian/{each.replace(' ', '@')}", "High") for name, each in zip(names, where, strict=True)
    ]
    return {"assess/verdict.json": judged, "scan/grype.json": {"linux/amd64": report(matches, "2026-11-25T00:00:00Z")}}


def read(documents: Mapping[str, Any]) -> Documents:
    """Return documents as a report has them of files that hold these values."""
    return Documents.of((name, json.dumps(value).encode()) for name, value in documents.items())


def left(root: Path, summary: RunSummary) -> dict[str, Any]:
    """Return what the documents of a run say, as they lie there."""
    return {name: json.loads((root / ".run" / name).read_bytes()) for name in summary.documents.known}


def poisoned(name: str, value: Any) -> Any:
    """Return a document that its model still takes, with a hostile text at the end of each text that may be any."""
    changed = altered(value, hostile)
    stage, *_, file = name.split("/")
    [model] = [each for each in MODELS if stage == each.STAGE and file == each.NAME]
    try:
        model.model_validate_json(json.dumps(changed), by_alias=True, by_name=False)
    except ValidationError as error:
        for problem in error.errors():
            _restore(changed, value, [key for key in problem["loc"] if not str(key).startswith("=")])
    assert read({name: changed}).unknown == {}
    return changed


def _restore(changed: Any, value: Any, place: list[int | str]) -> None:
    """Put back the text that stood in a place."""
    for key in place[:-1]:
        changed, value = changed[key], value[key]
    changed[place[-1]] = value[place[-1]]


def hostile(text: str) -> str:
    """Return a text with the hostile one at its end."""
    return text + HOSTILE


def replaced(value: Any, other: Any) -> Any:
    """Return a document with something else in the place of every text in it."""
    return altered(value, lambda _: other)


def altered(value: Any, change: Callable[[Any], Any], *, keys: bool = False, kind: type = str) -> Any:
    """Return a document with every text in it changed, or every value of another kind."""
    if type(value) is kind:
        return change(value)
    if isinstance(value, list):
        return [altered(each, change, keys=keys, kind=kind) for each in value]
    if isinstance(value, dict):
        inner = {name: altered(each, change, keys=keys, kind=kind) for name, each in value.items()}
        return {change(name) if keys else name: each for name, each in inner.items()}
    return value


__all__ = ["HOSTILE", "STAGES", "START", "match", "report"]
