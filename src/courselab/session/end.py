"""The other end of a lab's life: stop, reset, delete."""

from __future__ import annotations

from collections.abc import Callable

from courselab.course import Lab
from courselab.machines import MachineState
from courselab.session.context import Context, machines_of
from courselab.session.lock import lab_lock
from courselab.session.start import build, in_parallel
from courselab.session.store import LabState, Phase

_BUSY_WAIT_S = 10.0


def stop(context: Context, state: LabState) -> None:
    """Shut the lab's machines down; everything in them stays."""
    with lab_lock(context.paths.state, state.chapter, "stop"):
        running = [m for m in machines_of(context, state).values() if m and m.state is not MachineState.STOPPED]
        with context.progress.stage("Stopping machines", eta_s=3):
            in_parallel(machine.stop for machine in running)
        if state.phase is Phase.READY:
            context.store.save(state.to(Phase.STOPPED))


def reset(context: Context, lab: Lab, state: LabState, *, on_node_ready: Callable[[], None] = lambda: None) -> LabState:
    """Make the lab anew, with the same parameters; the learner's work folder and progress stay."""
    with lab_lock(context.paths.state, state.chapter, "reset"):
        fresh = state.to(Phase.STARTING)
        context.store.save(fresh)
        _delete_machines(context, fresh)
        return build(context, lab, fresh, on_node_ready)


def delete(context: Context, chapter: str) -> None:
    """Remove a lab and all its machines, whatever state they are in. The learner's work folder and progress stay."""
    with lab_lock(context.paths.state, chapter, "delete", wait_s=_BUSY_WAIT_S):
        with context.progress.stage("Deleting machines", eta_s=1):
            leftovers = [machine.delete for machine in context.provider.list(chapter)]
            in_parallel(leftovers)
        context.store.remove(chapter)


def _delete_machines(context: Context, state: LabState) -> None:
    with context.progress.stage("Deleting machines", eta_s=1):
        in_parallel(machine.delete for machine in machines_of(context, state).values() if machine)
