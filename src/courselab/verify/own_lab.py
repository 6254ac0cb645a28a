"""Labs that belong to one verification: their own state and work folders, machine names and student. Gone afterwards, however it ends."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from courselab import process
from courselab.course import Lab, Role, Task
from courselab.course.scripts import Script
from courselab.errors import LabError
from courselab.grade.checker import Checker, checker_path
from courselab.grade.evidence import K3sName
from courselab.grade.run import Outcome, run_checks
from courselab.grade.target import Target
from courselab.k3s.install import k3s_runs, unit_name
from courselab.machines import Machine, Provider
from courselab.paths import Paths
from courselab.progress import Progress, Stage
from courselab.session.cluster import admin_kubeconfig
from courselab.session.context import Context, machines_of, params_of
from courselab.session.end import delete
from courselab.session.lock import lab_lock
from courselab.session.resume import READY_S
from courselab.session.room import labs_that_fit
from courselab.session.setup import run_script
from courselab.session.start import start
from courselab.session.store import LabState, Phase, Store, now
from courselab.session.together import in_parallel

_RESTART_S = 120.0
_ENDS_S = READY_S + 60.0  # the longest that a lab which is being made may take to notice that it is to be removed
# A provider whose machines are kept in these folders: the one of this name, or where that is "" the one that is wished for.
ProviderOf = Callable[[Paths, str], Provider]
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@dataclass(frozen=True)
class _UntilEnded:
    """Progress of a lab that is being made: `go_on` raises LabError instead of letting another stage begin once it is being removed."""

    shown: Progress
    go_on: Callable[[], None]

    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> AbstractContextManager[Stage]:
        self.go_on()
        return self.shown.stage(name, detail, eta_s=eta_s)

    def say(self, line: str) -> None:
        self.shown.say(line)


@dataclass(frozen=True)
class OwnLab:
    """A running lab that nobody else uses."""

    context: Context
    lab: Lab
    checker: Checker
    state: LabState
    fresh: LabState  # what it begins with
    course: Path  # a copy of the chapter's files as they were in the beginning: others may change them meanwhile
    ended: threading.Event = field(default_factory=threading.Event)  # it is being removed: whoever still works on it must not go on

    @property
    def machines(self) -> dict[str, Machine]:
        """By their name in lab.yaml."""
        return {host: machine for host, machine in machines_of(self.context, self.state).items() if machine}

    def check(self, checker: Checker, deadline_s: Callable[[Task], int] | None, *, disturb: bool) -> Outcome:
        """Collect what these checks read, and judge. What is settling is waited for until each task's `deadline_s`; None: for nothing."""
        self._go_on()
        lab = self.lab
        if deadline_s is not None:
            tasks = [msgspec.structs.replace(task, deadline_s=deadline_s(task)) for task in lab.tasks]
            lab = msgspec.structs.replace(lab, file=msgspec.structs.replace(lab.file, tasks=tasks))
        outcome = run_checks(self._target(checker, lab), wait=deadline_s is not None, disturb=disturb)
        self._go_on()  # what is seen of a lab that is being removed says nothing of the chapter
        return outcome

    def _target(self, checker: Checker, lab: Lab) -> Target:
        """The lab as the grader sees it. Nobody's name is in it: what is kept of it is for everybody."""
        return Target(
            lab=lab,
            checker=checker,
            params=params_of(lab, self.state),
            machines=self.machines,
            kubeconfig=admin_kubeconfig(self.context.store, lab, self.machines),
            key=f"verify/{lab.chapter}",
            provider=self.state.provider,
            k3s=K3sName(distribution=self.state.distribution or "k3s", version=self.state.version),
        )

    def run(self, script: Script) -> None:
        """Run a script as a learner would. Raises ScriptFailed with its last words."""
        self._go_on()
        run_script(script, self.machines)

    def restart_k3s(self) -> None:
        """Restart K3s on every machine where it runs, servers first."""
        self._go_on()
        for role in (Role.SERVER, Role.AGENT):
            for machine in self.machines.values():
                if k3s_runs(machine, role):
                    unit = unit_name(role)
                    machine.run(["systemctl", "restart", unit], timeout_s=_RESTART_S).check(f"{unit} did not start again")

    def renewed(self) -> OwnLab:
        """The same lab as it was in the beginning."""
        self._go_on()
        delete(self.context, self.lab.chapter)  # a reset would keep what it was as a snapshot, and nobody will want that
        self._go_on()
        self.context.store.save(self.fresh)
        return self.started()

    def started(self) -> OwnLab:
        """The lab once it runs."""
        self._go_on()
        return replace(self, state=start(self._until_ended, self.lab))

    @property
    def _until_ended(self) -> Context:
        return replace(self.context, progress=_UntilEnded(self.context.progress, self._go_on))

    def _go_on(self) -> None:
        if self.ended.is_set():
            raise LabError("The verification has ended", why="Its labs are being removed.", fix="Run it again.")


@contextmanager
def own_labs(
    paths: Paths, lab: Lab, checker: Checker, progress: Progress, provider_of: ProviderOf, *, seed: str, at_most: int = 1
) -> Generator[list[OwnLab]]:
    """Fresh labs, all alike, for as long as the block runs: one, or up to `at_most` as long as there is room for them.

    What an earlier verification left is removed first. Raises LabError.
    """
    folder = _folder(paths, lab.chapter)
    course = folder / "course"
    with lab_lock(paths.state, _lock_of(lab.chapter), f"verify {lab.chapter}"):
        _remove_all(paths, lab.chapter, progress, provider_of)
        made: list[OwnLab] = []
        try:
            copied = _copied(lab, paths.course, course)

            def prepared(number: int) -> OwnLab:
                own = own_paths(paths, lab.chapter, number)
                context = Context(own, Store(own), provider_of(own, ""), progress)
                whole = copied.whole(context.provider.name)
                fresh = _new_state(whole, context.provider.name, seed, number)
                new = OwnLab(context, whole, checker, fresh, fresh, course)
                context.store.save(fresh)
                made.append(new)
                return new

            first = prepared(1)
            labs = [first, *map(prepared, range(2, labs_that_fit(first.context, first.lab, at_most) + 1))]
            first.context.provider.prepare()  # it may ask the user, for the password of sudo say: not for several labs at once
            yield in_parallel([one.started for one in labs])
        finally:
            _end(made, folder)


def _end(labs: list[OwnLab], folder: Path) -> None:
    """Remove labs, whatever is still going on in them, then the folder they share: what cannot be removed is to be found there later."""
    with _not_interrupted():
        for own in labs:
            own.ended.set()
        process.end_running()  # what others still wait for in them
        in_parallel([lambda own=own: _remove(own.context, own.lab.chapter) for own in labs])
        shutil.rmtree(folder, ignore_errors=True)


def _new_state(lab: Lab, provider: str, seed: str, number: int) -> LabState:
    return LabState(
        chapter=lab.chapter,
        provider=provider,
        seed=seed,
        phase=Phase.STARTING,
        machines={host: f"k3s-{lab.chapter}-verify{number}-{host}" for host in lab.file.machines},
        created_at=now(),
        used_at=now(),
    )


def own_paths(paths: Paths, chapter: str, number: int) -> Paths:
    """Where the verification of a chapter keeps its labs: always the same places, so that leftovers are found."""
    folder = _folder(paths, chapter) / str(number)
    return replace(paths, state=folder / "state", work=folder / "work")


def _folder(paths: Paths, chapter: str) -> Path:
    return paths.state / "verify" / chapter


def leftovers(paths: Paths) -> list[str]:
    """Chapters whose verification was killed before it could tidy up; those that are being verified now are not meant."""
    return [name for folder in sorted((paths.state / "verify").glob("*")) if not _busy(paths, name := folder.name)]


def remove_leftover(paths: Paths, chapter: str, progress: Progress, provider_of: ProviderOf) -> None:
    """Remove what a killed verification left."""
    with lab_lock(paths.state, _lock_of(chapter), "delete"):
        _remove_all(paths, chapter, progress, provider_of)


def _remove_all(paths: Paths, chapter: str, progress: Progress, provider_of: ProviderOf) -> None:
    for folder in sorted(_folder(paths, chapter).glob("[0-9]*")):
        own = own_paths(paths, chapter, int(folder.name))
        store, recorded = Store(own), ""
        with suppress(LabError):  # a damaged state is removed as well
            recorded = state.provider if (state := store.load(chapter)) else ""
        _remove(Context(own, store, provider_of(own, recorded), progress), chapter)
    shutil.rmtree(_folder(paths, chapter), ignore_errors=True)


def _copied(lab: Lab, course: Path, target: Path) -> Lab:
    """The chapter's lab in a course of its own, with its checker."""
    folder, checker = target / lab.folder.relative_to(course), checker_path(target, lab.chapter)
    shutil.copytree(lab.folder, folder)
    checker.parent.mkdir(parents=True)
    shutil.copy2(checker_path(course, lab.chapter), checker)
    return msgspec.structs.replace(lab, folder=folder)


def _remove(context: Context, chapter: str) -> None:
    """Remove the lab and its folder."""
    if context.paths.state.exists():
        delete(context, chapter, wait_s=_ENDS_S)
    shutil.rmtree(context.paths.state.parent, ignore_errors=True)


def _lock_of(chapter: str) -> str:
    return f"{chapter}.verify"


def _busy(paths: Paths, chapter: str) -> bool:
    try:
        with lab_lock(paths.state, _lock_of(chapter), "delete"):
            return False
    except LabError:
        return True


@contextmanager
def _not_interrupted() -> Generator[None]:
    """A second Ctrl-C must not end the tidying up. Only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {name: signal.signal(name, signal.SIG_IGN) for name in _SIGNALS}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
