"""Putting a lab back to a snapshot. What is being done is written down first, so that a restore that was cut off is finished later."""

from __future__ import annotations

import msgspec

from courselab.course import Lab
from courselab.errors import LabError
from courselab.machines import Machine, MachineState
from courselab.session import kept, snapshots
from courselab.session.context import Context, machines_of
from courselab.session.kept import Snapshot
from courselab.session.lock import lab_lock
from courselab.session.resume import wake
from courselab.session.store import LabState, Phase
from courselab.session.together import in_parallel

_CHEAP_S, _DEAR_S = 2.0, 60.0


def restore(context: Context, lab: Lab, state: LabState, snapshot: Snapshot) -> LabState:
    """Put all machines of the lab back to `snapshot` and wait until it is ready. Work folder and progress stay as they are.

    Where that costs nothing, what the lab was just before is kept as a snapshot of its own.
    """
    with lab_lock(context.paths.state, lab.chapter, "restore"):
        before = context.store.load(lab.chapter) or state
        _machines_in(context, snapshot)
        begun = _begin(context, before, snapshot)
        try:
            ready = finish(context, lab, begun)
        except LabError:
            _take_back(context, lab, before, begun)
            raise
        snapshots.prune(context, lab.chapter)
        return ready


def finish(context: Context, lab: Lab, state: LabState) -> LabState:
    """Go on with a restore that was begun, wherever it stopped. The caller holds the lab's lock."""
    snapshot = kept.find(context.store, state.chapter, state.restoring)
    eta = _CHEAP_S if context.provider.cheap_snapshots else _DEAR_S
    with context.progress.stage("Going back to", snapshot.name, eta_s=eta):
        machines = _machines_in(context, snapshot)
        _retire_others(context, state, snapshot)
        in_parallel([lambda machine=machine: _put_back(machine, snapshot.name, state.keeping) for machine in machines])
        _remember_before(context, state, machines)
    (context.store.folder(state.chapter) / "experiments.json").unlink(missing_ok=True)  # results about objects that are no more
    back = msgspec.structs.replace(
        state,
        machines=dict(snapshot.machines),
        addresses=dict(snapshot.addresses),
        caught_up=snapshot.caught_up,
        restoring="",
        keeping="",
        distribution=snapshot.distribution,
        version=snapshot.version,
    ).to(Phase.STOPPED)
    context.store.save(back)
    return wake(context, lab, back)


def _begin(context: Context, state: LabState, snapshot: Snapshot) -> LabState:
    whole = state.phase in (Phase.READY, Phase.STOPPED) and state.machines == snapshot.machines
    keeping = ""
    if whole and context.provider.cheap_snapshots:
        keeping = kept.free_name(context.store, state.chapter, snapshots.BEFORE_RESTORE)
    begun = msgspec.structs.replace(state, restoring=snapshot.name, keeping=keeping).to(Phase.RESTORING)
    context.store.save(begun)
    return begun


def _put_back(machine: Machine, name: str, keep: str) -> None:
    machine.halt()
    if keep and keep in machine.snapshots():
        keep = ""  # a restore that was cut off came so far
    machine.restore(name, keep=keep)


def _remember_before(context: Context, state: LabState, machines: list[Machine]) -> None:
    if state.keeping and all(state.keeping in machine.snapshots() for machine in machines):
        why = f"before going back to {state.restoring}"
        snapshots.remember(context, state, name=state.keeping, why=why, automatic=True)


def _take_back(context: Context, lab: Lab, before: LabState, begun: LabState) -> None:
    """A restore that failed before it changed any machine, for lack of room say, leaves the lab as it was."""
    now = context.store.load(lab.chapter)
    if now is None or now.phase is not Phase.RESTORING or not begun.keeping:
        return
    machines = [machine for machine in machines_of(context, before).values() if machine]
    if any(begun.keeping in machine.snapshots() or machine.state is MachineState.BROKEN for machine in machines):
        return
    context.store.save(before.to(Phase.STOPPED))
    if before.phase is Phase.READY:
        wake(context, lab, before.to(Phase.STOPPED))


def _machines_in(context: Context, snapshot: Snapshot) -> list[Machine]:
    found = {host: context.provider.get(name) for host, name in snapshot.machines.items()}
    lost = [host for host, machine in found.items() if machine is None or snapshot.name not in machine.snapshots()]
    if lost:
        raise LabError(
            f"Snapshot {snapshot.name} is not whole any more",
            why=f"Its copy of machine {lost[0]} is gone.",
            fix=f"`lab snapshots {snapshot.chapter}` shows others; `lab reset {snapshot.chapter}` makes the lab anew.",
        )
    return [machine for machine in found.values() if machine]


def _retire_others(context: Context, state: LabState, snapshot: Snapshot) -> None:
    """Machines of another life of this lab end: they are kept, stopped, if a snapshot needs them, and else deleted."""
    wanted = kept.machines_in_snapshots(context.store, state.chapter)
    for machine in machines_of(context, state).values():
        if machine and machine.name not in snapshot.machines.values():
            if machine.name in wanted:
                machine.stop()
            else:
                machine.delete()
