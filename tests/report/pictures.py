"""Take the pictures of a report that the documents show: `python -m tests.report.pictures PAGE DIRECTORY`."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

PICTURES = {"report-light.png": ("light", "#decision"), "report-dark.png": ("dark", "#stages")}
SIZE = (1000, 820)


def chromium() -> str:
    """Return the browser of this machine; empty where it has none."""
    return shutil.which("chromium") or shutil.which("google-chrome") or ""


@contextmanager
def opened() -> Iterator[Browser]:
    """Start the browser of this machine without a window."""
    with sync_playwright() as playwright:
        # Its own sandbox needs rights that root in a container has not; the pages are ours.
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def take(browser: Browser, page: Path, into: Path) -> None:
    """Write each picture: what somebody sees who follows a link of the contents."""
    width, height = SIZE
    for name, (scheme, place) in PICTURES.items():
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
        tab = context.new_page()
        tab.goto(page.resolve().as_uri() + (place if place != "#decision" else ""))
        tab.screenshot(path=into / name)
        context.close()


if __name__ == "__main__":
    with opened() as started:
        take(started, Path(sys.argv[1]), Path(sys.argv[2]))
