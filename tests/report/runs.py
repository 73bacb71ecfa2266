"""Runs to make reports of: summaries as a run directory would give them, with any part of them changed."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from shipseal.engine.table import TABLE
from shipseal.errors import ShipsealError
from shipseal.reporting import evidence
from shipseal.reporting.summary import Outcome, Row, Summary, Timing
from tests.cases import match, report

STAGES = [stage.name for stage in TABLE]
DIGEST = "sha256:" + "a" * 64
START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HOSTILE = (
    "</title></style></textarea>--><script>window.owned = 1</script><img src=x onerror='window.owned=1'>"
    '" onmouseover="window.owned=1" autofocus onfocus=\'window.owned=1\' {{ 7 * 7 }} [x](javascript:owned=1) '
    "<svg onload=window.owned=1><a href=javascript:owned=1>\x1b[31m\u202egnp.exe\u2066\r\n::error::no | `x`"
)


def gathered(root: Path, failure: ShipsealError | None = None, stage: str = "") -> Summary:
    """Return the summary of a finished run, or of one that has failed in a stage."""
    if failure is None:
        return evidence.gather(root / ".run", STAGES, policy="rules")
    failure.stage = stage
    return evidence.gather(root / ".run", STAGES, (failure,), STAGES[: STAGES.index(stage)])


def summary(documents: Mapping[str, Any], **changes: Any) -> Summary:
    """Return a small summary in which every stage has ended, each a second after the one before it."""
    rows = tuple(Row(stage, Outcome.DONE, 1.0, f"{stage} was done") for stage in STAGES)
    timings = {
        stage: Timing(START + timedelta(seconds=index), START + timedelta(seconds=index + 1), TABLE[index].needs)
        for index, stage in enumerate(STAGES)
    }
    values = {"rows": rows, "unreadable": {}, "failures": (), "products": {}, "timings": timings, **changes}
    return Summary(values.pop("world", "dry-run"), "run", documents=documents, **values)


def reason(name: str, code: str, package: str = "zlib 1.2", **changes: str) -> dict[str, str]:
    """Return a line of a verdict."""
    said = {"message": f"{name} in {package}", "remedy": "upgrade", "until": "", "provider": "debian"}
    return {"code": code, "finding": name, "package": package, **said, **changes}


def verdict(**kinds: Any) -> dict[str, Any]:
    """Return a verdict in which the kinds named have these reasons."""
    empty: dict[str, Any] = {"denied": [], "excused": [], "noted": [], "notices": [], "judged": "2026-11-25T12:00:00Z"}
    return {"version": 2, "allowed": not kinds.get("denied"), **empty, **kinds}


def many(count: int, packages: int) -> dict[str, Any]:
    """Return the documents of a run with many findings, half of them noted, a tenth denied, the rest excused."""
    names = [f"CVE-2026-{number:05}" for number in range(count)]
    where = [f"lib{number % packages} 1.{number % packages}" for number in range(count)]
    lines = [reason(name, "noted", package) for name, package in zip(names, where, strict=True)]
    tenth = count // 10
    judged = verdict(denied=lines[:tenth], excused=lines[tenth : 5 * tenth], noted=lines[5 * tenth :])
    judged["without_vex"] = {"allowed": False, "denied": lines[: 5 * tenth]}
    matches = [
        match(name, f"pkg:deb/debian/{each.replace(' ', '@')}", "High") for name, each in zip(names, where, strict=True)
    ]
    return {"assess/verdict.json": judged, "scan/grype.json": {"linux/amd64": report(matches, "2026-11-25T00:00:00Z")}}


def attacked(*refused: bool) -> dict[str, Any]:
    """Return what `attack` writes of attacks, each refused by the check that should refuse it, or by none."""
    control = {"name": "untouched", "did": "nothing", "expected": "accepted", "refused_by": "", "ok": True}
    made = [
        {
            **control,
            "name": f"attack {number}",
            "expected": "digest",
            "refused_by": "digest" if each else "",
            "ok": each,
        }
        for number, each in enumerate(refused)
    ]
    return {"image": DIGEST, "ok": all(refused), "control": [control], "attacks": made, "left_out": {"age": "no bound"}}


def poisoned(value: Any, *, keys: bool = False) -> Any:
    """Return a document with a hostile text at the end of each text in it, and of each name of a field if asked."""
    return altered(value, lambda text: text + HOSTILE, keys=keys)


def replaced(value: Any, other: Any) -> Any:
    """Return a document with something else in the place of every text in it."""
    return altered(value, lambda _: other)


def altered(value: Any, change: Callable[[str], Any], *, keys: bool = False) -> Any:
    """Return a document with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [altered(each, change, keys=keys) for each in value]
    if isinstance(value, dict):
        return {change(name) if keys else name: altered(each, change, keys=keys) for name, each in value.items()}
    return value


__all__ = ["DIGEST", "HOSTILE", "STAGES", "START", "match", "report"]
