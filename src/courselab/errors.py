"""Every failure a user can meet, said in three lines: what happened, why, and what to do about it.

    LabError            our own trouble                                  exit 4
    ├─ UsageError       the command or one of its files was wrong        exit 2
    └─ Unreachable      a machine, or the lab itself, does not answer    exit 3

Raising one prints nothing and ends nothing: only the command line does that.
"""

from __future__ import annotations


class LabError(Exception):
    """Something went wrong that the user can read about and act on.

    `what` is one sentence without a full stop at the start of a problem ("No machine image could be built").
    `why` is the cause as far as we know it. `fix` is the next thing to do, a command where there is one.
    `docs` is a page below docs/ that tells more.  `detail` is shown by --debug only (a command's output, for example).
    """

    exit_code = 4

    def __init__(self, what: str, *, why: str = "", fix: str = "", docs: str = "", detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix
        self.docs = docs
        self.detail = detail

    @property
    def sentences(self) -> str:
        """What and why, for a place where both stand in one line."""
        return " ".join(filter(None, (f"{self.what}.", self.why)))


class UsageError(LabError):
    """The command line, or a file the user wrote, asks for something that cannot be done."""

    exit_code = 2


class Unreachable(LabError):
    """A machine or a lab that should answer does not."""

    exit_code = 3
