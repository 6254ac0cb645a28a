"""Carrying on: a lab that was stopped, or whose computer was, runs again; or it is said precisely what is lost and what there is instead."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from courselab.course import Lab, Role
from courselab.errors import LabError, Unreachable
from courselab.k3s.api import Api
from courselab.k3s.certificate import check_certificate
from courselab.k3s.fresh import wait_for_fresh
from courselab.k3s.install import k3s_runs, raise_if_down, start_k3s
from courselab.k3s.kubeconfig import fetch_kubeconfig, load_kubeconfig, save_kubeconfig
from courselab.k3s.ready import ready_node, wait_for, wait_until_serving
from courselab.machines import Machine, MachineState
from courselab.machines.capacity import measure
from courselab.session import kept
from courselab.session.ages import age
from courselab.session.context import Context, machines_of
from courselab.session.room import naming_a_full_disk, warn_before_swapping
from courselab.session.store import LabState, Phase
from courselab.session.together import in_parallel
from courselab.session.work import prepare_work_folder

READY_S = 180.0
_NOW_S = 10.0
_ROOM_GIB = 0.5
_SETTLE_S = 30.0
# Where addresses of other machines of the lab may be written down. $@ are pairs of an old one and a new one; in two passes, for a new one
# may be the old one of another machine.
_MOVE = """
out= in= n=0
while [ $# -gt 1 ]; do
    n=$((n + 1))
    out="$out;s/\\b$(printf %s "$1" | sed 's/\\./\\\\./g')\\b/@courselab-$n@/g" in="$in;s/@courselab-$n@/$2/g"
    shift 2
done
for file in /etc/systemd/system/k3s*.service.env /etc/rancher/k3s/config.yaml /etc/rancher/k3s/config.yaml.d/*.yaml /home/student/.kube/config; do
    [ ! -f "$file" ] || sed -i "${out#;}$in" "$file" || exit 1
done
"""


def wake(context: Context, lab: Lab, state: LabState) -> LabState:
    """Start what does not run of a lab that was ready, and wait until it can be used again. The caller holds the lab's lock.

    Raises LabError that says what is lost, and names the newest snapshot if there is one.
    """
    if missing := [host for host in lab.file.machines if host not in state.machines]:
        raise LabError(
            f"Lab {lab.chapter} was made before its chapter was changed",
            why=f"It has no machine {', '.join(missing)}.",
            fix=f"`lab reset {lab.chapter}` makes the lab anew.",
        )
    if not (context.paths.work / lab.chapter).is_dir():
        prepare_work_folder(context.paths, lab)  # a machine does not start without what it shares
    try:
        with naming_a_full_disk(context):
            return _wake(context, lab, state)
    except LabError as error:
        raise _with_way_out(context, state, error) from error


def _wake(context: Context, lab: Lab, state: LabState) -> LabState:
    _leave_crossed_network(context, state)
    machines = _all_there(context, state)
    asleep = [host for host, machine in machines.items() if machine.state is not MachineState.RUNNING]
    before = state.addresses or {host: machine.address for host, machine in machines.items()}
    if asleep:
        _refuse_without_room(context)
        warn_before_swapping(context, lab)
        with context.progress.stage("Starting machines", ", ".join(asleep), eta_s=2):
            started = in_parallel(machine.start for machine in machines.values())
    else:
        started = in_parallel(machine.start for machine in machines.values())
    machines = _all_there(context, state)
    moved = {old: machine.address for host, machine in machines.items() if (old := before.get(host, "")) not in ("", machine.address)}
    if moved:
        _tell_new_addresses(context, machines, moved)
    if lab.servers:
        _wake_k3s(context, lab, machines, fresh=any(started), moved=bool(moved))
    awake = replace(state.to(Phase.READY), addresses={host: machine.address for host, machine in machines.items()})
    context.store.save(awake)
    return awake


def _leave_crossed_network(context: Context, state: LabState) -> None:
    """If this computer has come to use the lab's network otherwise, its machines stop: started again, they are in another."""
    crossed = context.provider.crossed(state.chapter)
    if crossed:
        context.progress.say(f"This computer now uses {crossed} itself: lab {state.chapter} moves to another network.")
        in_parallel(machine.stop for machine in machines_of(context, state).values() if machine)


def _wake_k3s(context: Context, lab: Lab, machines: Mapping[str, Machine], *, fresh: bool, moved: bool) -> None:
    """Start K3s where the lab has it from the beginning. What the learner stopped in a machine that runs is started, too."""
    server = machines[lab.servers[0]]
    roles = lab.roles
    stopped = {host: role for host, role in roles.items() if fresh or moved or not k3s_runs(machines[host], role)}
    running, again = [host for host in roles if host not in stopped], moved
    if lab.servers[0] in running and not _is_well(context, lab, server, running):
        stopped, again = roles, True
    since = _clock(server)
    booted = since - _uptime(server) if fresh else 0.0  # containers outlive a K3s that was only stopped
    _start_k3s(context, machines, stopped, again=again)
    kubeconfig = _fetch_kubeconfig(context, lab, server)
    check_certificate(kubeconfig, server.address)
    if stopped:
        with context.progress.stage("Waiting for", ", ".join([*roles, *lab.file.k3s.needs]), eta_s=5):
            try:
                api = Api(kubeconfig)
                wait_for_fresh(api, nodes=list(roles), needs=lab.file.k3s.needs, since=booted or since, booted=booted, timeout_s=READY_S)
            except LabError as late:
                for host, role in roles.items():  # an agent that ends right after its start is not seen at once
                    raise_if_down(machines[host], role, late)
                raise


def _start_k3s(context: Context, machines: Mapping[str, Machine], roles: Mapping[str, Role], *, again: bool) -> None:
    if not roles:
        return
    with context.progress.stage("Starting Kubernetes", ", ".join(roles), eta_s=5):
        for host in (host for host, role in roles.items() if role is Role.SERVER):
            start_k3s(machines[host], Role.SERVER, again=again)
        agents = [host for host, role in roles.items() if role is Role.AGENT]
        in_parallel([lambda host=host: start_k3s(machines[host], Role.AGENT, again=again) for host in agents])


def _fetch_kubeconfig(context: Context, lab: Lab, server: Machine) -> dict[str, Any]:
    path = context.store.kubeconfig(lab.chapter)
    save_kubeconfig(path, fetch_kubeconfig(server))
    return load_kubeconfig(path)


def _is_well(context: Context, lab: Lab, server: Machine, nodes: Sequence[str]) -> bool:
    """Whether a K3s that was running all the time is of use: after a long sleep of the computer its certificate may have expired, say."""
    try:
        with context.progress.stage("Asking", ", ".join(nodes), eta_s=0.5):
            kubeconfig = _fetch_kubeconfig(context, lab, server)
            with suppress(Unreachable):  # a busy computer may need a moment longer
                check_certificate(kubeconfig, server.address)
            api = Api(kubeconfig)
            wait_until_serving(api, nodes, timeout_s=_SETTLE_S)
            wait_for(api, [ready_node(name) for name in nodes], timeout_s=_SETTLE_S)
    except LabError as unwell:
        context.progress.say(f"{unwell.what}: K3s is started anew.")
        return False
    return True


def _clock(machine: Machine) -> float:
    """The machine's own time, which its cluster's times are in."""
    return float(machine.run(["date", "+%s"], timeout_s=_NOW_S).check(f"{machine.name} does not tell the time").text)


def _uptime(machine: Machine) -> float:
    """How long ago its first process started, in seconds; the kernel of some machines is older than they are."""
    return float(machine.run(["ps", "-o", "etimes=", "-p", "1"], timeout_s=_NOW_S).check(f"{machine.name} does not tell its age").text)


def _all_there(context: Context, state: LabState) -> dict[str, Machine]:
    found = machines_of(context, state)
    lost = {host: machine for host, machine in found.items() if machine is None or machine.state is MachineState.BROKEN}
    if lost:
        rest = [host for host in found if host not in lost]
        kept_words = f"Still there: {', '.join(rest)}, " if rest else "Still there: "
        what = "; ".join(f"machine {host} is {'gone' if machine is None else 'only half there'}" for host, machine in lost.items())
        raise LabError(
            f"Lab {state.chapter} is damaged",
            why=f"Lost: {what}, with what was in it. {kept_words}your files in work/{state.chapter}, and your progress.",
            fix=f"`lab reset {state.chapter}` makes the lab anew.",
        )
    return {host: machine for host, machine in found.items() if machine}


def _refuse_without_room(context: Context) -> None:
    """K3s on a full disk dies with errors about its database: better said before."""
    free = measure(context.paths.state).free_disk_gib
    if free < _ROOM_GIB:
        raise LabError(
            "The disk is full",
            why=f"{free * 1024:.0f} MiB are free where labs are kept ({context.paths.state}); {_ROOM_GIB * 1024:.0f} MiB are needed to run one.",
            fix="Free some disk, then run the command again. Nothing of the lab is lost.",
        )


def _tell_new_addresses(context: Context, machines: Mapping[str, Machine], moved: Mapping[str, str]) -> None:
    """Mend where the machines' addresses are written down in them, after they got others."""
    pairs = [address for pair in moved.items() for address in pair]
    for machine in machines.values():
        machine.run(["sh", "-c", _MOVE, "sh", *pairs], timeout_s=_NOW_S).check(f"The new address could not be written in {machine.name}")
    words = ", ".join(f"{old} is now {new}" for old, new in moved.items())
    context.progress.say(f"Machines have other addresses: {words}. Files of yours that name the old ones are as they were.")


def _with_way_out(context: Context, state: LabState, error: LabError) -> LabError:
    """The same error with the newest snapshot as a way out."""
    newest = kept.newest(context.store, state.chapter)
    if newest is None or "lab restore" in error.fix:
        return error
    offer = f"`lab restore {shlex.quote(newest.name)} --lab {state.chapter}` goes back to the newest snapshot, {age(newest.age_s)} old."
    error.fix = f"{error.fix.rstrip('.')}. {offer}".removeprefix(". ")
    return error
