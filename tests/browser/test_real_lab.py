"""Chapter 03 in a browser with a real machine and cluster behind it: read, start, solve, break, see why, mend; tabs, restarts, a half-done lab."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Generator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from courselab.course import Catalog
from courselab.course.scripts import Script, read_scripts
from tests.browser.chromium import opened, visit
from tests.integration.command import COURSE, LabCommand, host_marks
from tests.integration.traces import traces

CHAPTER = "03"
LAB = Catalog(COURSE).find(CHAPTER)
PAGE = f"/chapters/{LAB.folder.name}/"
START_MS = 900_000  # the first start on a computer builds what it needs
SOON_MS = 120_000  # how long a cluster may take to do what it was told


@dataclass(frozen=True)
class Learner:
    """Somebody with a terminal and a browser: `./lab`, and the `lab serve` that runs beside it."""

    lab: LabCommand
    serve: subprocess.Popen[str]
    url: str

    @property
    def origin(self) -> str:
        return self.url.partition("/chapters/")[0]

    def types(self, script: Script) -> None:
        """What the script says, in the lab's machine."""
        for part in script.parts:
            user = ["--root"] if part.user == "root" else []
            self.lab.ok("shell", *user, "--lab", CHAPTER, part.on, "--", "sh", "-elc", part.text)

    def root(self, *words: str) -> None:
        self.lab.ok("shell", "--root", "--lab", CHAPTER, "server", "--", *words)

    def report(self) -> dict[str, dict[str, object]]:
        """What `lab check` says in the terminal, by task."""
        return {check["id"]: check for check in json.loads(self.lab.run("check", CHAPTER, "--json", "--no-disturb").stdout)["checks"]}


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Generator[Learner]:
    before = host_marks()
    lab = LabCommand(tmp_path_factory.mktemp("a home"))
    serve = subprocess.Popen(
        [str(COURSE / "lab"), "serve", CHAPTER, "--no-open", "--json", "--port", "0"],
        env=lab.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert serve.stdout
        yield Learner(lab, serve, json.loads(serve.stdout.readline())["url"])
    finally:
        serve.send_signal(signal.SIGINT)
        serve.wait(30)
        if serve.stdout:
            serve.stdout.close()
        lab.ok("delete", "--all", "--yes")
    assert traces(lab.home / "state" / "machines") == {}, "nothing is left"
    assert host_marks() == before, "the host is as it was"


def script(name: str, folder: str) -> Script:
    return next(one for one in read_scripts(LAB, folder) if one.path.stem == name)


def verdict(page: Page, task: str) -> Locator:
    return page.locator(f'[data-task="{CHAPTER}.{task}"] .lab-verdict')


def panel(page: Page) -> Locator:
    return page.locator(".lab-panel")


def press(page: Page, name: str) -> None:
    panel(page).get_by_role("button", name=name, exact=True).click()


def test_a_chapter_from_its_first_line_to_full_points(chromium: Browser, learner: Learner) -> None:
    with opened(chromium, learner.origin) as window:
        page = visit(window, learner.url)
        expect(page.get_by_role("heading", level=1)).to_contain_text(LAB.title)
        press(page, "Start")
        expect(panel(page)).to_contain_text("running", timeout=START_MS)
        for task in LAB.tasks:
            expect(verdict(page, task.name)).not_to_contain_text("done", timeout=SOON_MS)
        expect(page.locator('var[data-param="host"]').first).to_have_text(_env(learner)["LAB_HOST"])

        for solution in read_scripts(LAB, "solution"):
            learner.types(solution)
            expect(verdict(page, solution.task)).to_contain_text("done", timeout=SOON_MS)
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
    expect(verdict(page, "service")).to_contain_text("not yet", timeout=SOON_MS)
    told = learner.report()[f"{CHAPTER}.service"]
    box = page.locator(f'[data-task="{CHAPTER}.service"] .lab-task-live')
    for words in (told["message"], told["expected"], told["actual"]):
        expect(box).to_contain_text(str(words), timeout=SOON_MS)
    expect(page.locator("svg.pic .pic-broken .pic-reason").first).to_be_visible()
    learner.types(script("service", "solution"))
    for task in LAB.tasks:
        expect(verdict(page, task.name)).to_contain_text("done", timeout=SOON_MS)
    expect(page.locator("svg.pic .pic-broken")).to_have_count(0)


def _ten_tabs_and_a_second_browser(chromium: Browser, page: Page, learner: Learner) -> None:
    with opened(chromium, learner.origin) as other:
        tabs = [visit(page.context, PAGE) for _ in range(9)] + [visit(other, learner.url)]
        learner.types(script("paths", "undo"))
        for tab in (page, *tabs):
            expect(verdict(tab, "paths")).to_contain_text("not yet", timeout=SOON_MS)
        learner.types(script("paths", "solution"))
        for tab in (page, *tabs):
            expect(verdict(tab, "paths")).to_contain_text("done", timeout=SOON_MS)
        for tab in tabs:
            tab.close()


def _a_closed_laptop(page: Page, learner: Learner) -> None:
    """All stood still for a while; what changed since is told without the page being loaded again."""
    os.kill(learner.serve.pid, signal.SIGSTOP)
    try:
        learner.types(script("paths", "undo"))
    finally:
        os.kill(learner.serve.pid, signal.SIGCONT)
    expect(verdict(page, "paths")).to_contain_text("not yet", timeout=SOON_MS)
    learner.types(script("paths", "solution"))
    expect(verdict(page, "paths")).to_contain_text("done", timeout=SOON_MS)


def _a_restarted_cluster(page: Page, learner: Learner) -> None:
    learner.root("systemctl", "restart", "k3s")
    learner.types(script("paths", "undo"))
    expect(verdict(page, "paths")).to_contain_text("not yet", timeout=SOON_MS)
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
        expect(verdict(page, "service")).to_contain_text("not yet", timeout=SOON_MS)
        learner.lab.ok("delete", CHAPTER, "--yes")
        expect(panel(page)).to_contain_text("not started", timeout=SOON_MS)
        expect(page.locator(".lab-verdict:visible")).to_have_count(0)


def _env(learner: Learner) -> dict[str, str]:
    lines = learner.lab.ok("env", CHAPTER).stdout.splitlines()
    pairs = (line.removeprefix("export ").partition("=") for line in lines if "=" in line)
    return {name: value.strip("'\"") for name, _, value in pairs}
