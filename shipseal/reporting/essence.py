"""Tell a run in fewer than a hundred lines of Markdown, for the summary of a job and for a comment. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from shipseal.reporting import story
from shipseal.reporting.decision import decision
from shipseal.reporting.finding_table import NO_FINDING, Findings
from shipseal.reporting.page import ReportSection, markdown
from shipseal.reporting.panels import Panel, panels
from shipseal.reporting.summary import RunSummary, left_undone, really, stood_in, warnings
from shipseal.terminal_text import bounded

LINES = 99
_WORST = 8  # findings that are named
_WHY = 4  # lines of what ended a stage
_FAILURES = 3
_LONGEST = 1000  # characters of one text


def essence(summary: RunSummary, parts: Sequence[Panel] | None = None) -> str:
    """Return the Markdown; what has no room is counted, and stands in the page.

    Args:
        summary: of the run.
        parts: of its page, where they are made already.
    """
    said = warnings(summary)
    room = LINES - 2 - 2 * len(said)
    return markdown(
        story.title(summary),
        said,
        list(_fitted(_sections(summary, list(panels(summary)) if parts is None else parts), room)),
    )


def _fitted(sections: Iterable[ReportSection], room: int) -> Iterator[ReportSection]:
    """Yield sections as long as there is room for them, the last with as many rows as fit."""
    for section in sections:
        fixed = 2 + 2 * len(section.paragraphs) + (3 if section.rows else 0)
        fits = room - fixed
        if fits < bool(section.rows):
            return
        rows = section.rows
        if len(rows) > fits:
            more = f"{len(rows) - fits + 1} more are in index.html"
            rows = (*rows[: fits - 1], (more, *[""] * (len(section.header) - 1)))
        room -= fixed + len(rows)
        told = tuple(bounded(text, _LONGEST) for text in section.paragraphs)
        yield replace(
            section, paragraphs=told, rows=tuple(tuple(bounded(cell, _LONGEST) for cell in row) for row in rows)
        )


def _sections(summary: RunSummary, parts: Sequence[Panel]) -> Iterator[ReportSection]:
    for failure in summary.failures[:_FAILURES]:
        heading = f"{failure.stage}: {failure.what}" if failure.stage else failure.what
        more = len(failure.why) - _WHY
        why = (*failure.why[:_WHY], *([f"{more} more lines are in index.html"] if more > 0 else []))
        yield ReportSection(
            heading, (f"Exit code {failure.exit_code}.", *why, *([failure.remedy] if failure.remedy else []))
        )
    decided = decision(summary)
    rows = [(decided.because.text, decided.because.source), *((fact.text, fact.source) for fact in decided.facts)]
    rows += [(f"To verify, type: {command.line}", "") for command in decided.commands[:1]]
    yield ReportSection(
        f"{decided.answer.value}{', rehearsed' if decided.rehearsed else ''}: {decided.kind}",
        (),
        ("fact", "shown by"),
        tuple(rows),
    )
    yield story.stages(summary)
    found = next(panel for panel in parts if panel.name == "findings")
    if isinstance(found.value, Findings):
        yield _findings(found.value)
    else:
        yield ReportSection("Findings", (f"Not known: {found.missing}.",))
    yield _reality(summary)
    yield story.evidence(summary)


def _findings(found: Findings) -> ReportSection:
    counts = [f"{each.total:,} {each.severity}" for each in found.levels if each.severity != NO_FINDING]
    said = (f"Found: {', '.join(counts) or 'nothing that the database knows'}. {found.bare}",)
    rows = tuple((each.ruling, each.finding, each.package, each.message, each.remedy) for each in found.listed[:_WORST])
    left = sum(each.total for each in found.levels) - len(rows)
    more = ((f"{left:,} more", "", "", "they are in index.html and in assess/verdict.json", ""),) if left else ()
    return ReportSection("Findings", said, ("ruling", "finding", "package", "why", "what to do"), (*rows, *more))


def _reality(summary: RunSummary) -> ReportSection:
    kinds = (("real", really), ("stand-in", stood_in), ("not run", left_undone))
    rows = tuple((kind, fact.text) for kind, facts in kinds for fact in facts(summary))
    return ReportSection("Real, stand-in, not run", (), ("how", "what"), rows)
