"""The host engine: run the table in this process, each stage as soon as its needs are done."""

from collections.abc import Sequence

import anyio

from pipeline.errors import UsageError
from pipeline.record import Record
from pipeline.run import Run
from pipeline.stage import Stage


def wanted(table: Sequence[Stage], *targets: str) -> list[Stage]:
    """Return the rows that targets need, themselves included, in the order of the table."""
    rows = {stage.name: stage for stage in table}
    pending, names = list(targets), set()
    while pending:
        name = pending.pop()
        if name not in rows:
            raise UsageError(f"there is no stage {name}", do=f"choose one of {', '.join(rows)}")
        names.add(name)
        pending.extend(need for need in rows[name].needs if need not in names)
    return [stage for stage in table if stage.name in names]


async def execute(stages: Sequence[Stage], run: Run) -> dict[str, Record]:
    """Run stages side by side as their needs allow; return the record of each.

    Raises:
        ExceptionGroup: of the failures, after the other stages have been stopped.
    """
    done = {stage.name: anyio.Event() for stage in stages}
    records: dict[str, Record] = {}

    async def one(stage: Stage) -> None:
        for need in stage.needs:
            await done[need].wait()
        records[stage.name] = run.kept(stage) or await run.perform(stage)
        done[stage.name].set()

    async with anyio.create_task_group() as group:
        for stage in stages:
            group.start_soon(one, stage)
    return records
