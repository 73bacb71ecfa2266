"""Set a run as one static page: no script, nothing fetched, every text of others escaped in one place.

The templates beside this module are Jinja2's, with escaping always on. Whatever they show goes through `_shown`, so
that control characters and marks that turn text round are seen and not obeyed.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup, escape

from shipseal.reporting import chain, composition, finding_table, story, timeline
from shipseal.reporting.decision import decision
from shipseal.reporting.essence import essence
from shipseal.reporting.panels import Panel, panels
from shipseal.reporting.summary import RunSummary, warnings
from shipseal.terminal_text import bounded, line

_HERE = Path(__file__).parent
_DIGEST = re.compile(r"\b(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|[0-9a-f]{40})\b")  # of files, and of commits
_LONGEST = 4000  # characters of one text that are shown
_MOST = 1000  # rows of a table, and files
# Told by a picture above, with its table.
_DRAWN = {"Stages", "Image", "Verdict", "Who finds the evidence", "What was real", "What a local stand-in did"}
_DRAWN |= {"What was not run", "Evidence"}


def write(directory: Path, summary: RunSummary, to_run: str = "..") -> Path:
    """Write index.html and summary.md, and return the page.

    Args:
        directory: where; it is there.
        summary: of the run.
        to_run: the way from there to the run directory, for links.
    """
    parts = list(panels(summary))
    (directory / "index.html").write_text(page(summary, to_run, parts), encoding="utf-8")
    (directory / "summary.md").write_text(essence(summary, parts), encoding="utf-8")
    return directory / "index.html"


def page(summary: RunSummary, to_run: str = "..", parts: Sequence[Panel] | None = None) -> str:
    """Return the page; its parts are made unless they are there already."""
    style = _read("report.css")
    environment = _environment()
    known = {*summary.products, *summary.documents.known, "run.json"}
    known |= {f"{row.stage}/record.json" for row in summary.rows if summary.finished(row.stage)}
    sections = [each for each in story.sections(summary) if each.title not in _DRAWN]
    return environment.get_template(
        "report.html.j2"
    ).render(
        title=story.title(summary),
        style=Markup(style),  # noqa: S704 - it is ours
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        warnings=warnings(summary),
        decision=decision(summary),
        panels=list(panels(summary)) if parts is None else parts,
        sections=sections[len(summary.failures) :],  # those that come first are told with the decision
        evidence=story.evidence(summary).rows[:_MOST],
        files=len(story.evidence(summary).rows),
        most=_MOST,
        link=_linked(known, to_run),
        geometry={"timeline": timeline, "composition": composition, "chain": chain, "found": finding_table},
    )


@cache
def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    templates = {name: _read(name) for name in ("report.html.j2", "pictures.html.j2", "parts.html.j2")}
    environment = Environment(
        loader=DictLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"digested": _digested, "short": _short, "size": _size}
    return environment


def _shown(value: object) -> object:
    """Return what is put into the page: text as what can be seen of it, and what is markup already as it is."""
    return line(bounded(value, _LONGEST)) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _digested(text: str) -> Markup:
    """Return a text in which each digest is shown short, is whole in the page, and is selected whole."""
    parts, at = [], 0
    for each in _DIGEST.finditer(text := line(bounded(str(text), _LONGEST))):
        whole = each.group()
        parts += [
            escape(text[at : each.start()]),
            Markup('<code class="digest" title="{}">{}</code>').format(whole, whole),
        ]
        at = each.end()
    return Markup("").join([*parts, escape(text[at:])])


def _short(digest: str) -> str:
    """Return the beginning of a digest, for a picture."""
    return digest.partition(":")[2][:12] or digest


def _size(count: int) -> str:
    """Return a number of bytes as people read it."""
    for unit, power in (("MB", 1e6), ("kB", 1e3)):
        if count >= power:
            return f"{count / power:,.1f} {unit}"
    return f"{count} bytes"


def _linked(known: set[str], to_run: str) -> Callable[[str], Markup]:
    """Return what makes a link to a file of the run: relative, so that no name becomes an address of another kind."""

    def link(source: str) -> Markup:
        if not source:
            return Markup("")
        if source not in known:
            return Markup('<span class="source">{}</span>').format(line(source))
        where = f"{to_run}/{quote(source, errors='surrogateescape')}"
        return Markup('<a class="source" href="{}">{}</a>').format(where, line(source))

    return link
