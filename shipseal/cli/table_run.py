"""Run the table up to a stage, in either world, and say at the end what came of it."""

import argparse
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli.ending import Unread, tell
from shipseal.cli.engine import run_async
from shipseal.cli.on_github import tell_run
from shipseal.cli.progress import progress
from shipseal.disk import alone, empty
from shipseal.documents.image import ImageDocument
from shipseal.engine.run import Event, Run
from shipseal.engine.schedule import execute, wanted
from shipseal.engine.stage import Stage
from shipseal.engine.table import TABLE
from shipseal.engine.world import Rehearse
from shipseal.errors import ShipsealError, as_shipseal_error, flatten
from shipseal.locked.store_cleaning import in_use
from shipseal.reporting import evidence, html_page
from shipseal.reporting.summary import RunSummary, lines, warnings
from shipseal.signing.browser import Browser

Work = Callable[[Run, Sequence[Stage]], Awaitable[object]]
"""What runs the stages."""


async def _once(run: Run, stages: Sequence[Stage]) -> None:
    await execute(stages, run.once)


def run_table(
    options: argparse.Namespace,
    world: str,
    *,
    agreed: bool = False,
    rehearsed: Rehearse | None = None,
    browser: Browser | None = None,
    work: Work = _once,
) -> int:
    """Run the stages that `--to` needs, go on where an earlier run has stopped, and sum up, whatever happens."""
    stages = wanted(TABLE, *options.to.split(","))
    run = shared.open_run(options, world, TABLE, agreed=agreed, rehearsed=rehearsed, browser=browser)
    run.config.require({name for stage in stages for name in stage.reads})
    reached: set[str] = set()
    with alone(run.directory), in_use(run.store):
        try:
            with progress(options) as show:

                def follow(event: Event) -> None:
                    if event.kind in {"finished", "kept"}:
                        reached.add(event.stage)
                    show(event)

                run.observe = follow
                if run.begin() and not (options.json or options.quiet):
                    tell(f"going on with run {run.run_id}", sys.stderr)
                run_async(lambda: work(run, stages))
            run.end()
        except Exception as error:
            # Whatever becomes of the summary, the failure itself is what has to be told.
            with suppress(Unread, BrokenPipeError):
                _conclude(run, options, reached, [as_shipseal_error(failure) for failure in flatten(error)])
            raise
        _conclude(run, options, reached, [])
    return 0


def _conclude(run: Run, options: argparse.Namespace, reached: set[str], failures: list[ShipsealError]) -> None:
    """Print the summary. A run that failed leaves its report too, and so does a release that has ended with its tags.

    Both are written here, because the stage that writes one was not reached: it comes after a deploy.
    """
    names = [stage.name for stage in TABLE]
    summary = evidence.gather(run.directory, names, failures, reached, evidence.policy_of(run.config))
    tell_run(summary)
    report = run.directory / "report" / "index.html" if summary.finished("report") else None
    if failures:
        report = write_report(run.directory / "report.failed", summary)
    elif run.world.public and not report:
        report = write_report(run.directory / "report", summary)
    if options.json:
        event = {"event": "summary", "run_id": run.run_id, "world": run.world.name, "lines": lines(summary)}
        tell(json.dumps(event), sys.stdout)
        return
    image = summary.documents.get(ImageDocument)
    closing = [
        *warnings(summary),
        *([f"image   {image.reference}"] if image else []),
        *([f"report  {report}"] if report else []),
    ]
    tell("\n".join(["", *lines(summary), "", *closing]), sys.stdout)


def write_report(directory: Path, summary: RunSummary) -> Path | None:
    """Write a report, and return its page; where the disk takes none, the summary is all."""
    try:
        empty(directory)
        return html_page.write(directory, summary)
    except OSError as error:
        tell(f"no report could be written in {directory}: {error.strerror}", sys.stderr)
        return None
