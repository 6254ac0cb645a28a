"""Every page of the course, as anybody reads it: with keys, with a screen reader's eyes, on a phone, without internet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import DESK, PHONE, opened, visit
from tests.browser.conftest import Serving, served
from tests.browser.replayed_labs import COURSE, ReplayedLabs

WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}, "resultTypes": ["violations"]}
# What reaches beyond the right edge, but for what lies in something that scrolls by itself, and what is meant for screen readers only.
TOO_WIDE = """() => {
  const scrolls = element => {
    for (let up = element; up && up !== document.body; up = up.parentElement)
      if (["auto", "scroll"].includes(getComputedStyle(up).overflowX)) return true
    return false
  }
  return [...document.querySelectorAll("article *, footer *, header *")]
    .filter(one => one.checkVisibility({visibilityProperty: true}) && one.getBoundingClientRect().right > innerWidth + 1 && !scrolls(one))
    .map(one => one.outerHTML.slice(0, 120))
}"""


def _addresses() -> Iterator[str]:
    docs = COURSE / "docs"
    for path in sorted(docs.rglob("*.md")):
        name = path.relative_to(docs).with_suffix("").as_posix()
        yield "/" if name == "index" else f"/{name.removesuffix('/index')}/"
    yield "/no-such-page/"


ADDRESSES = list(_addresses())
MISSING = "status of 404"
FORBIDDEN = "status of 401"  # a browser that was not given the printed address


@pytest.fixture(scope="module")
def started(site: Path) -> Iterator[Serving]:
    """`lab serve` with chapter 03 started and something wrong in it."""
    with served(site, ReplayedLabs("route.host")) as running:
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_can_be_read_by_everybody(chromium: Browser, started: Serving, address: str, scheme: str) -> None:
    with opened(chromium, started.origin, color_scheme=scheme, expected=(MISSING,) if "no-such" in address else ()) as window:
        visit(window, started.address())
        page = visit(window, address)
        expect(page.locator("html")).to_have_attribute("lang", "en")
        _unfold(page)
        violations = Axe().run(page, options=WCAG).response["violations"]
        assert _told(violations) == []
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate(TOO_WIDE) == []


def test_without_lab_serve_a_chapter_is_plain_text(chromium: Browser, plain: str) -> None:
    """Examples are marked as such, and the command to check with is there."""
    with opened(chromium, plain, expected=(MISSING,)) as window:
        page = visit(window, "/chapters/03-services/")
        box = page.locator('[data-task="03.route"]')
        expect(box).to_contain_text("./lab check 03")
        expect(box.locator(".lab-example")).to_be_visible()
        expect(box.locator(".lab-task-live")).to_be_hidden()
        expect(page.locator(".lab-panel")).to_be_hidden()
        page.goto("/lab/")
        expect(page.locator("article")).to_contain_text("./lab serve")


def test_search_finds_a_chapter_without_internet(chromium: Browser, plain: str) -> None:
    with opened(chromium, plain, expected=(MISSING,)) as window:
        page = visit(window, "/")
        page.keyboard.press("/")
        page.keyboard.type("endpointslice")
        found = page.locator(".md-search-result__link").first
        expect(found).to_be_visible()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator("article")).to_contain_text("EndpointSlice")
        assert page.url.startswith(f"{plain}/")
        assert page.url != f"{plain}/"


def test_search_works_under_the_policy_of_lab_serve(chromium: Browser, started: Serving) -> None:
    with opened(chromium, started.origin, expected=(FORBIDDEN,)) as window:
        page = visit(window, "/glossary/")
        page.get_by_role("textbox", name="Search").fill("traefik")
        expect(page.locator(".md-search-result__link").first).to_be_visible()


def test_hints_unfold_one_by_one_with_keys_alone(chromium: Browser, plain: str) -> None:
    with opened(chromium, plain, expected=(MISSING,)) as window:
        page = visit(window, "/chapters/03-services/")
        box = page.locator('[data-task="03.service"]')
        hints = box.locator("summary")
        expect(hints.nth(1)).to_be_hidden()
        _tab_to(page, "[data-task='03.service'] summary")
        page.keyboard.press("Enter")
        expect(hints.nth(1)).to_be_visible()
        expect(hints.nth(2)).to_be_hidden()
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        expect(hints.nth(2)).to_be_visible()


def test_keys_reach_every_button_and_show_where_they_are(chromium: Browser, started: Serving) -> None:
    with opened(chromium, started.origin) as window:
        page = visit(window, started.address("/chapters/03-services/"))
        panel = page.locator(".lab-panel")
        expect(panel.get_by_role("button", name="Check")).to_be_enabled()
        reached = _tab_to(page, ".lab-panel button", last=True)
        assert [name for name in reached if name in ("Check", "Stop", "Reset")] == ["Check", "Stop", "Reset"]
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"


def test_a_term_is_explained_where_it_is_used_first(chromium: Browser, plain: str) -> None:
    with opened(chromium, plain, expected=(MISSING,), viewport=DESK) as window:
        page = visit(window, "/chapters/03-services/")
        term = page.locator("article abbr[title]").first
        words = term.get_attribute("title") or ""
        assert len(words) > 20
        term.focus()
        expect(page.locator(".md-tooltip, .md-tooltip2").filter(has_text=words[:20])).to_be_visible()


def _unfold(page: Page) -> None:
    """Open everything that can be opened: what is in it must be readable too."""
    page.evaluate("document.querySelectorAll('article details').forEach(one => { one.open = true })")


def _told(violations: list[dict[str, object]]) -> list[str]:
    return [f"{one['id']}: {one['help']}: {[(node['target'], node['html'][:160]) for node in one['nodes'][:4]]}" for one in violations]  # type: ignore[index, union-attr]


def _tab_to(page: Page, selector: str, *, last: bool = False) -> list[str]:
    """Press Tab until something that fits has the focus (with `last`: until none does any more); the texts on the way."""
    texts: list[str] = []
    for _ in range(400):
        page.keyboard.press("Tab")
        fits = page.evaluate("selector => document.activeElement.matches(selector)", selector)
        if last and texts and not fits:
            page.keyboard.press("Shift+Tab")
            return texts
        if fits:
            texts.append(str(page.evaluate("document.activeElement.textContent")).strip())
            if not last:
                return texts
    raise AssertionError(f"no key leads to {selector}")
