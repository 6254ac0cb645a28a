"""Chapter 03 in a browser with a real machine and cluster behind it: read, start, solve, break, see why, mend; tabs, restarts, a half-done lab."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, Page, expect

from courselab.course import Catalog
from courselab.course.scripts import Script, read_scripts
from tests.browser.chromium import opened, visit
from tests.browser.learner import SOON_MS, START_MS, Learner, learner_of, panel, press
from tests.integration.command import COURSE

CHAPTER = "03"
LAB = Catalog(COURSE).find(CHAPTER)
PAGE = f"/chapters/{LAB.folder.name}/"


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Generator[Learner]:
    with learner_of(LAB, tmp_path_factory.mktemp("a home")) as found:
        yield found


def script(name: str, folder: str) -> Script:
    return next(one for one in read_scripts(LAB, folder) if one.path.stem == name)


def test_a_chapter_from_its_first_line_to_full_points(chromium: Browser, learner: Learner) -> None:
    with opened(chromium, learner.origin) as window:
        page = visit(window, learner.url)
        expect(page.get_by_role("heading", level=1)).to_contain_text(LAB.title)
        press(page, "Start")
        expect(panel(page)).to_contain_text("running", timeout=START_MS)
        for task in LAB.tasks:
            expect(learner.verdict(page, task.name)).not_to_contain_text("done", timeout=SOON_MS)
        expect(page.locator('var[data-param="host"]').first).to_have_text(learner.environment()["LAB_HOST"])

        for solution in read_scripts(LAB, "solution"):
            learner.types(solution)
            expect(learner.verdict(page, solution.task)).to_contain_text("done", timeout=SOON_MS)
        expect(panel(page)).to_contain_text(f"{LAB.possible} of {LAB.possible} points")
        expect(page.locator("svg.pic .pic-way")).not_to_have_count(0)

        _broken_and_mended(page, learner)
        _ten_tabs_and_a_second_browser(chromium, page, learner)
        _a_closed_laptop(page, learner)
        _a_restarted_cluster(page, learner)
        _stopped_and_resumed(page, learner)


def _broken_and_mended(page: Page, learner: Learner) -> None:
    """The words under the task are those of the terminal."""
    learner.types(script("service.selector", "mistakes"))
    expect(learner.verdict(page, "service")).to_contain_text("not yet", timeout=SOON_MS)
    told = learner.report()[f"{CHAPTER}.service"]
    box = page.locator(f'[data-task="{CHAPTER}.service"] .lab-task-live')
    for words in (told["message"], told["expected"], told["actual"]):
        expect(box).to_contain_text(str(words), timeout=SOON_MS)
    expect(page.locator("svg.pic .pic-broken .pic-reason").first).to_be_visible()
    learner.types(script("service", "solution"))
    for task in LAB.tasks:
        expect(learner.verdict(page, task.name)).to_contain_text("done", timeout=SOON_MS)
    expect(page.locator("svg.pic .pic-broken")).to_have_count(0)


def _ten_tabs_and_a_second_browser(chromium: Browser, page: Page, learner: Learner) -> None:
    with opened(chromium, learner.origin) as other:
        tabs = [visit(page.context, PAGE) for _ in range(9)] + [visit(other, learner.url)]
        learner.types(script("paths", "undo"))
        for tab in (page, *tabs):
            expect(learner.verdict(tab, "paths")).to_contain_text("not yet", timeout=SOON_MS)
        learner.types(script("paths", "solution"))
        for tab in (page, *tabs):
            expect(learner.verdict(tab, "paths")).to_contain_text("done", timeout=SOON_MS)
        for tab in tabs:
            tab.close()


def _a_closed_laptop(page: Page, learner: Learner) -> None:
    """All stood still for a while; what changed since is told without the page being loaded again."""
    os.kill(learner.serve.pid, signal.SIGSTOP)
    try:
        learner.types(script("paths", "undo"))
    finally:
        os.kill(learner.serve.pid, signal.SIGCONT)
    expect(learner.verdict(page, "paths")).to_contain_text("not yet", timeout=SOON_MS)
    learner.types(script("paths", "solution"))
    expect(learner.verdict(page, "paths")).to_contain_text("done", timeout=SOON_MS)


def _a_restarted_cluster(page: Page, learner: Learner) -> None:
    learner.root("systemctl", "restart", "k3s")
    learner.types(script("paths", "undo"))
    expect(learner.verdict(page, "paths")).to_contain_text("not yet", timeout=SOON_MS)
    learner.types(script("paths", "solution"))
    expect(panel(page)).to_contain_text(f"{LAB.possible} of {LAB.possible} points", timeout=SOON_MS)


def _stopped_and_resumed(page: Page, learner: Learner) -> None:
    press(page, "Stop")
    expect(panel(page).get_by_role("button", name="Resume")).to_be_enabled(timeout=SOON_MS)
    expect(panel(page)).to_contain_text("stopped")
    press(page, "Resume")
    expect(panel(page)).to_contain_text(f"{LAB.possible} of {LAB.possible} points", timeout=START_MS)
    press(page, "Check")
    expect(panel(page).get_by_role("button", name="Check")).to_be_enabled(timeout=SOON_MS)
    listed = json.loads(learner.lab.ok("list", "--json").stdout)["chapters"]
    assert next(row for row in listed if row["chapter"] == CHAPTER)["earned"] == LAB.possible


def test_a_half_done_lab_is_finished_from_the_page(chromium: Browser, learner: Learner) -> None:
    """`lab start` was killed in the middle; the page says so and goes on where it stopped. What is deleted in the terminal is gone here too."""
    learner.lab.run("delete", CHAPTER, "--yes")
    begun = subprocess.Popen(
        [str(COURSE / "lab"), "start", CHAPTER],
        env=learner.lab.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with opened(chromium, learner.origin) as window:
        page = visit(window, learner.url)
        expect(panel(page)).to_contain_text("not finished", timeout=SOON_MS)
        os.kill(begun.pid, signal.SIGKILL)
        begun.wait(10)
        press(page, "Start")
        expect(panel(page)).to_contain_text("running", timeout=START_MS)
        expect(learner.verdict(page, "service")).to_contain_text("not yet", timeout=SOON_MS)
        learner.lab.ok("delete", CHAPTER, "--yes")
        expect(panel(page)).to_contain_text("not started", timeout=SOON_MS)
        expect(page.locator(".lab-verdict:visible")).to_have_count(0)
