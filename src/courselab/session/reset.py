"""A lab as it was in the beginning. What it was just before is kept as a snapshot, at no cost where the provider can, else after saying so."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from courselab.course import Lab
from courselab.errors import LabError
from courselab.session import kept, snapshots
from courselab.session.context import Context, machine_names, machines_of
from courselab.session.lock import lab_lock
from courselab.session.start import build
from courselab.session.store import LabState, Phase, now
from courselab.session.together import in_parallel


def reset(context: Context, lab: Lab, state: LabState, *, on_node_ready: Callable[[], None] = lambda: None) -> LabState:
    """Make the lab anew, with the same parameters; the learner's work folder and progress stay."""
    with lab_lock(context.paths.state, state.chapter, "reset"):
        state = context.store.load(state.chapter) or state
        resetting = _in_place(context, lab, state) if context.provider.cheap_snapshots else _leave_behind(context, lab, state)
        resetting = replace(resetting, created_at=now())  # nothing of it has been reached yet
        context.store.save(resetting)
        (context.store.folder(state.chapter) / "experiments.json").unlink(missing_ok=True)
        _delete_others(context, resetting)
        return build(context, lab, resetting, on_node_ready)


def _in_place(context: Context, lab: Lab, state: LabState) -> LabState:
    """Each machine is made anew under its name; its old disk becomes a snapshot, if the lab was whole."""
    names = {host: state.machines.get(host, name) for host, name in machine_names(lab).items()}
    keeping = state.keeping
    if state.phase in (Phase.READY, Phase.STOPPED) and all(machines_of(context, state).values()) and names == state.machines:
        keeping = kept.free_name(context.store, state.chapter, snapshots.BEFORE_RESET)
    return replace(state.to(Phase.RESETTING), machines=names, keeping=keeping, restoring="")


def _leave_behind(context: Context, lab: Lab, state: LabState) -> LabState:
    """The old machines are stopped and stay behind with a snapshot, and the lab gets others; without a snapshot they are replaced."""
    old = [machine for machine in machines_of(context, state).values() if machine]
    if state.phase in (Phase.READY, Phase.STOPPED) and len(old) == len(state.machines):
        context.progress.say(f"What lab {lab.chapter} is now is kept as a snapshot; that takes about half a minute for each machine.")
        try:
            in_parallel(machine.stop for machine in old)
            stopped = state.to(Phase.STOPPED)
            context.store.save(stopped)
            snapshots.take_locked(context, lab, stopped, name=snapshots.BEFORE_RESET, why="before a reset", automatic=True)
        except LabError as error:
            context.progress.say(f"No snapshot was taken: {error.why or error.what}")
    return replace(state.to(Phase.RESETTING), machines=_free_names(context, lab), restoring="", keeping="", due="")


def _free_names(context: Context, lab: Lab) -> dict[str, str]:
    """Names for the lab's machines that no snapshot needs: the usual ones, or with a number."""
    taken = kept.machines_in_snapshots(context.store, lab.chapter)
    for number in range(1, 1000):
        suffix = "" if number == 1 else f"-{number}"
        names = {host: f"{name}{suffix}" for host, name in machine_names(lab).items()}
        if not taken & set(names.values()):
            return names
    raise LabError(f"Lab {lab.chapter} was reset too often", why="All names for its machines are taken.", fix=f"lab delete {lab.chapter}")


def _delete_others(context: Context, state: LabState) -> None:
    """Delete machines that the lab does not have any more and no snapshot needs."""
    needed = {*state.machines.values(), *kept.machines_in_snapshots(context.store, state.chapter)}
    in_parallel([machine.delete for machine in context.provider.list(state.chapter) if machine.name not in needed])
