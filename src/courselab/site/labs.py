"""What `lab serve` needs of the rest of the program. The command line composes it; tests have one of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from courselab.grade.evidence import Evidence
from courselab.grade.report import Report
from courselab.progress import Progress

VERBS = ("start", "resume", "stop", "reset")


@dataclass(frozen=True)
class Seen:
    """What a watch tells: the whole report, and how it relates to the lab at this moment."""

    report: Report
    evidence: Evidence | None = None
    waits_for: tuple[str, ...] = ()
    connection: str = "live"  # live, unreachable, absent: no machine has K3s yet, which is nobody's fault
    why: str = ""  # if it is unreachable
    doing: str = ""  # what a full check does; "" while none runs
    notice: str = ""  # why the full check that was asked for could not be made


def connection_of(evidence: Evidence) -> str:
    """How the lab's cluster could be reached when this Evidence was collected; see Seen.connection."""
    if evidence.cluster.reachable:
        return "live"
    machines = evidence.nodes.values()
    return "unreachable" if any(one.k3s.installed or not one.reachable for one in machines) else "absent"


class Watching(Protocol):
    """One watched lab."""

    def updates(self, stop: threading.Event) -> Iterator[Seen]:
        """What is seen, at each change, until `stop` is set or the lab is not running any more."""
        ...

    def check_now(self) -> None:
        """Ask for everything to be seen and judged anew, and have it counted. Experiments that disturb the lab are not made."""
        ...


@dataclass(frozen=True)
class MachineRow:
    """A machine of a started lab."""

    name: str
    state: str
    address: str


@dataclass(frozen=True)
class LabRow:
    """A started lab as far as files and the provider of machines tell, without asking its cluster."""

    chapter: str
    phase: str  # as courselab.session.store.Phase says it
    provider: str
    k3s: str
    key: str  # another one after the lab was made anew
    params: dict[str, str] = field(default_factory=dict[str, str])
    hints: dict[str, int] = field(default_factory=dict[str, int])  # task → how many hints were taken


class Labs(Protocol):
    """The course and this user's labs."""

    def chapters(self) -> list[dict[str, Any]]:
        """Every chapter: chapter, title, summary, minutes, page, state, earned, possible. Quick: read from files."""
        ...

    def started(self) -> list[LabRow]:
        """The started labs, without asking for their machines."""
        ...

    def machines(self, chapter: str) -> tuple[MachineRow, ...]:
        """The machines of a started lab; may take seconds."""
        ...

    def watch(self, chapter: str) -> Watching:
        """Watch a lab that is ready. Raises LabError if it cannot be."""
        ...

    def run(self, verb: str, chapter: str, progress: Progress) -> None:
        """Do what the verb (one of VERBS) says. Raises LabError."""
        ...

    def take_hint(self, task: str, level: int) -> None:
        """Note that a hint was read. Raises LabError if there is no such task or hint."""
        ...
