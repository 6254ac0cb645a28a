"""What a check looked at while it ran: the engine decides from it whether to wait, and what to explain."""

from __future__ import annotations

from dataclasses import dataclass, field

from courselab.grade.dig import Obj


class NotCollected(Exception):
    """A check asked for something that is not known: the machine did not answer, the list was refused. Its verdict is `error`."""


@dataclass
class Record:
    """Filled by the views that a check is given."""

    objects: list[Obj] = field(default_factory=list[Obj])  # named ones, in the order they were read
    listed: list[Obj] = field(default_factory=list[Obj])  # those that came as part of a list
    kinds: set[str] = field(default_factory=set[str])
    units: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # (machine, unit)
    settling: list[str] = field(default_factory=list[str])  # what is on its way on a machine, as sentences
    probes: set[str] = field(default_factory=set[str])
    trimmed: set[str] = field(default_factory=set[str])  # kinds of which not all was collected
    cut: set[str] = field(default_factory=set[str])  # titles of named objects of which not all was kept

    def saw(self, obj: Obj) -> None:
        """Note an object that the check asked for by name, the last one last."""
        self.objects = [other for other in self.objects if other is not obj]
        self.objects.append(obj)

    def saw_list(self, found: list[Obj]) -> None:
        """Note objects that the check got as a list."""
        self.listed += found
