"""What every step of a lab's life needs at hand."""

from __future__ import annotations

from dataclasses import dataclass

from courselab.course import Lab, Params
from courselab.errors import LabError, Unreachable
from courselab.machines import Machine, MachineState, Provider
from courselab.paths import Paths
from courselab.progress import Progress
from courselab.session.store import LabState, Store


@dataclass(frozen=True)
class Context:
    """The folders, the lab store, the provider of machines, and where progress is said."""

    paths: Paths
    store: Store
    provider: Provider
    progress: Progress


def machine_names(lab: Lab) -> dict[str, str]:
    """Host name → the name a provider knows that machine of the lab by."""
    return {host: f"k3s-{lab.chapter}-{host}" for host in lab.file.machines}


def params_of(lab: Lab, state: LabState) -> Params:
    """This student's values of the lab's parameters."""
    return Params.draw(lab, state.seed, state.provider)


def current(context: Context, state: LabState) -> LabState:
    """The lab's state as it is now that its lock is held: another command may have changed the lab since `state` was read."""
    if found := context.store.load(state.chapter):
        return found
    raise LabError(f"Lab {state.chapter} is gone", why="It was deleted meanwhile.", fix=f"lab start {state.chapter}")


def machines_of(context: Context, state: LabState) -> dict[str, Machine | None]:
    """Host name → machine, None for one that is gone."""
    return {host: context.provider.get(name) for host, name in state.machines.items()}


def running_machine(context: Context, state: LabState, host: str = "") -> Machine:
    """The machine called `host` (the first one without a name). Raises Unreachable when it is gone or not running."""
    host = host or next(iter(state.machines))
    if host not in state.machines:
        raise LabError(
            f"Lab {state.chapter} has no machine {host[:40]!r}",
            why=f"Its machines are: {', '.join(state.machines)}.",
            fix="Use one of these names.",
        )
    machine = context.provider.get(state.machines[host])
    if machine is None or machine.state is not MachineState.RUNNING:
        seen = "gone" if machine is None else machine.state.value
        raise Unreachable(
            f"Machine {host} of lab {state.chapter} is {seen}", why="It has to run for this.", fix=f"lab start {state.chapter}"
        )
    return machine
