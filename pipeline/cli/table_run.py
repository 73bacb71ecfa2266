"""Run the table up to a stage, in either world, and say at the end what came of it."""

import argparse
import json
import sys
from contextlib import suppress
from pathlib import Path

from pipeline.cli import options as shared
from pipeline.cli.ending import Unread, tell
from pipeline.cli.engine import run_async
from pipeline.cli.progress import progress
from pipeline.disk import alone, empty
from pipeline.engine.run import Event, Run
from pipeline.engine.schedule import execute, wanted
from pipeline.engine.table import TABLE
from pipeline.engine.world import Rehearse
from pipeline.errors import PipelineError, flatten, told
from pipeline.locked.store_cleaning import in_use
from pipeline.reporting import evidence, story
from pipeline.reporting.page import html, markdown
from pipeline.reporting.summary import Summary, lines, warnings


def run_table(
    options: argparse.Namespace, world: str, *, agreed: bool = False, rehearsed: Rehearse | None = None
) -> int:
    """Run the stages that `--to` needs, go on where an earlier run has stopped, and sum up, whatever happens."""
    stages = wanted(TABLE, options.to)
    run = shared.open_run(options, world, TABLE, agreed=agreed, rehearsed=rehearsed)
    run.config.require({name for stage in stages for name in stage.reads})
    reached: set[str] = set()
    with alone(run.directory), in_use(run.store):
        try:
            with progress(as_json=options.json) as show:

                def follow(event: Event) -> None:
                    if event.kind in {"finished", "kept"}:
                        reached.add(event.stage)
                    show(event)

                run.observe = follow
                if run.begin() and not options.json:
                    tell(f"going on with run {run.run_id}", sys.stderr)
                run_async(lambda: execute(stages, run.once))
            run.end()
        except Exception as error:
            # Whatever becomes of the summary, the failure itself is what has to be told.
            with suppress(Unread, BrokenPipeError):
                _conclude(run, options, reached, [told(failure) for failure in flatten(error)])
            raise
        _conclude(run, options, reached, [])
    return 0


def _conclude(run: Run, options: argparse.Namespace, reached: set[str], failures: list[PipelineError]) -> None:
    """Print the summary; a run that failed leaves its report too, written here because its stage was not reached."""
    names = [stage.name for stage in TABLE]
    summary = evidence.gather(run.directory, names, failures, reached)
    report = run.directory / "report" / "index.html" if summary.finished("report") else None
    if failures:
        report = _write_report(run.directory / "report.failed", summary)
    if options.json:
        event = {"event": "summary", "run_id": run.run_id, "world": run.world.name, "lines": lines(summary)}
        tell(json.dumps(event), sys.stdout)
        return
    image = summary.documents.get("image/image.json")
    closing = [
        *warnings(summary),
        *([f"image   {image['reference']}"] if isinstance(image, dict) and "reference" in image else []),
        *([f"report  {report}"] if report else []),
    ]
    tell("\n".join(["", *lines(summary), "", *closing]), sys.stdout)


def _write_report(directory: Path, summary: Summary) -> Path | None:
    """Write the report of a run that failed, and return its page; where the disk takes none, the summary is all."""
    told_as = story.title(summary), warnings(summary), tuple(story.sections(summary))
    try:
        empty(directory)
        (directory / "index.html").write_text(html(*told_as), encoding="utf-8")
        (directory / "summary.md").write_text(markdown(*told_as), encoding="utf-8")
    except OSError as error:
        tell(f"no report could be written in {directory}: {error.strerror}", sys.stderr)
        return None
    return directory / "index.html"
