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
from courselab.grade.checker import Checker, checker_path, load_checker
from courselab.grade.evidence import K3sName
from courselab.grade.target import Target
from courselab.session.cluster import admin_kubeconfig
from courselab.session.context import machines_of, params_of
from courselab.session.lock import lab_lock
from courselab.session.store import LabState, Phase

_LOCK_WAIT_S = 20.0


def target_of(app: App, lab: Lab, state: LabState, checker: Callable[[], Checker] | None = None) -> Target:
    """The started lab as the grader of `lab` sees it: its own chapter, or one that it builds on. Raises Unreachable when it is stopped, not finished, or a machine is gone.

    `checker`: who watches has it already.
    """
    if state.phase is not Phase.READY:
        raise Unreachable(
            f"Lab {state.chapter} is {'stopped' if state.phase is Phase.STOPPED else 'not ready yet'}",
            why="There is nothing to look at.",
            fix=f"lab {'resume' if state.phase is Phase.STOPPED else 'start'} {state.chapter}",
        )
    found = machines_of(app.context_of(state), state)
    machines = {host: machine for host, machine in found.items() if machine}
    if missing := sorted(set(found) - set(machines)):
        raise Unreachable(f"Machine {missing[0]} of lab {state.chapter} is gone", why="It was removed.", fix=f"lab reset {state.chapter}")
    return Target(
        lab=lab,
        checker=checker() if checker else load_checker(checker_path(app.paths.course, lab.chapter), lab),
        params=params_of(lab, state),
        machines=machines,
        kubeconfig=admin_kubeconfig(app.store, app.catalog.find(state.chapter), machines),
        key=f"{app.store.student()}/{state.seed}",
        provider=state.provider,
        student=app.store.student(),
        k3s=K3sName(distribution=state.distribution or "k3s", version=state.version),
    )


def experiment_lock(app: App, chapter: str) -> Callable[[], AbstractContextManager[None]]:
    """The lab's lock, for experiments that change the lab for a moment."""
    return lambda: lab_lock(app.paths.state, chapter, "check", wait_s=_LOCK_WAIT_S)


class ExperimentResults(MutableMapping[str, Any]):
    """Results of experiments, kept in the lab's folder until what they looked at changes. A `lab check` elsewhere may add some."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Any] = {}
        self._written = 0

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        write_json(self._path, self._values | {key: value})

    def __delitem__(self, key: str) -> None:
        values = dict(self._values)
        del values[key]
        write_json(self._path, values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def _values(self) -> dict[str, Any]:
        """What the file says; read only when it is another one."""
        try:
            written = self._path.stat().st_mtime_ns
            if written != self._written:
                self._known, self._written = dict(json.loads(self._path.read_text(encoding="utf-8"))), written
        except (OSError, ValueError, TypeError):
            self._known, self._written = {}, 0
        return self._known
