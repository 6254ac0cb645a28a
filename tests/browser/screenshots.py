"""`python -m tests.browser.screenshots` takes the pictures of the course that README and docs show, and writes them to docs/assets/shots.

The pages are those of `lab serve`, drawn by the real Chromium; the lab on them is Evidence that `lab verify` kept of a real cluster, so that the
same pictures come out on every computer. Written as WebP: small, and every browser knows it.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from courselab.files import write_atomic
from courselab.paths import Paths
from courselab.progress import Silent
from courselab.site.build import built_site
from tests.browser.chromium import launch, opened, visit
from tests.browser.conftest import Serving, served
from tests.browser.replayed_labs import COURSE, ReplayedLabs

SHOTS = COURSE / "docs" / "assets" / "shots"
DESK = (1280, 740)
HAND = (390, 844)
CHAPTER = "/chapters/03-services/"
TO_WEBP = """async png => {
  const image = new Image()
  image.src = `data:image/png;base64,${png}`
  await image.decode()
  const canvas = new OffscreenCanvas(image.width, image.height)
  canvas.getContext("2d").drawImage(image, 0, 0)
  const blob = await canvas.convertToBlob({type: "image/webp", quality: 0.82})
  const bytes = new Uint8Array(await blob.arrayBuffer())
  return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(""))
}"""


@dataclass(frozen=True)
class Shot:
    """One picture: of which page, and what of it stands at the top."""

    name: str
    address: str
    scheme: str = "light"
    at: str = ""  # what the page is scrolled to
    size: tuple[int, int] = DESK
    case: str = "service.selector"  # in which of its kept states the lab is
    scale: float = 1.5

    def take(self, browser: Browser, serving: Serving) -> bytes:
        """The picture as PNG."""
        serving.labs.show(self.case)
        width, height = self.size
        window = {"viewport": {"width": width, "height": height}, "color_scheme": self.scheme, "device_scale_factor": self.scale}
        with opened(browser, serving.origin, **window) as context:
            page = visit(context, serving.address(self.address))
            if self.address == CHAPTER:
                expect(page.locator(".lab-verdict").first).to_be_visible()
                expect(page.locator("svg.pic")).to_be_visible()
            if self.at:
                _scroll_to(page, self.at)
            return page.screenshot(animations="disabled")


def shots() -> Iterator[Shot]:
    for scheme in ("light", "dark"):
        yield Shot(f"landing-{scheme}", "/", scheme)
        yield Shot(f"lab-{scheme}", CHAPTER, scheme, at=".lab-panel")
        yield Shot(f"task-{scheme}", CHAPTER, scheme, at="#task-03-route", case="route.host")
    yield Shot("chapter", CHAPTER)
    yield Shot("phone", CHAPTER, at="#task-03-route", size=HAND, case="route.host")


def main() -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        home = Path(scratch)
        site = built_site(Paths(COURSE, home / "state", home / "cache", home / "config", home / "work"), Silent())
        browser = launch(playwright)
        with served(site, ReplayedLabs()) as serving:
            for shot in shots():
                webp = _webp(browser, shot.take(browser, serving))
                write_atomic(SHOTS / f"{shot.name}.webp", webp, mode=0o644)
                print(f"docs/assets/shots/{shot.name}.webp  {len(webp) / 1000:.0f} kB", file=sys.stderr)
        browser.close()


def _scroll_to(page: Page, selector: str) -> None:
    """The element just below the page's head."""
    page.evaluate(
        """selector => {
      const head = document.querySelector(".md-header").offsetHeight + 16
      scrollTo(0, document.querySelector(selector).getBoundingClientRect().top + scrollY - head)
    }""",
        selector,
    )
    page.wait_for_timeout(300)  # Material moves its tabs away while one scrolls


def _webp(browser: Browser, png: bytes) -> bytes:
    page = browser.new_page()
    try:
        return base64.b64decode(str(page.evaluate(TO_WEBP, base64.b64encode(png).decode())))
    finally:
        page.close()


if __name__ == "__main__":
    main()
