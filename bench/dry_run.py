"""Measure the dry run: as a whole, by stage, and beside the tools that it cannot do without: `python -m bench.dry_run`.

"Tools" are the processes that a stage starts (pip, pytest, Syft, Cosign, …), whose times its record keeps. What is left
of a stage is ours. A run takes as long as its critical path: the chain of stages that waited for each other longest.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shipseal.engine.record import Record
from shipseal.engine.table import TABLE
from shipseal.project.config import HOME


@dataclass(frozen=True)
class Row:
    """One finished stage; times in seconds, `began` since the run began."""

    stage: str
    began: float
    seconds: float
    tools: float
    needs: tuple[str, ...]


def rows(run: Path) -> dict[str, Row]:
    """Read the records of a run directory."""
    records = {stage.name: Record.read(run / stage.name) for stage in TABLE}
    times = {name: _times(record) for name, record in records.items()}
    zero = min(began for began, _ in times.values())
    return {
        stage.name: Row(
            stage.name,
            times[stage.name][0] - zero,
            times[stage.name][1] - times[stage.name][0],
            _together(records[stage.name]),
            stage.needs,
        )
        for stage in TABLE
    }


def _times(record: Record) -> tuple[float, float]:
    started, finished = (datetime.fromisoformat(text).timestamp() for text in (record.started, record.finished))
    return started, finished


def _together(record: Record) -> float:
    """Return how long a stage's tools ran, at most as long as the stage: some run side by side, servers all along."""
    spent = sum(command.seconds for command in record.commands if command.arguments[:1] != ("serve",))
    started, finished = _times(record)
    return min(spent, finished - started)


def critical_path(measured: dict[str, Row], last: str = "report") -> list[Row]:
    """Return the chain of stages that decided when the last one ended: before each, the need that ended last."""
    path = [measured[last]]
    while path[-1].needs:
        path.append(max((measured[need] for need in path[-1].needs), key=lambda row: row.began + row.seconds))
    return path[::-1]


def table(measured: dict[str, Row], whole: float) -> Iterator[str]:
    """Yield the lines of the table, and the ratios."""
    path = critical_path(measured)
    yield "| stage | began | took | tools | ours | on the critical path |"
    yield "| --- | ---: | ---: | ---: | ---: | --- |"
    for row in measured.values():
        mark = "yes" if row in path else ""
        ours = row.seconds - row.tools
        yield f"| {row.stage} | {row.began:.2f} s | {row.seconds:.2f} s | {row.tools:.2f} s | {ours:.2f} s | {mark} |"
    tools = sum(row.tools for row in path)
    yield ""
    yield f"whole run, start of the command included: {whole:.2f} s; critical path: {' > '.join(r.stage for r in path)}"
    yield f"tools on the critical path: {tools:.2f} s; whole run / tools: {whole / tools:.2f}"


def _run(run: Path) -> float:
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "shipseal", "dry-run", "--run-dir", run], cwd=HOME, check=True, capture_output=True
    )
    return time.monotonic() - began


def main() -> None:
    """Run the dry run twice in a directory of its own: with nothing kept, then with everything kept that can be."""
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        run = Path(work) / "run"
        whole = _run(run)
        print("# dry run, inputs in the store, nothing kept\n", *table(rows(run), whole), sep="\n")
        print(f"\nthe same again, with what can be kept: {_run(run):.2f} s")
        size = sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
        print(f"the run directory holds {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
