"""A real browser, the course's site built once, and `lab serve` around it."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from courselab.paths import Paths
from courselab.progress import Silent
from courselab.site.build import built_site
from courselab.site.labs import Labs
from courselab.site.server import Server, make_server
from tests.browser.chromium import launch
from tests.browser.replayed_labs import COURSE, ReplayedLabs
from tests.integration.live import FULL

TOKEN = "b" * 32
# Other chapters walked through on their pages, with real machines: `LAB_FULL=1` includes them. The gate walks through 03.
collect_ignore = [] if FULL else ["test_walks.py"]


@dataclass
class Serving:
    """A running `lab serve`, which can be ended and started again at the same address."""

    site: Path
    labs: Any
    server: Server

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def address(self, page: str = "/") -> str:
        """The address that `lab serve` prints."""
        return f"{self.origin}{page}?token={TOKEN}"

    def end(self) -> None:
        self.server.close()

    def begin_again(self) -> None:
        self.server = _started(make_server(self.server.port, TOKEN, self.site, self.labs))


@pytest.fixture(scope="session")
def chromium() -> Generator[Browser]:
    """One browser for all tests; each opens windows of its own in it."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `lab serve` builds it."""
    home = tmp_path_factory.mktemp("home")
    return built_site(Paths(COURSE, home / "state", home / "cache", home / "config", home / "work"), Silent())


@pytest.fixture
def labs() -> ReplayedLabs:
    """No lab is started."""
    return ReplayedLabs()


@pytest.fixture
def serving(site: Path, labs: ReplayedLabs) -> Generator[Serving]:
    """`lab serve` with `labs`."""
    with served(site, labs) as running:
        yield running


@contextmanager
def served(site: Path, labs: Labs) -> Generator[Serving]:
    running = Serving(site, labs, _started(make_server(0, TOKEN, site, labs)))
    try:
        yield running
    finally:
        running.end()


@pytest.fixture(scope="session")
def plain(site: Path) -> Generator[str]:
    """The address of the same files on any web server: nothing of `lab` behind it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def _started(server: Server) -> Server:
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server
