"""A report is one page that fetches and runs nothing, whatever the evidence holds."""

import base64
import hashlib
from html.parser import HTMLParser

import pytest

from shipseal.errors import PolicyDenied
from shipseal.reporting import html_page
from shipseal.reporting.page import ReportSection, markdown
from shipseal.reporting.summary import RunSummary
from tests.report import runs
from tests.report.written import DOCUMENTS, database, image, reason, verdict

HOSTILE = '<script src="http://example.invalid/x.js">alert(1)</script>'


class Page(HTMLParser):
    """Collects the tags, the addresses and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "srcset"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def section(cell: str) -> ReportSection:
    return ReportSection("Findings", (cell,), ("finding",), ((cell,),))


def made(text: str = "x") -> RunSummary:
    """Return a run that warns of a sample, in which a text of others stands wherever one can."""
    failure = PolicyDenied(text, why=[text], remedy=text)
    documents = {
        "facts/facts.json": {**DOCUMENTS["facts/facts.json"], "revision": text},
        "image/image.json": image(),
        "assess/verdict.json": verdict(denied=[reason("CVE-2026-1", "severity-high", message=text)]),
        "scan/database.json": database(schema=text),
    }
    return runs.summary(documents, failures=(failure,))


def test_the_page_asks_for_nothing_outside_itself() -> None:
    page = Page(html_page.page(made()))
    assert page.addresses
    assert [each for each in page.addresses if not each.startswith(("#", "../"))] == []
    assert {"script", "link", "img", "iframe", "form", "base", "object", "embed"}.isdisjoint(page.tags)


def test_the_page_forbids_a_browser_to_run_or_fetch_anything_and_every_style_but_its_own() -> None:
    text = html_page.page(made())
    style = text.partition("<style>")[2].partition("</style>")[0]
    own = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{own}'; base-uri 'none'" in text
    assert "unsafe" not in text
    assert " style=" not in text


def test_text_from_evidence_is_shown_and_never_becomes_markup() -> None:
    page = Page(html_page.page(made(HOSTILE)))
    assert "script" not in page.tags
    assert page.text.count("alert(1)") > 8  # title, heading, answer, reason, remedy, image, finding, database, picture


def test_every_warning_stands_before_the_decision_and_the_first_section() -> None:
    text = html_page.page(made())
    assert text.index("SAMPLE") < text.index("<main>") < text.index("<h2")
    told = markdown("Report", ["mind the gap"], [section("x")])
    assert told.index("mind the gap") < told.index("Findings")


@pytest.mark.parametrize("cell", ["a|b", "*x*", "`x`", "[x](y)", HOSTILE, "two\nlines", "\\", "&lt;"])
def test_a_cell_stays_one_cell_of_a_markdown_table(cell: str) -> None:
    row = markdown("Report", [], [section(cell)]).splitlines()[-1]
    bare = row.replace("<!-- -->", "").replace("\\\\", "").replace("\\|", "")
    assert bare.count("|") == 2
    assert not any(f"{mark}" in bare.replace(f"\\{mark}", "") for mark in "*`<[")


@pytest.mark.parametrize(
    ("text", "renders"),
    [
        ("@maintainer fixes #12", "@<!-- -->maintainer fixes #<!-- -->12"),
        ("see https://evil.example", "see https:<!-- -->//evil.example"),
        ("www.evil.example", "www.<!-- -->evil.example"),
        ("$E=mc$", "\\$E=mc\\$"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("\x1b[31mred\u202e", "\\\\x1b\\[31mred\\\\u202e"),
    ],
)
def test_markdown_calls_nobody_and_links_nowhere(text: str, renders: str) -> None:
    assert markdown("Report", [], [ReportSection("Image", (text,))]).splitlines()[-1] == renders


def test_names_with_underscores_inside_stay_readable() -> None:
    assert "not_affected" in markdown("Report", [], [section("not_affected")])


def test_a_section_without_rows_has_no_table() -> None:
    bare = ReportSection("Image", ("not known",))
    assert "---" not in markdown("Report", [], [bare])
