"""A report in a real browser: it fits, it asks for nothing, anybody can use it, and no text of others is obeyed."""

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from shipseal.documents.image import ImageDocument
from shipseal.errors import PolicyDenied
from shipseal.reporting import html_page
from shipseal.reporting.summary import RunSummary
from tests.commands import Ended
from tests.report import pictures, runs
from tests.report.written import attacks

pytestmark = pytest.mark.skipif(not pictures.chromium(), reason="no browser here: apt-get install chromium")

AXE = Path(str(distribution("axe-playwright-python").locate_file("axe_playwright_python/axe.min.js")))
OVERFLOWS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
# What a picture or a table holds scrolls inside its own frame; nothing else is wider than the page.
WIDER = """() => [...document.querySelectorAll('body *')].filter(each => {
    if (each.closest('.wide, .picture, .skip, .heard, .digest')) return false;
    const box = each.getBoundingClientRect();
    return box.width > 0 && box.right > document.documentElement.clientWidth + 1;
}).map(each => each.outerHTML.slice(0, 100))"""
OPEN_ALL = "document.querySelectorAll('details').forEach(each => { each.open = true })"
LIVE = (
    "script, img, iframe, object, embed, link, form, input, base, [onload], [onerror], [onfocus], [onmouseover], "
    "[autofocus], [src], a[href^='javascript'], a[href^='http'], svg a, animate, foreignObject"
)


class Seen:
    """A page that is loaded, with all that it has asked for and complained of."""

    def __init__(self, browser: Browser, path: Path, *, obey: bool = False) -> None:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=obey)
        context.set_default_timeout(120_000)  # milliseconds, for a machine that does much else
        self.page: Page = context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())
        self.address = path.as_uri()

    def fits(self) -> list[str]:
        """Return what does not, at the present size."""
        wider: list[str] = self.page.evaluate(WIDER)
        return [*wider, *(["the page"] if self.page.evaluate(OVERFLOWS) else [])]

    def violations(self, rules: str = "") -> list[tuple[str, str]]:
        """Return what axe-core finds in all that is there, folded or not, by all rules or by one."""
        self.page.evaluate(OPEN_ALL)
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        only = {"runOnly": {"type": "rule", "values": [rules]}} if rules else {}
        found: dict[str, Any] = self.page.evaluate("only => axe.run(only)", only)
        assert len(found["passes"]) > (0 if rules else 20)
        return [(each["id"], each["nodes"][0]["html"][:200]) for each in found["violations"]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give the browser, for all tests here."""
    with pictures.opened() as started:
        yield started


@pytest.fixture(scope="module")
def run(finished: tuple[Path, Ended]) -> RunSummary:
    """Give the summary of a run that went well."""
    return runs.gathered(finished[0])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory for pages."""
    return tmp_path_factory.mktemp("pages")


def write(place: Path, name: str, summary: RunSummary) -> Path:
    path = place / f"{name}.html"
    path.write_text(html_page.page(summary), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def well(browser: Browser, place: Path, run: RunSummary) -> Seen:
    """Give the page of that run, loaded."""
    return Seen(browser, write(place, "well", run))


@pytest.fixture(scope="module")
def denied(browser: Browser, place: Path, finished: tuple[Path, Ended]) -> Seen:
    """Give the page of a run that was denied, with findings of each kind and an attack that was not refused."""
    failure = PolicyDenied(
        "2 findings are not allowed", why=["CVE-2026-1 (critical)", "CVE-2026-2 (high)"], remedy="upgrade"
    )
    summary = runs.gathered(finished[0], failure, "admit")
    documents = {**runs.left(finished[0], summary), **runs.many(240, 7), "attack/attack.json": attacks(True, False)}
    return Seen(browser, write(place, "denied", replace(summary, documents=runs.read(documents))))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("which", ["well", "denied"])
def test_nothing_is_wider_than_the_window(request: pytest.FixtureRequest, which: str, width: int, scheme: Any) -> None:
    seen: Seen = request.getfixturevalue(which)
    seen.page.emulate_media(media="screen", color_scheme=scheme)
    seen.page.set_viewport_size({"width": width, "height": 900})
    seen.page.evaluate(OPEN_ALL)
    assert seen.fits() == []
    picture = seen.page.screenshot()
    assert picture.startswith(b"\x89PNG")


@pytest.mark.parametrize("which", ["well", "denied"])
def test_it_prints_on_a4_with_each_table_and_whole_digests(request: pytest.FixtureRequest, which: str) -> None:
    seen: Seen = request.getfixturevalue(which)
    seen.page.set_viewport_size({"width": 690, "height": 1000})  # 182 mm, between the margins
    seen.page.emulate_media(media="print")
    assert seen.fits() == []
    digest = seen.page.locator(".answer .digest").first
    assert digest.evaluate("each => each.scrollWidth <= each.clientWidth + 1 || getComputedStyle(each).display") in {
        True,
        "inline",
    }
    sizes = re.findall(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", seen.page.pdf(prefer_css_page_size=True))
    assert {(round(float(width)), round(float(height))) for width, height in sizes} == {(595, 842)}
    seen.page.emulate_media(media="screen")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["well", "denied"])
def test_axe_finds_nothing_that_keeps_anybody_out(request: pytest.FixtureRequest, which: str, scheme: Any) -> None:
    seen: Seen = request.getfixturevalue(which)
    seen.page.emulate_media(media="screen", color_scheme=scheme)
    seen.page.set_viewport_size({"width": 1280, "height": 900})
    assert seen.violations("" if scheme == "light" else "color-contrast") == []  # the others know no colours


@pytest.mark.parametrize("which", ["well", "denied"])
def test_it_asks_for_nothing_and_complains_of_nothing(request: pytest.FixtureRequest, which: str) -> None:
    seen: Seen = request.getfixturevalue(which)
    assert seen.asked == [seen.address]
    assert seen.complaints == []


def test_a_keyboard_reaches_the_decision_the_frames_that_scroll_and_what_is_folded(well: Seen) -> None:
    page = well.page
    page.emulate_media(media="screen")
    page.reload()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#decision"
    scrolls = page.evaluate("[...document.querySelectorAll('.wide, .picture')].every(each => each.tabIndex === 0)")
    assert scrolls
    page.locator("#stages summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#stages details").get_attribute("open") is not None
    well.asked = [well.address]


def test_a_digest_is_short_to_see_and_whole_on_hover_and_when_selected(well: Seen, run: RunSummary) -> None:
    whole = str(run.documents.need(ImageDocument).digest)
    digest = well.page.locator(".answer .digest").first
    assert digest.get_attribute("title") == whole
    assert digest.evaluate("each => each.scrollWidth > each.clientWidth")
    digest.click()
    assert well.page.evaluate("getSelection().toString().trim()") == whole


@pytest.mark.parametrize("names", [False, True], ids=["texts", "texts and names"])
def test_hostile_texts_are_seen_and_not_obeyed(
    browser: Browser, place: Path, finished: tuple[Path, Ended], run: RunSummary, *, names: bool
) -> None:
    """The browser leaves the prohibition of the page aside: what does not run is text, and not merely forbidden."""
    documents = {**runs.left(finished[0], run), "attack/attack.json": attacks(True)}
    documents = {
        name: runs.altered(value, runs.hostile, keys=True) if names else runs.poisoned(name, value)
        for name, value in documents.items()
    }
    failure = PolicyDenied(runs.HOSTILE, why=[runs.HOSTILE], remedy=runs.HOSTILE)
    failure.stage = "admit"
    rows = tuple(replace(row, text=row.text + runs.HOSTILE) for row in run.rows)
    products = {f"{name}{runs.HOSTILE}": digest for name, digest in run.products.items() if "/blobs/" not in name}
    told = replace(run, documents=runs.read(documents), rows=rows, products=products)
    path = write(place, f"hostile-{names}", replace(told, failures=(failure,), world=runs.HOSTILE))
    seen = Seen(browser, path, obey=True)
    seen.page.evaluate(OPEN_ALL)
    assert seen.page.evaluate("window.owned") is None
    assert seen.page.locator(LIVE).count() == 0
    assert (seen.asked, seen.complaints) == ([seen.address], [])
    text = path.read_text(encoding="utf-8")
    assert not {"\x1b", "\u202e", "\u2066", "\r"} & set(text)
    assert "{{ 7 * 7 }}" in text
    assert text.count("&lt;script&gt;") > 100
    seen.page.set_viewport_size({"width": 360, "height": 900})
    assert seen.fits() == []


def test_the_pictures_of_the_documents_are_taken_from_a_page(browser: Browser, place: Path, run: RunSummary) -> None:
    pictures.take(browser, write(place, "pictured", run), place)
    for name in pictures.PICTURES:
        header = (place / name).read_bytes()[:24]
        assert (int.from_bytes(header[16:20]), int.from_bytes(header[20:24])) == pictures.SIZE
