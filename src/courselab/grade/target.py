"""The lab that is graded, as whoever runs the checks hands it over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from courselab.course.model import Lab
from courselab.grade.checker import Checker
from courselab.grade.evidence import K3sName
from courselab.machines.base import Machine


@dataclass(frozen=True)
class Target:
    """Everything that is needed to look into a running lab.

    `checker`: only the checks of this student's tasks are kept. `params`: this student's values, in clear. `kubeconfig`: admin access to the cluster; None if K3s is not installed (yet).
    `key`: any secret text that stays the same for this lab; hashes of secret values are made with it.
    """

    lab: Lab
    checker: Checker
    params: Mapping[str, str]
    machines: Mapping[str, Machine]  # by their name in lab.yaml: "server"
    kubeconfig: bytes | None
    key: str
    provider: str = ""
    student: str = ""
    k3s: K3sName = field(default_factory=K3sName)

    def __post_init__(self) -> None:
        """Whoever looks at the lab, once or all the time, looks at the tasks that were drawn for this student."""
        object.__setattr__(self, "checker", self.checker.drawn(self.params, self.lab.chapter))
