"""What the gate tries on a real cluster: chapters that changed, one chapter more, another every day, and chapter 02 in a virtual machine.
The others' Evidence is replayed by unit tests. `LAB_FULL=1` means all, `LAB_VERIFY=03,05,vm` these."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from courselab.course import Catalog, Lab
from courselab.verify.kept import is_current
from tests.integration.command import COURSE

FULL = bool(os.environ.get("LAB_FULL"))
VIRTUAL_MACHINE = "vm"


def live(day: int | None = None) -> dict[str, str]:
    """Chapter, or VIRTUAL_MACHINE → why it is tried. `day`: a number that turns the chapter that goes round."""
    labs = Catalog(COURSE).all()
    if named := os.environ.get("LAB_VERIFY"):
        return dict.fromkeys(named.split(","), "named by LAB_VERIFY")
    if FULL:
        return dict.fromkeys([*(lab.chapter for lab in labs), VIRTUAL_MACHINE], "full run")
    changed = {lab.chapter: "changed since it was verified" for lab in labs if not is_current(lab, COURSE)}
    unchanged = [lab.chapter for lab in labs if lab.chapter not in changed]
    today = datetime.now(UTC).toordinal() if day is None else day
    turn = {unchanged[today % len(unchanged)]: "its turn today"} if unchanged else {}
    return changed | turn | {VIRTUAL_MACHINE: "always"}


def live_chapters() -> list[str]:
    """The chapters among them."""
    return sorted(name for name in live() if name != VIRTUAL_MACHINE)


def walked_chapters(labs: list[Lab]) -> list[Lab]:
    """Which of these are walked through on their pages in a full run: those that LAB_VERIFY names, else all."""
    return [lab for lab in labs if lab.chapter in os.environ.get("LAB_VERIFY", "").split(",")] or labs


def live_said() -> str:
    """For the head of a test run."""
    return ", ".join(f"{name} ({why})" for name, why in live().items())
