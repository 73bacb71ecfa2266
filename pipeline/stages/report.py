"""Tell the run as one static HTML page and as Markdown, from its records and evidence and nothing else."""

from pipeline.engine.stage import Context
from pipeline.reporting import evidence, story
from pipeline.reporting.page import html, markdown
from pipeline.reporting.summary import warnings


async def report(context: Context) -> str:
    """Write index.html and summary.md."""
    run = evidence.gather(context.run_dir, context.stage.needs)
    told = story.title(run), warnings(run), tuple(story.sections(run))
    (context.out / "index.html").write_text(html(*told), encoding="utf-8")
    (context.out / "summary.md").write_text(markdown(*told), encoding="utf-8")
    said = f", {len(warnings(run))} warnings" if warnings(run) else ""
    return f"index.html and summary.md: {len(run.rows)} stages, {len(run.products)} products{said}"
