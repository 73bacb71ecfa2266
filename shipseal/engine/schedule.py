"""Choose the rows that targets need, and begin each as soon as those before it have ended: for every engine."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import anyio

from shipseal.engine.stage import Stage
from shipseal.errors import UsageError

_GRACE = 60.0  # seconds; most of what it is for takes a few

T = TypeVar("T")


def wanted(table: Sequence[Stage], *targets: str) -> list[Stage]:
    """Return the rows that targets need, themselves included, in the order of the table.

    Raises:
        UsageError: there is no stage of that name.
    """
    rows = {stage.name: stage for stage in table}
    pending, names = list(targets), set()
    while pending:
        name = pending.pop()
        if name not in rows:
            raise UsageError(f"there is no stage {name}", remedy=f"choose one of {', '.join(rows)}")
        names.add(name)
        pending.extend(need for need in rows[name].after if need not in names)
    return [stage for stage in table if stage.name in names]


async def execute(
    stages: Iterable[Stage], perform: Callable[[Stage], Awaitable[T]], *, grace: float = _GRACE
) -> dict[str, T]:
    """Run stages side by side as their needs allow; return what came of each.

    Args:
        stages: what to run. A need that is not among them has been done before.
        perform: runs one of them.
        grace: seconds that stages get that run beside one that has failed, and use nothing but this machine: whoever
            has two faults is told both at once.

    Raises:
        ExceptionGroup: of the failures. Nothing is begun after the first; what is live or has a network is stopped.
    """
    stages = tuple(stages)
    done = {stage.name: anyio.Event() for stage in stages}
    scopes = {stage.name: anyio.CancelScope() for stage in stages}
    begun: set[str] = set()
    results: dict[str, T] = {}
    failures: list[Exception] = []

    async def one(stage: Stage) -> None:
        with scopes[stage.name]:
            for need in stage.after:
                if need in done:
                    await done[need].wait()
            begun.add(stage.name)
            try:
                results[stage.name] = await perform(stage)
                done[stage.name].set()
            except Exception as failure:
                failures.append(failure)
                end()

    def end() -> None:
        for stage in stages:
            scope = scopes[stage.name]
            if stage.name in begun and not (stage.uncached or stage.network):
                scope.deadline = min(scope.deadline, anyio.current_time() + grace)
            else:
                scope.cancel()

    async with anyio.create_task_group() as group:
        for stage in stages:
            group.start_soon(one, stage)
    if failures:
        raise ExceptionGroup("stages failed", failures)
    return results
