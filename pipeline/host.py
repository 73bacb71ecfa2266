"""The host engine: run the table in this process, each stage as soon as its needs are done."""

from collections.abc import Sequence

import anyio

from pipeline.errors import UsageError
from pipeline.record import Record
from pipeline.run import Run
from pipeline.stage import Stage

_GRACE = 60.0  # most of what it is for takes a few seconds


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


async def execute(stages: Sequence[Stage], run: Run, *, grace: float = _GRACE) -> dict[str, Record]:
    """Run stages side by side as their needs allow; return the record of each.

    Args:
        grace: seconds that stages get that run beside one that has failed, and use nothing but this machine: whoever
            has two faults is told both at once.

    Raises:
        ExceptionGroup: of the failures. Nothing is begun after the first; what is live or has a network is stopped.
    """
    done = {stage.name: anyio.Event() for stage in stages}
    scopes = {stage.name: anyio.CancelScope() for stage in stages}
    begun: set[str] = set()
    records: dict[str, Record] = {}
    failures: list[Exception] = []

    async def one(stage: Stage) -> None:
        with scopes[stage.name]:
            for need in stage.needs:
                await done[need].wait()
            begun.add(stage.name)
            try:
                records[stage.name] = run.kept(stage) or await run.perform(stage)
                done[stage.name].set()
            except Exception as failure:
                failures.append(failure)
                end()

    def end() -> None:
        for stage in stages:
            scope = scopes[stage.name]
            if stage.name in begun and not (stage.live or stage.network):
                scope.deadline = min(scope.deadline, anyio.current_time() + grace)
            else:
                scope.cancel()

    async with anyio.create_task_group() as group:
        for stage in stages:
            group.start_soon(one, stage)
    if failures:
        raise ExceptionGroup("stages failed", failures)
    return records
