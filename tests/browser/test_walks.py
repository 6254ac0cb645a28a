"""Every chapter from its first line to full points, on its page, with real machines. Only with LAB_FULL=1; LAB_VERIFY=01,16 means these."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from courselab.course import Catalog, Lab
from courselab.course.scripts import read_scripts
from tests.browser.chromium import opened, visit
from tests.browser.learner import SOON_MS, START_MS, learner_of, panel, press
from tests.browser.test_real_lab import CHAPTER as WALKED_ALREADY
from tests.integration.command import COURSE
from tests.integration.live import walked_chapters

LABS = [lab for lab in Catalog(COURSE).all() if lab.chapter != WALKED_ALREADY]


@pytest.mark.parametrize("lab", walked_chapters(LABS), ids=lambda lab: lab.chapter)
def test_a_chapter_from_its_first_line_to_full_points(chromium: Browser, lab: Lab, tmp_path: Path) -> None:
    with learner_of(lab, tmp_path / "home") as learner, opened(chromium, learner.origin) as window:
        page = visit(window, learner.url)
        expect(page.get_by_role("heading", level=1)).to_contain_text(lab.title)
        press(page, "Start")
        expect(panel(page)).to_contain_text("running", timeout=START_MS)
        report = learner.report()  # of the broken site every student has some tasks only
        names = [id.partition(".")[2] for id in report]
        for name in names:
            expect(learner.verdict(page, name)).not_to_contain_text("done", timeout=SOON_MS)
        for solution in read_scripts(lab, "solution"):
            if solution.task in names:
                learner.types(solution)
        learner.lab.ok("check", lab.chapter)  # the terminal also makes the experiments that disturb; the page tells what came of them
        possible = sum(check["points"] for check in report.values())
        expect(panel(page)).to_contain_text(f"{possible} of {possible} points", timeout=SOON_MS)
        for name in names:
            expect(learner.verdict(page, name)).to_contain_text("done", timeout=SOON_MS)
