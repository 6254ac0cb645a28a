"""A started chapter in tests: its checks, and the scripts that solve it, undo it and get it wrong."""

from __future__ import annotations

import json
from typing import Any

from courselab.course import Catalog, Lab
from courselab.course.scripts import Script, read_scripts
from tests.integration.command import COURSE, LabCommand


class Chapter:
    """One chapter's lab, driven through `./lab` as a learner would."""

    def __init__(self, command: LabCommand, number: str) -> None:
        self.command = command
        self.number = number
        self.lab: Lab = Catalog(COURSE).find(number)

    def check(self, *words: str) -> dict[str, dict[str, Any]]:
        """What `lab check` says of each task, by its id."""
        report = json.loads(self.command.run("check", self.number, "--json", *words).stdout)
        return {check["id"]: check for check in report["checks"]}

    def passed(self, *words: str) -> set[str]:
        return {id for id, check in self.check(*words).items() if check["verdict"] == "pass"}

    def run(self, script: Script) -> None:
        """Run a script on its machine, as its user, with the student's values."""
        user = ["--root"] if script.user == "root" else []
        self.command.ok("shell", *user, "--lab", self.number, script.on, "--", "sh", "-elc", script.text)

    def solve(self) -> None:
        """Every task, in order."""
        for script in read_scripts(self.lab, "solution"):
            self.run(script)

    def undo(self, task: str) -> None:
        """Take one task back."""
        self.run(next(script for script in read_scripts(self.lab, "undo") if script.task == task))
