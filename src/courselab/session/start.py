"""`lab start`: from nothing, from a half-made lab or from a stopped one to a lab that is ready."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from msgspec.structs import replace

from courselab.course import Lab, MachineNeed, Role
from courselab.k3s.api import Api
from courselab.k3s.install import install_k3s, installed_version, join_token, provide_k3s, release_name, set_environment, start_k3s
from courselab.k3s.kubeconfig import K3S_YAML, fetch_kubeconfig, load_kubeconfig, save_kubeconfig
from courselab.k3s.ready import COMPONENTS, ready_node, wait_for
from courselab.machines import Machine, MachineSpec, Mount
from courselab.machines.capacity import measure
from courselab.session.context import Context, machine_names, params_of
from courselab.session.lock import lab_lock
from courselab.session.parts import Parts, gather_parts, with_images
from courselab.session.restore import finish
from courselab.session.resume import READY_S, wake
from courselab.session.room import naming_a_full_disk, refuse_if_too_small, refuse_when_full, warn_before_swapping
from courselab.session.setup import set_up
from courselab.session.snapshots import prune, remember_aside
from courselab.session.store import LabState, Phase, now
from courselab.session.together import in_parallel
from courselab.session.work import learner_uid, prepare_work_folder

_PROFILE = "/etc/profile.d/courselab.sh"
_TIGHT_GIB = 4.0  # with less, room is made before K3s starts
# K3s's kubectl looks at root's kubeconfig first unless told otherwise (k3s-io/k3s#6325).
_KUBECONFIG = 'if [ "$(id -un)" = student ]; then export KUBECONFIG="$HOME/.kube/config"; fi\n'


def start(context: Context, lab: Lab, *, seed: str = "", on_node_ready: Callable[[], None] = lambda: None) -> LabState:
    """Bring `lab` up and return its state; what is there already is used. Raises LabError; running it again goes on where it stopped."""
    with lab_lock(context.paths.state, lab.chapter, "start"):
        state = context.store.load(lab.chapter)
        if state and state.phase in {Phase.READY, Phase.STOPPED}:
            return wake(context, lab, state)
        if state and state.phase is Phase.RESTORING:
            return finish(context, lab, state)
        return build(context, lab, state or _new_state(context, lab, seed), on_node_ready, again=state is not None)


def build(
    context: Context, lab: Lab, state: LabState, on_node_ready: Callable[[], None] = lambda: None, *, again: bool = False
) -> LabState:
    """Make the lab from its parts; a lab that is being reset from new machines. The caller holds the lab's lock.

    `again`: an earlier try ended. Where its K3s runs it is started anew: it may lack images that found no room, and reads them only then.
    """
    if state.phase is not Phase.RESETTING:  # its old machines still take the room that the new ones will
        refuse_if_too_small(context, lab)
        warn_before_swapping(context, lab)
    with naming_a_full_disk(context):
        return _build(context, lab, state, on_node_ready, again=again)


def _build(context: Context, lab: Lab, state: LabState, on_node_ready: Callable[[], None], *, again: bool) -> LabState:
    threading.Thread(target=_import_client, daemon=True).start()
    # Of a lab that was begun before its chapter was changed, some machines may have no name yet.
    state = replace(state, machines={host: state.machines.get(host, name) for host, name in machine_names(lab).items()})
    context.store.save(state)
    work = prepare_work_folder(context.paths, lab)
    parts = gather_parts(context, lab)
    machines = _create_machines(context, lab, state, (work, *parts.release.mounts))
    state = replace(remember_aside(context, state), caught_up="")
    if measure(context.paths.state).free_disk_gib < _TIGHT_GIB:
        _sweep(context, state.chapter)
    parts = with_images(context, lab, parts, next(iter(machines.values())))
    with context.progress.stage("Starting Kubernetes", parts.release.label, eta_s=4):
        _install(lab, machines, parts)
        server = machines[lab.servers[0]] if lab.servers else None
        if server:
            _start_kubernetes(lab, machines, server, again=again)
            save_kubeconfig(context.store.kubeconfig(lab.chapter), fetch_kubeconfig(server))
    version = parts.release.version or (installed_version(server) if server else "")
    _welcome_student(lab, state, machines, release_name(parts.release))
    with _sweeping(context, state.chapter):  # not before: until here every processor is busy
        if server:
            api = Api(load_kubeconfig(context.store.kubeconfig(lab.chapter)))
            fill_cluster(context, lab, state, server)
            _wait_until_ready(context, lab, api, on_node_ready)
        set_up(lab, params_of(lab, state), machines, context.progress)
        ready = _with_k3s(state, parts.release.distribution, version, machines).to(Phase.READY)
        context.store.save(ready)
        return ready


def _new_state(context: Context, lab: Lab, seed: str) -> LabState:
    return LabState(
        chapter=lab.chapter,
        provider=context.provider.name,
        seed=seed or context.store.student(),
        phase=Phase.STARTING,
        machines=machine_names(lab),
        created_at=now(),
        used_at=now(),
    )


def _with_k3s(state: LabState, distribution: str, version: str, machines: dict[str, Machine]) -> LabState:
    addresses = {host: machine.address for host, machine in machines.items()}
    return replace(state, distribution=distribution, version=version, addresses=addresses)


def _create_machines(context: Context, lab: Lab, state: LabState, mounts: tuple[Mount, ...]) -> dict[str, Machine]:
    anew = state.phase is Phase.RESETTING

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
            ),
            anew=anew,
            keep=state.keeping,
        )

    with context.progress.stage("Starting machines", ", ".join(lab.file.machines), eta_s=1.5):
        calls = [lambda host=host, need=need: create(host, need) for host, need in lab.file.machines.items()]
        return dict(zip(lab.file.machines, in_parallel(calls), strict=True))


@contextmanager
def _sweeping(context: Context, chapter: str) -> Generator[None]:
    """While something else is done, remove what earlier machines have left on disk."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="sweep") as pool:
        swept = pool.submit(_sweep, context, chapter)
        yield
    swept.result()


def _sweep(context: Context, chapter: str) -> None:
    context.provider.sweep(chapter)
    prune(context, chapter)


def _install(lab: Lab, machines: dict[str, Machine], parts: Parts) -> None:
    """Put K3s on every machine that has it from the beginning; on the others, what a learner installs it from."""

    def install(host: str, role: Role) -> None:
        if role is Role.NONE:
            provide_k3s(machines[host], parts.release, parts.images)
            return
        config = lab.file.k3s.config if role is Role.SERVER else {}
        install_k3s(machines[host], parts.release, role, config=config, images=parts.images)

    in_parallel([lambda host=host, need=need: install(host, need.role) for host, need in lab.file.machines.items()])


def _start_kubernetes(lab: Lab, machines: dict[str, Machine], server: Machine, *, again: bool) -> None:
    """Start servers, and the agents as soon as the first server has a token for them: their own parts start while it does."""
    agents = [machines[host] for host, role in lab.roles.items() if role is Role.AGENT]

    def join() -> None:
        environment = {"K3S_URL": f"https://{server.address}:6443", "K3S_TOKEN": join_token(server)}
        for agent in agents:
            set_environment(agent, Role.AGENT, environment)
            start_k3s(agent, Role.AGENT, wait=False, again=again)

    servers = [lambda host=host: start_k3s(machines[host], Role.SERVER, again=again) for host in lab.servers]
    in_parallel([*servers, *([join] if agents else [])])
    in_parallel([lambda agent=agent: start_k3s(agent, Role.AGENT) for agent in agents])


def _welcome_student(lab: Lab, state: LabState, machines: dict[str, Machine], release: str) -> None:
    """Give `student` this lab's parameters as LAB_ variables and, where the lab says so, a kubectl that works.

    LAB_K3S_VERSION is what INSTALL_K3S_VERSION may be on these machines.
    """
    variables = params_of(lab, state).environment() | {"LAB_CHAPTER": lab.chapter, "LAB_K3S_VERSION": release}
    profile = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    for host, machine in machines.items():
        ready = lab.file.k3s.kubectl_ready and host in lab.servers
        machine.put(_PROFILE, (profile + (_KUBECONFIG if ready else "")).encode(), mode=0o644)
        if ready:
            machine.put("/home/student/.kube/config", machine.get(K3S_YAML), mode=0o600, owner="student")


def fill_cluster(context: Context, lab: Lab, state: LabState, server: Machine) -> None:
    """Put the lab's own objects into the cluster, with this student's values."""
    files = sorted(lab.manifests_folder.glob("*.yaml"))
    if not files:
        return
    params = params_of(lab, state)
    text = "\n---\n".join(params.fill(file.read_text(encoding="utf-8")) for file in files)
    with context.progress.stage("Preparing the lab", eta_s=1):
        applied = server.run(
            ["k3s", "kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-"], input=text.encode(), timeout_s=60
        )
        applied.check(f"The objects of lab {lab.chapter} could not be made", fix=f"lab reset {lab.chapter}")


def _wait_until_ready(context: Context, lab: Lab, api: Api, on_node_ready: Callable[[], None]) -> None:
    hosts, full_disk = list(lab.roles), lambda: refuse_when_full(context)
    with context.progress.stage("Waiting for nodes", ", ".join(hosts), eta_s=3):
        wait_for(api, [ready_node(host) for host in hosts], timeout_s=READY_S, meanwhile=full_disk)
    on_node_ready()
    needs = [wanted for name in lab.file.k3s.needs for wanted in COMPONENTS[name]]
    if needs:
        with context.progress.stage("Waiting for", ", ".join(lab.file.k3s.needs), eta_s=3):
            wait_for(api, needs, timeout_s=READY_S, meanwhile=full_disk)


def _import_client() -> None:
    """The Kubernetes client takes a third of a second to import: do it while the machine boots."""
    import kubernetes.dynamic  # pyright: ignore[reportMissingTypeStubs,reportUnusedImport] # noqa: F401
