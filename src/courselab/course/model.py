"""A lab as `labs/NN-slug/lab.yaml` describes it. The fields here are the file's reference."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of lab.yaml: a key that is not listed here is refused."""


class Role(enum.Enum):
    """What K3s is on a machine when the lab starts; `none` leaves it for the learner to install."""

    SERVER = "server"
    AGENT = "agent"
    NONE = "none"


class MachineNeed(_Strict, frozen=True):
    """One machine of a lab; its key in lab.yaml is its host name and node name."""

    role: Role = Role.SERVER
    cpus: int = 2
    memory_mib: int = 2048
    disk_gib: int = 10


class Parameter(_Strict, frozen=True):
    """A value that differs per student. Exactly one of the fields says how it is drawn."""

    choice: list[str] | None = None  # one of these
    number: list[int] | None = None  # a whole number from the first to the second, both included
    token: int | None = None  # this many random letters and digits
    text: str | None = None  # made of other parameters: "{shop}.example"
    tasks: int | None = None  # names of so many of the lab's tasks: the student has these alone. Such a parameter is called tasks


class Collect(_Strict, frozen=True):
    """Facts about one machine that the lab's checks read, beside those every run collects."""

    files: list[str] = []  # content (bounded), owner, mode, time
    units: list[str] = []  # systemd units: state, since when, last log lines
    ports: list[int] = []  # TCP ports: is something listening?
    sysctls: list[str] = []


class Task(_Strict, frozen=True):
    """One thing to do, graded by the check with the same id."""

    id: str  # chapter.name: "02.deploy"
    title: str
    text: str  # what to reach, Markdown; {name} is the student's value of a parameter
    points: int
    hints: list[str]  # three: a nudge, where to look, almost the solution
    deadline_s: int = 30  # how long a check may wait for the cluster to settle, in seconds
    only_on: list[str] = []  # providers whose machines can have it: multipass; empty: all of them

    @property
    def name(self) -> str:
        """The id without its chapter: "deploy"."""
        return self.id.partition(".")[2]


class K3sNeed(_Strict, frozen=True):
    """How K3s is set up in this lab."""

    config: dict[str, Any] = {}  # goes to /etc/rancher/k3s/config.yaml on servers
    needs: list[str] = []  # packaged components that must be available before the lab is ready: coredns, local-storage, …
    kubectl_ready: bool = True  # the student finds a working kubectl


class LabFile(_Strict, frozen=True):
    """The whole of lab.yaml."""

    schema: int
    chapter: str  # two digits: "02"
    title: str
    summary: str  # one sentence
    minutes: int  # how long a learner needs
    tasks: list[Task]
    machines: dict[str, MachineNeed] = msgspec.field(default_factory=lambda: {"server": MachineNeed()})
    k3s: K3sNeed = K3sNeed()
    builds_on: list[str] = []  # earlier chapters whose solved tasks come into this lab on wish: `lab start NN --catch-up`
    images: list[str] = []  # the course's own images that every node gets: course/web:1
    params: dict[str, Parameter] = {}
    collect: dict[str, Collect] = {}  # machine → facts


class Lab(msgspec.Struct, frozen=True):
    """A lab: its file and the folder it stands in."""

    file: LabFile
    folder: Path

    @property
    def chapter(self) -> str:
        return self.file.chapter

    @property
    def title(self) -> str:
        return self.file.title

    @property
    def tasks(self) -> list[Task]:
        return self.file.tasks

    @property
    def possible(self) -> int:
        """The points of a student's tasks; the same for every student, whichever tasks are drawn."""
        return sum(task.points for task in self.tasks[: self.drawn])

    @property
    def drawn(self) -> int | None:
        """How many of the tasks are drawn for a student; None: all tasks are everybody's."""
        return next((found.tasks for found in self.file.params.values() if found.tasks is not None), None)

    def mine(self, params: Mapping[str, str]) -> Lab:
        """The lab with the tasks of the student who has these values."""
        if self.drawn is None:
            return self
        names = params["tasks"].split()
        return self._with([task for task in self.tasks if task.name in names], self.file.params)

    def whole(self, provider: str) -> Lab:
        """The lab with every task that this provider's machines can have, whoever the student is: nothing is drawn."""
        tasks = [task for task in self.tasks if provider in task.only_on or not task.only_on]
        params = {name: Parameter(tasks=len(tasks)) if found.tasks is not None else found for name, found in self.file.params.items()}
        return self._with(tasks, params)

    def _with(self, tasks: list[Task], params: dict[str, Parameter]) -> Lab:
        return msgspec.structs.replace(self, file=msgspec.structs.replace(self.file, tasks=tasks, params=params))

    def task(self, id: str) -> Task | None:
        """The task with this id ("02.deploy") or name ("deploy")."""
        return next((task for task in self.tasks if id in (task.id, task.name)), None)

    @property
    def servers(self) -> list[str]:
        """Machines that run a K3s server when the lab starts, in the file's order."""
        return [name for name, need in self.file.machines.items() if need.role is Role.SERVER]

    @property
    def roles(self) -> dict[str, Role]:
        """What K3s is on each machine that has it when the lab starts."""
        return {name: need.role for name, need in self.file.machines.items() if need.role is not Role.NONE}

    @property
    def disabled(self) -> frozenset[str]:
        """Packaged components that the lab begins without; none where learners install K3s themselves."""
        if any(need.role is Role.NONE for need in self.file.machines.values()):
            return frozenset()
        said = self.file.k3s.config.get("disable")
        names = cast("list[object]", said) if isinstance(said, list) else [said]
        return frozenset(part.strip() for name in names if isinstance(name, str) for part in name.split(","))

    @property
    def starter_folder(self) -> Path:
        """Files that a learner's work folder starts with."""
        return self.folder / "work"

    @property
    def manifests_folder(self) -> Path:
        """Objects that are in the cluster when the lab is ready."""
        return self.folder / "manifests"
