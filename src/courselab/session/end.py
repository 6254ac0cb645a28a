"""The other end of a lab's life: stop, delete."""

from __future__ import annotations

from contextlib import suppress

from msgspec.structs import replace

from courselab.course import Lab
from courselab.errors import LabError
from courselab.machines import MachineState
from courselab.session import kept
from courselab.session.context import Context, current, machines_of
from courselab.session.lock import lab_lock
from courselab.session.snapshots import take_due
from courselab.session.store import LabState, Phase
from courselab.session.together import in_parallel

_BUSY_WAIT_S = 10.0


def stop(context: Context, state: LabState, lab: Lab) -> None:
    """Shut the lab's machines down; everything in them stays. A snapshot that was put off until now is taken."""
    with lab_lock(context.paths.state, state.chapter, "stop"):
        state = current(context, state)
        running = [m for m in machines_of(context, state).values() if m and m.state is not MachineState.STOPPED]
        with context.progress.stage("Stopping machines", eta_s=3):
            in_parallel(machine.stop for machine in running)
        if state.phase is Phase.READY:
            state = state.to(Phase.STOPPED)
            context.store.save(state)
        if state.phase is Phase.STOPPED:
            take_due(context, lab, state)


def delete(context: Context, chapter: str, *, wait_s: float = 0.0) -> None:
    """Remove a lab and all its machines, whatever state they are in. The learner's work folder and progress stay.

    What a killed delete has left is no lab any more: `lab start` makes a new one of it. `wait_s`: how long whoever is changing the lab is
    waited for, if longer than usual.
    """
    with lab_lock(context.paths.state, chapter, "delete", wait_s=wait_s or _BUSY_WAIT_S):
        with suppress(LabError):  # a damaged state is removed as well
            if state := context.store.load(chapter):
                context.store.save(replace(state.to(Phase.RESETTING), keeping="", restoring="", due=""))
        for one in kept.all_of(context.store, chapter):
            kept.forget(context.store, one)
        with context.progress.stage("Deleting machines", eta_s=1):
            leftovers = [machine.delete for machine in context.provider.list(chapter)]
            in_parallel(leftovers)
        context.store.remove(chapter)
