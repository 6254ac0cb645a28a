"""`lab start`: from nothing, from a half-made lab or from a stopped one to a lab that is ready."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from courselab.course import Lab, MachineNeed, Role
from courselab.errors import LabError
from courselab.k3s.api import Api
from courselab.k3s.install import install_k3s, installed_version, start_k3s
from courselab.k3s.kubeconfig import K3S_YAML, fetch_kubeconfig, load_kubeconfig, save_kubeconfig
from courselab.k3s.ready import COMPONENTS, ready_node, wait_for
from courselab.machines import Machine, MachineSpec, MachineState, Mount
from courselab.session.context import Context, machine_name, machines_of, params_of
from courselab.session.lock import lab_lock
from courselab.session.parts import Parts, gather_parts, with_images
from courselab.session.room import refuse_if_too_small
from courselab.session.store import LabState, Phase, now
from courselab.session.work import learner_uid, prepare_work_folder

_T = TypeVar("_T")

READY_S = 180.0
_TOKEN = "/var/lib/rancher/k3s/server/node-token"  # noqa: S105 a path
_PROFILE = "/etc/profile.d/courselab.sh"
# K3s's kubectl looks at root's kubeconfig first unless told otherwise (k3s-io/k3s#6325).
_KUBECONFIG = '[ "$(id -un)" = student ] && export KUBECONFIG="$HOME/.kube/config"\n'


def start(context: Context, lab: Lab, *, seed: str = "", on_node_ready: Callable[[], None] = lambda: None) -> LabState:
    """Bring `lab` up and return its state; what is there already is used. Raises LabError; running it again goes on where it stopped."""
    with lab_lock(context.paths.state, lab.chapter, "start"):
        state = context.store.load(lab.chapter)
        if state and state.phase is not Phase.STARTING:
            return _wake(context, lab, state)
        return build(context, lab, state or _new_state(context, lab, seed), on_node_ready)


def build(context: Context, lab: Lab, state: LabState, on_node_ready: Callable[[], None] = lambda: None) -> LabState:
    """Make the lab from its parts. The caller holds the lab's lock."""
    threading.Thread(target=_import_client, daemon=True).start()
    refuse_if_too_small(context, lab)
    context.store.save(state)
    work = prepare_work_folder(context.paths, lab)
    parts = gather_parts(context, lab)
    machines = _create_machines(context, lab, state, (work, *parts.release.mounts))
    parts = with_images(context, lab, parts, next(iter(machines.values())))
    with context.progress.stage("Starting Kubernetes", parts.release.label, eta_s=4):
        _install_servers(lab, machines, parts)
        server = machines[lab.servers[0]] if lab.servers else None
        if server:
            save_kubeconfig(context.store.kubeconfig(lab.chapter), fetch_kubeconfig(server))
            _install_agents(lab, machines, parts, server)
    version = parts.release.version or (installed_version(server) if server else "")
    _welcome_student(lab, state, machines)
    if server:
        api = Api(load_kubeconfig(context.store.kubeconfig(lab.chapter)))
        _fill_cluster(context, lab, state, server)
        _wait_until_ready(context, lab, api, on_node_ready)
    ready = _with_k3s(state, parts.release.distribution, version).to(Phase.READY)
    context.store.save(ready)
    return ready


def _new_state(context: Context, lab: Lab, seed: str) -> LabState:
    return LabState(
        chapter=lab.chapter,
        provider=context.provider.name,
        seed=seed or context.store.student(),
        phase=Phase.STARTING,
        machines={host: machine_name(lab.chapter, host) for host in lab.file.machines},
        created_at=now(),
        used_at=now(),
    )


def _with_k3s(state: LabState, distribution: str, version: str) -> LabState:
    import msgspec

    return msgspec.structs.replace(state, distribution=distribution, version=version)


def _wake(context: Context, lab: Lab, state: LabState) -> LabState:
    """Start what is stopped of a lab that was ready, and wait until it is ready again. Nothing in the machines is written anew."""
    machines = machines_of(context, state)
    missing = [host for host, machine in machines.items() if machine is None or machine.state is MachineState.BROKEN]
    if missing:
        raise LabError(
            f"Lab {state.chapter} is damaged",
            why=f"Its machine {missing[0]} is gone or half deleted.",
            fix=f"`lab reset {state.chapter}` makes the lab anew; your files in work/{state.chapter} stay.",
        )
    running = {host: machine for host, machine in machines.items() if machine}
    asleep = [machine for machine in running.values() if machine.state is not MachineState.RUNNING]
    if asleep:
        with context.progress.stage("Starting machines", eta_s=2):
            in_parallel(machine.start for machine in asleep)
    server = running[lab.servers[0]] if lab.servers else None
    if server and asleep:
        with context.progress.stage("Starting Kubernetes", eta_s=5):
            start_k3s(server, Role.SERVER)
            save_kubeconfig(context.store.kubeconfig(lab.chapter), fetch_kubeconfig(server))
            api = Api(load_kubeconfig(context.store.kubeconfig(lab.chapter)))
            wait_for(api, [ready_node(host) for host in lab.servers], timeout_s=READY_S)
    awake = state.to(Phase.READY)
    context.store.save(awake)
    return awake


def _create_machines(context: Context, lab: Lab, state: LabState, mounts: tuple[Mount, ...]) -> dict[str, Machine]:
    def create(host: str, need: MachineNeed) -> Machine:
        return context.provider.create(
            MachineSpec(
                name=state.machines[host],
                hostname=host,
                lab=lab.chapter,
                cpus=need.cpus,
                memory_mib=need.memory_mib,
                disk_gib=need.disk_gib,
                mounts=mounts,
                student_uid=learner_uid(),
            )
        )

    with context.progress.stage("Starting machines", ", ".join(lab.file.machines), eta_s=1.5):
        calls = [lambda host=host, need=need: create(host, need) for host, need in lab.file.machines.items()]
        return dict(zip(lab.file.machines, in_parallel(calls), strict=True))


def _install_servers(lab: Lab, machines: dict[str, Machine], parts: Parts) -> None:
    for host in lab.servers:
        install_k3s(machines[host], parts.release, Role.SERVER, config=lab.file.k3s.config, images=parts.images)
        start_k3s(machines[host], Role.SERVER)


def _install_agents(lab: Lab, machines: dict[str, Machine], parts: Parts, server: Machine) -> None:
    agents = [machines[host] for host, need in lab.file.machines.items() if need.role is Role.AGENT]
    if not agents:
        return
    token = server.get(_TOKEN, limit_bytes=4096).decode().strip()
    environment = {"K3S_URL": f"https://{server.address}:6443", "K3S_TOKEN": token}

    def join(agent: Machine) -> None:
        install_k3s(agent, parts.release, Role.AGENT, config={}, images=parts.images, environment=environment)
        start_k3s(agent, Role.AGENT)

    in_parallel([lambda agent=agent: join(agent) for agent in agents])


def _welcome_student(lab: Lab, state: LabState, machines: dict[str, Machine]) -> None:
    """Give `student` this lab's parameters as LAB_ variables and, where the lab says so, a kubectl that works."""
    variables = params_of(lab, state).environment() | {"LAB_CHAPTER": lab.chapter}
    profile = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    for host, machine in machines.items():
        ready = lab.file.k3s.kubectl_ready and host in lab.servers
        machine.put(_PROFILE, (profile + (_KUBECONFIG if ready else "")).encode(), mode=0o644)
        if ready:
            machine.put("/home/student/.kube/config", machine.get(K3S_YAML), mode=0o600, owner="student")


def _fill_cluster(context: Context, lab: Lab, state: LabState, server: Machine) -> None:
    """Put the lab's own objects into the cluster, with this student's values."""
    files = sorted(lab.manifests_folder.glob("*.yaml"))
    if not files:
        return
    params = params_of(lab, state)
    text = "\n---\n".join(params.fill(file.read_text(encoding="utf-8")) for file in files)
    with context.progress.stage("Preparing the lab", eta_s=1):
        applied = server.run(["k3s", "kubectl", "apply", "--server-side", "-f", "-"], input=text.encode(), timeout_s=60)
        applied.check(f"The objects of lab {lab.chapter} could not be made", fix=f"lab reset {lab.chapter}")


def _wait_until_ready(context: Context, lab: Lab, api: Api, on_node_ready: Callable[[], None]) -> None:
    hosts = [host for host, need in lab.file.machines.items() if need.role is not Role.NONE]
    with context.progress.stage("Waiting for nodes", ", ".join(hosts), eta_s=3):
        wait_for(api, [ready_node(host) for host in hosts], timeout_s=READY_S)
    on_node_ready()
    needs = [wanted for name in lab.file.k3s.needs for wanted in COMPONENTS[name]]
    if needs:
        with context.progress.stage("Waiting for", ", ".join(lab.file.k3s.needs), eta_s=3):
            wait_for(api, needs, timeout_s=READY_S)


def in_parallel(calls: Iterable[Callable[[], _T]]) -> list[_T]:
    """Run all calls at once; return their results in order, or raise the first failure after all have ended."""
    with ThreadPoolExecutor(thread_name_prefix="lab") as pool:
        futures = [pool.submit(call) for call in calls]
    return [future.result() for future in futures]


def _import_client() -> None:
    """The Kubernetes client takes a third of a second to import: do it while the machine boots."""
    import kubernetes.dynamic  # pyright: ignore[reportMissingTypeStubs,reportUnusedImport] # noqa: F401
