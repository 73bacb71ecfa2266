"""Tell a verdict as Markdown, for a comment or a summary. Pure."""

from shipseal.documents.verdict import VerdictDocument
from shipseal.reporting.page import ReportSection, markdown

_MOST = 200
"""Lines of a table: GitHub takes 65,536 characters in a comment."""


def render(verdict: VerdictDocument) -> str:
    """Return the answer, its reasons, and every rule with what it was set to and what was seen."""
    every = list(verdict.reasons)
    without = verdict.without_vex
    answer = "Allowed" if verdict.allowed else f"Denied, for {len(verdict.denied)} reasons"
    bare = "it would be allowed" if without.allowed else f"it would be denied for {len(without.denied)} reasons"
    said = (f"{answer}: {verdict.image}.", f"Judged {verdict.judged}. Without VEX statements {bare}.")
    rows = tuple(
        (kind, each.finding or each.code, each.package, each.message, each.remedy) for kind, each in every[:_MOST]
    )
    more = (f"{len(every) - _MOST} more are in verdict.json.",) if len(every) > _MOST else ()
    rules = tuple((each.code, each.decision, each.threshold, each.observed) for each in verdict.rules)
    sections = (
        ReportSection("Answer", (*said, *more), ("ruling", "finding", "package", "why", "what to do"), rows),
        ReportSection("Rules", (), ("rule", "came out", "set to", "seen"), rules),
    )
    return markdown("Verdict", verdict.notices, sections)
