"""Tell the run as one static HTML page and as Markdown, from its records and evidence and nothing else."""

from shipseal.engine.stage import Context
from shipseal.reporting import evidence, html_page
from shipseal.reporting.summary import warnings


async def report(context: Context) -> str:
    """Write index.html and summary.md."""
    run = evidence.gather(context.run_dir, context.stage.needs, policy=evidence.policy_of(context.config))
    html_page.write(context.out, run)
    said = f", {len(warnings(run))} warnings" if warnings(run) else ""
    return f"index.html and summary.md: {len(run.rows)} stages, {len(run.products)} products{said}"
