"""Somebody with a terminal and a browser: `./lab`, and the `lab serve` that runs beside it, with real machines behind both."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

from courselab.course import Lab
from courselab.course.scripts import Script
from tests.integration.command import COURSE, LabCommand, host_marks
from tests.integration.traces import traces

START_MS = 900_000  # the first start on a computer builds what it needs
SOON_MS = 120_000  # how long a cluster may take to do what it was told


@dataclass(frozen=True)
class Learner:
    """Reads and does one chapter."""

    course_lab: Lab
    lab: LabCommand
    serve: subprocess.Popen[str]
    url: str

    @property
    def origin(self) -> str:
        return self.url.partition("/chapters/")[0]

    def types(self, script: Script) -> None:
        """What the script says, in the lab's machines."""
        for part in script.parts:
            user = ["--root"] if part.user == "root" else []
            self.lab.ok("shell", *user, "--lab", self.course_lab.chapter, part.on, "--", "sh", "-elc", part.text)

    def root(self, *words: str) -> None:
        self.lab.ok("shell", "--root", "--lab", self.course_lab.chapter, "server", "--", *words)

    def report(self) -> dict[str, dict[str, Any]]:
        """What `lab check` says in the terminal, by task."""
        done = self.lab.run("check", self.course_lab.chapter, "--json", "--no-disturb")
        return {check["id"]: check for check in json.loads(done.stdout)["checks"]}

    def environment(self) -> dict[str, str]:
        """What `lab env` prints."""
        lines = self.lab.ok("env", self.course_lab.chapter).stdout.splitlines()
        pairs = (line.removeprefix("export ").partition("=") for line in lines if "=" in line)
        return {name: value.strip("'\"") for name, _, value in pairs}

    def verdict(self, page: Page, task: str) -> Locator:
        return page.locator(f'[data-task="{self.course_lab.chapter}.{task}"] .lab-verdict')


@contextmanager
def learner_of(lab: Lab, home: Path) -> Generator[Learner]:
    """A learner on a chapter's page; afterwards nothing is left on the host."""
    before = host_marks()
    command = LabCommand(home)
    serve = subprocess.Popen(
        [str(COURSE / "lab"), "serve", lab.chapter, "--no-open", "--json", "--port", "0"],
        env=command.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert serve.stdout
        yield Learner(lab, command, serve, json.loads(serve.stdout.readline())["url"])
    finally:
        serve.send_signal(signal.SIGINT)
        serve.wait(30)
        if serve.stdout:
            serve.stdout.close()
        command.ok("delete", "--all", "--yes")
    assert traces(home / "state" / "machines") == {}, "nothing is left"
    assert host_marks() == before, "the host is as it was"


def panel(page: Page) -> Locator:
    return page.locator(".lab-panel")


def press(page: Page, name: str) -> None:
    panel(page).get_by_role("button", name=name, exact=True).click()
