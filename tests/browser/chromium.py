"""The system's Chromium, cut off from everything but this computer, and pages in it that remember whatever went wrong."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Playwright, Request, expect

PACKAGE = "chromium"
FLAGS = (
    "--headless",
    "--no-sandbox",  # tests run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--force-prefers-reduced-motion",
    "--hide-scrollbars",  # as on a phone: they take no room
)
PHONE = {"width": 320, "height": 640}
DESK = {"width": 1280, "height": 800}
# Chromium gives up the connections it is about to make or keeps idle when a network interface of the computer comes, goes or gets an address,
# also those to 127.0.0.1; each machine of a lab brings such an interface. Seen here: while pairs of virtual interfaces were made and removed, 1090
# requests failed with it, without that none. See https://github.com/microsoft/playwright/issues/13062 and telefunc/telefunc pull request 296.
NETWORK_CHANGED = "ERR_NETWORK_CHANGED"
LOADS = 4
PATIENCE_MS = 60_000  # a busy computer; nothing waits so long that works
expect.set_options(timeout=PATIENCE_MS)


def chromium_path() -> str:
    """Debian's Chromium, installed when it is missing; Playwright's own is a download from elsewhere."""
    if not shutil.which(PACKAGE):
        subprocess.run(["apt-get", "update", "-qq"], timeout=300, check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", PACKAGE], timeout=900, check=True)
    found = shutil.which(PACKAGE)
    assert found, "Debian's package chromium brings no program chromium"
    return found


def launch(playwright: Playwright) -> Browser:
    """A browser with a profile of its own, which Playwright makes and removes."""
    return playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))


@dataclass
class Troubles:
    """What no page may do: ask anything outside of its site, run into a script's error, or break its own policy."""

    origin: str
    seen: list[str] = field(default_factory=list[str])
    expected: tuple[str, ...] = ()  # parts of messages that a test provokes

    def watch(self, context: BrowserContext) -> None:
        context.on("request", self._request)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._add(f"script error: {error.error}"))
        context.on("dialog", lambda dialog: self._add(f"dialog: {dialog.message}"))

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self._add(f"request that leaves the site: {request.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._add(f"console {message.type}: {message.text}")

    def _add(self, what: str) -> None:
        self.seen.append(what)

    def check(self) -> None:
        assert [one for one in self.seen if not any(part in one for part in (*self.expected, NETWORK_CHANGED))] == []


@contextmanager
def opened(browser: Browser, origin: str, *, expected: tuple[str, ...] = (), **settings: Any) -> Generator[BrowserContext]:
    """A browser window's worth of pages, with cookies and storage of its own; fails at the end if there was trouble."""
    troubles = Troubles(origin, expected=expected)
    context = browser.new_context(**{"base_url": origin, "viewport": DESK, "reduced_motion": "reduce", **settings})
    context.set_default_timeout(PATIENCE_MS)
    troubles.watch(context)
    try:
        yield context
    finally:
        context.close()
    troubles.check()


def visit(context: BrowserContext, address: str) -> Page:
    """A new page at an address, loaded; once more if the computer's network changed meanwhile."""
    page = context.new_page()
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.failure or ""))
    for _ in range(LOADS):
        failed.clear()
        try:
            page.goto(address, wait_until="load")
        except Error as error:
            failed.append(error.message)
            if NETWORK_CHANGED not in error.message:
                raise
        if not any(NETWORK_CHANGED in one for one in failed):
            return page
    raise AssertionError(f"{address} could not be loaded: the network of this computer changes all the time")
