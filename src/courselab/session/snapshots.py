"""Snapshots of a lab: all its machines at one moment. The learner's work folder and progress are no part of them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import msgspec

from courselab.course import Lab, Task
from courselab.errors import LabError, UsageError
from courselab.machines import Machine, MachineState
from courselab.session import kept
from courselab.session.context import Context, current, machines_of
from courselab.session.kept import Snapshot
from courselab.session.lock import lab_lock
from courselab.session.resume import wake
from courselab.session.store import LabState, Phase
from courselab.session.together import in_parallel

ASKED = "you asked for it"
COMPLETED, BEFORE_RESET, BEFORE_RESTORE, BEFORE_SOLUTION = "completed", "before-reset", "before-restore", "before-solution"
_ALL_PASSED = "all tasks passed"
_STOP_AND_START_S = 60.0  # about what a machine that has to be stopped for it takes


def take(context: Context, lab: Lab, state: LabState, *, name: str = "", why: str = ASKED, automatic: bool = False) -> Snapshot:
    """Keep the lab as it is now, under `name`. It runs on afterwards, or stays stopped. Raises LabError, and then there is none."""
    if name and not automatic:
        kept.check_name(context.store, lab.chapter, name)
    with lab_lock(context.paths.state, lab.chapter, "snapshot"):
        state = current(context, state)
        taken = take_locked(context, lab, state, name=name or "snapshot", why=why, automatic=automatic)
        prune(context, lab.chapter)
    return taken


def take_locked(context: Context, lab: Lab, state: LabState, *, name: str, why: str, automatic: bool) -> Snapshot:
    """The same for a caller that holds the lab's lock."""
    if state.phase not in (Phase.READY, Phase.STOPPED):
        raise LabError(f"Lab {lab.chapter} is not finished", why="There is nothing whole to keep yet.", fix=f"lab start {lab.chapter}")
    name = kept.free_name(context.store, lab.chapter, name)
    machines = _all_machines(context, state)
    for machine in machines:
        if name in machine.snapshots():
            machine.delete_snapshot(name)  # of a command that was killed before it was whole
    with context.progress.stage("Snapshot", name, eta_s=1.0 if context.provider.cheap_snapshots else _STOP_AND_START_S):
        with _still(context, lab, state, machines):
            try:
                in_parallel([lambda machine=machine: machine.snapshot(name) for machine in machines])
            except BaseException:
                _remove_from(machines, name)
                raise
        return remember(context, state, name=name, why=why, automatic=automatic)


def take_by_itself(context: Context, lab: Lab, state: LabState, *, name: str, why: str) -> Snapshot | None:
    """A snapshot nobody asked for: now where it is cheap, else noted for the next stop. Nothing that goes wrong with it is an error."""
    try:
        if not context.provider.cheap_snapshots:
            _put_off(context, state, f"{name}: {why}")
            return None
        return take(context, lab, state, name=name, why=why, automatic=True)
    except LabError as error:
        context.progress.say(f"No snapshot was taken: {error.why or error.what}")
        return None


def _put_off(context: Context, state: LabState, due: str) -> None:
    """Note a snapshot for the next stop, in the state as it is now: another command may have stopped, reset or deleted the lab meanwhile."""
    with lab_lock(context.paths.state, state.chapter, "snapshot"):
        now = context.store.load(state.chapter)
        if now and (now.phase, now.created_at) == (Phase.READY, state.created_at):
            context.store.save(msgspec.structs.replace(now, due=due))


def take_completed(context: Context, lab: Lab, state: LabState) -> Snapshot | None:
    """Keep a lab whose tasks are all done, so that it can be had back whatever is tried with it afterwards; once, not at every check."""
    newest = kept.newest(context.store, lab.chapter)
    if (newest and newest.why == _ALL_PASSED) or state.due.endswith(_ALL_PASSED):
        return None
    return take_by_itself(context, lab, state, name=COMPLETED, why=_ALL_PASSED)


def take_before_solution(context: Context, lab: Lab, state: LabState, task: Task) -> Snapshot | None:
    """Keep what a learner tried before they run our solution over it: once, not each time they look at it. Where snapshots are dear it is
    theirs to say: one that had to wait for the next stop would hold the solution."""
    newest, why = kept.newest(context.store, lab.chapter), f"before the solution of {task.id}"
    if state.phase not in (Phase.READY, Phase.STOPPED) or (newest and newest.why == why):
        return None
    if not context.provider.cheap_snapshots:
        context.progress.say(
            "What you tried is not kept by itself here: a running lab has to stop for that, for about a minute. "
            f"To keep it, run `lab snapshot --lab {lab.chapter}` before you type the solution."
        )
        return None
    return take_by_itself(context, lab, state, name=BEFORE_SOLUTION, why=why)


def take_due(context: Context, lab: Lab, state: LabState) -> LabState:
    """Take the snapshot that was put off until the lab stops, which it now has. The caller holds the lock."""
    name, _, why = state.due.partition(": ")
    done = msgspec.structs.replace(state, due="")
    if name:
        try:
            take_locked(context, lab, state, name=name, why=why, automatic=True)
        except LabError as error:
            context.progress.say(f"No snapshot was taken: {error.why or error.what}")
        context.store.save(done)
    return done


def remember_aside(context: Context, state: LabState) -> LabState:
    """After the machines of a reset were made anew: what they were before is a snapshot from here on. The caller holds the lock."""
    if not state.keeping:
        return state
    if all(machine and state.keeping in machine.snapshots() for machine in machines_of(context, state).values()):
        remember(context, state, name=state.keeping, why="before a reset", automatic=True)
    done = msgspec.structs.replace(state, keeping="")
    context.store.save(done)
    return done


def remember(context: Context, state: LabState, *, name: str, why: str, automatic: bool) -> Snapshot:
    """Write down that each machine of the lab now has a snapshot `name`: from here on the lab has one."""
    taken = Snapshot(
        name=name,
        chapter=state.chapter,
        why=why,
        automatic=automatic,
        at=datetime.now(UTC).isoformat(),
        machines=dict(state.machines),
        addresses=dict(state.addresses),
        caught_up=state.caught_up,
        distribution=state.distribution,
        version=state.version,
    )
    kept.remember(context.store, taken)
    return taken


def remove(context: Context, snapshot: Snapshot) -> None:
    """Remove a snapshot that a learner does not want. Raises UsageError while the lab is being put back to it: only with it can that be finished."""
    with lab_lock(context.paths.state, snapshot.chapter, "snapshots"):
        state = context.store.load(snapshot.chapter)
        if state and state.phase is Phase.RESTORING and state.restoring == snapshot.name:
            why = f"Putting lab {snapshot.chapter} back to it has begun and not ended."
            raise UsageError(f"Snapshot {snapshot.name} is needed", why=why, fix=f"`lab start {snapshot.chapter}` finishes that first.")
        drop(context, snapshot)


def drop(context: Context, snapshot: Snapshot) -> None:
    """Remove a snapshot, and machines of an earlier life of the lab that nothing needs any more."""
    kept.forget(context.store, snapshot)
    found = [machine for name in snapshot.machines.values() if (machine := context.provider.get(name))]
    _remove_from(found, snapshot.name)
    state = context.store.load(snapshot.chapter)
    needed = {*(state.machines.values() if state else ()), *kept.machines_in_snapshots(context.store, snapshot.chapter)}
    for machine in found:
        if machine.name not in needed:
            machine.delete()


def prune(context: Context, chapter: str) -> list[Snapshot]:
    """Remove what is over the budget, of this lab only; returns what was removed."""
    everything = [one for name in context.store.chapters() for one in measured(context, name)]
    going = [one for one in kept.over_budget(everything, kept.budget_bytes(context.paths)) if one.chapter == chapter]
    for one in going:
        drop(context, one)
    return going


def measured(context: Context, chapter: str) -> list[Snapshot]:
    """A lab's snapshots with their sizes, each of which is measured once."""
    found: list[Snapshot] = []
    for one in kept.all_of(context.store, chapter):
        if one.size_bytes < 0:
            machines = [machine for name in one.machines.values() if (machine := context.provider.get(name))]
            one = msgspec.structs.replace(one, size_bytes=sum(machine.snapshot_bytes(one.name) for machine in machines))  # noqa: PLW2901
            kept.note_size(context.store, one)
        found.append(one)
    return found


def _all_machines(context: Context, state: LabState) -> list[Machine]:
    found = machines_of(context, state)
    for host, machine in found.items():
        if machine is None or machine.state is MachineState.BROKEN:
            raise LabError(
                f"Machine {host} of lab {state.chapter} is {'gone' if machine is None else 'only half there'}",
                why="A snapshot is of all machines of a lab.",
                fix=f"`lab resume {state.chapter}` says what can be done.",
            )
    return [machine for machine in found.values() if machine]


@contextmanager
def _still(context: Context, lab: Lab, state: LabState, machines: Sequence[Machine]) -> Generator[None]:
    """Nothing in the lab moves within: its machines are held still where that can be done, else stopped, and started again."""
    running = [machine for machine in machines if machine.state is not MachineState.STOPPED]
    with ExitStack() as held:
        if all(held.enter_context(machine.paused()) for machine in running):
            yield
            return
    in_parallel(machine.stop for machine in running)
    try:
        yield
    except LabError:
        wake(context, lab, state)  # for lack of room there is no snapshot, but the lab there was
        raise
    wake(context, lab, state)


def _remove_from(machines: Sequence[Machine], name: str) -> None:
    in_parallel([lambda machine=machine: machine.delete_snapshot(name) for machine in machines])
