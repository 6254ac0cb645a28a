"""What the verbs that grade share: a started lab as a target for checks, and the experiments' results it keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from courselab.cli.app import App
from courselab.course import Lab
from courselab.errors import Unreachable
from courselab.files import write_json
from courselab.grade.checker import checker_path, load_checker
from courselab.grade.evidence import K3sName
from courselab.grade.target import Target
from courselab.session.context import machines_of, params_of
from courselab.session.lock import lab_lock
from courselab.session.store import LabState, Phase

_LOCK_WAIT_S = 20.0


def target_of(app: App, lab: Lab, state: LabState) -> Target:
    """The lab as the grader sees it. Raises Unreachable when it is stopped, not finished, or a machine is gone."""
    if state.phase is not Phase.READY:
        raise Unreachable(
            f"Lab {lab.chapter} is {'stopped' if state.phase is Phase.STOPPED else 'not ready yet'}",
            why="There is nothing to look at.",
            fix=f"lab {'resume' if state.phase is Phase.STOPPED else 'start'} {lab.chapter}",
        )
    found = machines_of(app.context_of(state), state)
    machines = {host: machine for host, machine in found.items() if machine}
    if missing := sorted(set(found) - set(machines)):
        raise Unreachable(f"Machine {missing[0]} of lab {lab.chapter} is gone", why="It was removed.", fix=f"lab reset {lab.chapter}")
    kubeconfig = app.store.kubeconfig(lab.chapter)
    return Target(
        lab=lab,
        checker=load_checker(checker_path(app.paths.course, lab.chapter), lab),
        params=params_of(lab, state),
        machines=machines,
        kubeconfig=kubeconfig.read_bytes() if kubeconfig.exists() else None,
        key=f"{app.store.student()}/{state.seed}",
        provider=state.provider,
        student=app.store.student(),
        k3s=K3sName(distribution=state.distribution or "k3s", version=state.version),
    )


def experiment_lock(app: App, chapter: str) -> Callable[[], AbstractContextManager[None]]:
    """The lab's lock, for experiments that change the lab for a moment."""
    return lambda: lab_lock(app.paths.state, chapter, "check", wait_s=_LOCK_WAIT_S)


class ExperimentResults(MutableMapping[str, Any]):
    """Results of experiments, kept in the lab's folder until what they looked at changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._values: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            self._values = {}

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._values[key] = value
        write_json(self._path, self._values)

    def __delitem__(self, key: str) -> None:
        del self._values[key]
        write_json(self._path, self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
