"""Tell a run in Markdown, for the summary of the job that has called Dagger."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import dagger
from dagger import Doc, dag

from shipseal.engine.dagger_graph import Graph
from shipseal.errors import ShipsealError
from shipseal.terminal_text import quoted

RunDirectory = Annotated[dagger.Directory | None, Doc("a finished run directory, as `dry-run` gives it")]

_NAME = "summary.md"


async def telling(run: dagger.Directory | None, graph: Callable[[], Awaitable[Graph]]) -> dagger.File:
    """Return the report of a run; of none that is given do a dry run, and return its report or what has ended it."""
    if run is not None:
        return await run.file(f"report/{_NAME}").sync()
    try:
        return await (await (await graph()).stage("report")).file(_NAME).sync()
    except (ShipsealError, dagger.ExecError) as failure:
        said = failure.explain() if isinstance(failure, ShipsealError) else failure.stderr
        return await dag.directory().with_new_file(_NAME, quoted(said)).file(_NAME).sync()
