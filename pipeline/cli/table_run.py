"""Run the table up to a stage, in either world, and say at the end what came of it."""

import argparse
import json
import sys
from pathlib import Path

from pipeline import evidence, story
from pipeline.cli import options as shared
from pipeline.cli.engine import run_async
from pipeline.cli.progress import progress
from pipeline.errors import PipelineError, flatten
from pipeline.host import execute, wanted
from pipeline.page import html, markdown
from pipeline.run import Event, Run, alone
from pipeline.summary import Summary, lines, warnings
from pipeline.table import TABLE


def run_table(options: argparse.Namespace, world: str) -> int:
    """Run the stages that `--to` needs, go on where an earlier run has stopped, and sum up, whatever happens."""
    stages = wanted(TABLE, options.to)
    run = shared.open_run(options, world, TABLE)
    reached: set[str] = set()
    with alone(run.directory):
        try:
            with progress(as_json=options.json) as show:

                def follow(event: Event) -> None:
                    if event.kind in {"finished", "kept"}:
                        reached.add(event.stage)
                    show(event)

                run.observe = follow
                if run.begin() and not options.json:
                    print(f"going on with run {run.run_id}", file=sys.stderr)
                run_async(lambda: execute(stages, run))
            run.end()
        except Exception as error:
            failures = [failure for failure in flatten(error) if isinstance(failure, PipelineError)]
            _conclude(run, options, reached, failures)
            raise
        _conclude(run, options, reached, [])
    return 0


def _conclude(run: Run, options: argparse.Namespace, reached: set[str], failures: list[PipelineError]) -> None:
    """Print the summary; a run that failed leaves its report too, written here because its stage was not reached."""
    names = [stage.name for stage in TABLE]
    summary = evidence.gather(run.directory, names, failures, reached)
    report = run.directory / "report"
    if failures:
        report = _write_report(run.directory / "report.failed", summary)
    if options.json:
        print(json.dumps({"event": "summary", "run_id": run.run_id, "world": run.world.name, "lines": lines(summary)}))
        return
    print("", *lines(summary), "", sep="\n")
    for warning in warnings(summary):
        print(warning)
    image = summary.documents.get("image/image.json")
    if isinstance(image, dict):
        print(f"image   {image['reference']}")
    if report.is_dir():
        print(f"report  {report / 'index.html'}", flush=True)


def _write_report(directory: Path, summary: Summary) -> Path:
    told = story.title(summary), warnings(summary), tuple(story.sections(summary))
    directory.mkdir(exist_ok=True)
    (directory / "index.html").write_text(html(*told), encoding="utf-8")
    (directory / "summary.md").write_text(markdown(*told), encoding="utf-8")
    return directory
