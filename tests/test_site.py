"""The site that `make docs` writes: its links, and its pages in a real browser."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests import ROOT
from tests.browser import Page, browser  # noqa: F401 - a fixture

SITE = ROOT / "docs" / "_build" / "html"


@pytest.fixture(scope="module")
def site() -> Path:
    if not (SITE / "index.html").is_file():
        pytest.skip("no site: make docs writes it")
    return SITE


class Links(HTMLParser):
    """What a page links to, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors = {""}
        self.targets: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id":
                self.anchors.add(value or "")
            elif name in ("href", "src"):
                self.targets.append(value or "")


def test_every_link_of_the_site_leads_somewhere(site):
    pages = {path: Links(path) for path in site.rglob("*.html") if path.name != "explorer.html"}
    assert len(pages) > 20

    for path, page in pages.items():
        for target in page.targets:
            url = urlsplit(target)
            if url.scheme or url.netloc:
                continue
            found = (path.parent / unquote(url.path)).resolve() if url.path else path
            assert found.exists(), f"{path}: {target}"
            if found in pages:
                assert unquote(url.fragment) in pages[found].anchors, f"{path}: {target}"


def check_quiet(page: Page) -> None:
    """Assert that a page complained of nothing and asked no other machine for anything."""
    assert page.complaints == []
    assert {url.partition(":")[0] for url in page.requests} <= {"file", "data"}


@pytest.mark.parametrize("width", [375, 1280])
def test_the_front_pages_explorer_answers_a_pointer(site, browser, width):  # noqa: F811
    page = Page(browser, site / "index.html", width=width, ready=".explorer", has_touch=width < 500)
    frame = page.tab.locator(".explorer").content_frame
    frame.locator("body[data-ready]").wait_for()
    box = page.tab.locator(".explorer").bounding_box()
    shown = frame.locator("#decoded-text")
    before = shown.inner_text()

    plane = frame.locator("#plane").bounding_box()
    point = (plane["x"] + 0.3 * plane["width"], plane["y"] + 0.4 * plane["height"])
    if width < 500:
        page.tab.touchscreen.tap(*point)
        assert box["x"] == 0
        assert box["width"] == width
    else:
        page.tab.mouse.move(*point)
    for _ in range(200):
        if shown.inner_text() != before:
            break
        page.tab.wait_for_timeout(25)
    assert shown.inner_text() != before

    wide = page.tab.evaluate("document.documentElement.scrollWidth")
    assert wide == width, "the page scrolls sideways"
    check_quiet(page)


def test_search_finds_a_function(site, browser):  # noqa: F811
    page = Page(
        browser,
        site / "search.html",
        query="?q=reconstruct",
        ready="#search-results li",
    )
    found = page.tab.locator("#search-results").inner_text()
    assert "jaxae.reconstruct" in found
    check_quiet(page)
