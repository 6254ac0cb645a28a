"""Which chapters the gate verifies on a real cluster: changed ones, and one more, another every day. The others' Evidence is replayed by
unit tests. `LAB_FULL=1` means all, `LAB_VERIFY=03,05` these."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from courselab.course import Catalog, Lab
from courselab.verify.kept import is_current
from tests.integration.command import COURSE

FULL = bool(os.environ.get("LAB_FULL"))


def live_chapters(day: int | None = None) -> dict[str, str]:
    """Chapter → why it is verified live. `day`: a number that turns the one that goes round."""
    labs = Catalog(COURSE).all()
    if named := os.environ.get("LAB_VERIFY"):
        return dict.fromkeys(named.split(","), "named by LAB_VERIFY")
    if FULL:
        return {lab.chapter: "full run" for lab in labs}
    changed = {lab.chapter: "changed since it was verified" for lab in labs if not is_current(lab, COURSE)}
    unchanged = [lab for lab in labs if lab.chapter not in changed]
    return changed | {lab.chapter: "its turn today" for lab in _turn(unchanged, day)}


def walked_chapters(labs: list[Lab]) -> list[Lab]:
    """Which of these are walked through on their pages in a full run: those that LAB_VERIFY names, else all."""
    return [lab for lab in labs if lab.chapter in os.environ.get("LAB_VERIFY", "").split(",")] or labs


def _turn(labs: list[Lab], day: int | None) -> list[Lab]:
    today = datetime.now(UTC).toordinal() if day is None else day
    return [labs[today % len(labs)]] if labs else []


def chapters_said() -> str:
    """For the head of a test run."""
    return ", ".join(f"{chapter} ({why})" for chapter, why in live_chapters().items())
