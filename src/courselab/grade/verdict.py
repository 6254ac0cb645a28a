"""What can be said of a check, and what explains it."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace


class VerdictName(enum.Enum):
    """What can be said of a check."""

    PASS = "pass"  # noqa: S105 not a password
    FAIL = "fail"
    WAITING = "waiting"
    BLOCKED = "blocked"
    ERROR = "error"


class Trouble(enum.Enum):
    """Why a verdict is `error`."""

    UNREACHABLE = "unreachable"  # a machine, or a part of the cluster, gave no answer
    OURS = "ours"  # the check itself broke


@dataclass(frozen=True)
class Judged:
    """One check's verdict and what explains it."""

    id: str
    verdict: VerdictName
    credit: float = 0.0  # the share of the task that is done
    message: str = ""
    plain: bool = False  # the message says no more than expected, actual and path do
    subject: str = ""  # what it is about: "Deployment web"
    about: tuple[str, ...] = ()  # the UIDs of the objects that a failure is about
    expected: str = ""
    actual: str = ""
    path: str = ""
    why: tuple[str, ...] = ()
    diagnosis: str = ""
    next: str = ""
    waits_for: str = ""  # what is still settling
    kinds: frozenset[str] = frozenset()  # kinds that the check read
    reads_nodes: bool = False
    probes: frozenset[str] = frozenset()
    trouble: Trouble | None = None

    @property
    def passed(self) -> bool:
        """Whether the task is done."""
        return self.verdict is VerdictName.PASS


def settle_up(judged: Iterable[Judged], waited_s: float) -> list[Judged]:
    """The same verdicts with nothing left to wait for: what waits has failed. `waited_s`: how long it was waited for, in seconds."""
    final: list[Judged] = []
    for one in judged:
        if one.verdict is VerdictName.WAITING:
            after = f" after {waited_s:.0f} s" if waited_s >= 1 else ""
            converging = f"still converging{after}: {one.waits_for}"
            # The wait is the last word if nothing else is wrong, else it explains why what is wrong may yet come right.
            message = f"{one.message} ({converging})" if one.message and one.message != one.waits_for else converging
            final.append(replace(one, verdict=VerdictName.FAIL, message=message))
        else:
            final.append(one)
    return final
