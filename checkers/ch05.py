"""Chapter 05, Joining: who belongs to the cluster, with which kind of token, and whether pods reach each other across machines."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable
from datetime import datetime
from typing import Any

from courselab.errors import LabError
from courselab.grade import check, diagnose, expect, fact, fail, image, probe
from courselab.grade.plain_yaml import NotYaml, read_yaml_documents

AGENTS = ("edge1", "edge2")
AGENT, SERVER = "k3s-agent", "k3s"
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
UNIT = f"/etc/systemd/system/{AGENT}.service"
CONFIGS = "/etc/rancher/k3s/config.yaml /etc/rancher/k3s/config.yaml.d/*.yaml /etc/rancher/k3s/config.yaml.d/*.yml"
READ_CONFIGS = f"sed --separate '$a ---' {CONFIGS} 2>/dev/null"  # each a document of its own, however its last line ends
# What K3s has said of its token since it was last started; it reads it at that time only.
READ_SHORT = (
    f"journalctl --quiet --output=cat _SYSTEMD_INVOCATION_ID=$(systemctl show --property=InvocationID --value {AGENT}) 2>/dev/null"
    " | grep --max-count=1 'token does not include a CA hash'"
)
SERVER_TOKEN = "/var/lib/rancher/k3s/server/token"  # noqa: S105 a path
FULL = re.compile(r"K10([0-9a-f]{64})::(.+)")
BOOTSTRAP = re.compile(r"([a-z0-9]{6})\.[a-z0-9]{16}")
STARTING_S = 30  # an agent that was started less than this ago may not be a node yet, and may not lead requests to pods
SLACK_S = 120  # a token is made a moment after its time is worked out
TOOLS = "course/tools"
TRIES = 4
UP = "k3s agent is up and running"

Obj = dict[str, Any]


# Facts: what machines know of each other, without any secret ----------------------------------------------------------------


@fact("join", on=AGENTS)
def join_settings(host: Any) -> Obj:
    """Which server K3s on this machine asks, and what kind of token it is told to show: the file beats the environment, the command line both.

    And whether the one that it read when it was started was a short one.
    """
    unit = printed(host, f"systemctl cat {AGENT} 2>/dev/null || cat {UNIT} 2>/dev/null")  # with what `systemctl edit` has put beside it
    environment = environment_of(unit, lambda path: printed(host, f"cat {shlex.quote(path)} 2>/dev/null"))
    configured = yaml_of(printed(host, READ_CONFIGS))
    flags = flags_of(unit)
    server = flags.get("server") or configured.get("server") or environment.get("K3S_URL") or ""
    token = flags.get("token") or configured.get("token") or environment.get("K3S_TOKEN") or ""
    path = flags.get("token-file") or configured.get("token-file") or environment.get("K3S_TOKEN_FILE") or ""
    if path:  # it beats a token that stands somewhere itself
        token = printed(host, f"cat {shlex.quote(str(path))} 2>/dev/null").strip()
    return {"server": str(server), "read_short": bool(printed(host, READ_SHORT)), **token_parts(str(token))}


@fact("tokens", on="server")
def server_tokens(host: Any) -> Obj:
    """The authority in the server's own token, and the bootstrap tokens that it knows: id and end, as `k3s token list` prints them."""
    listed = printed(host, "/usr/local/bin/k3s token list 2>/dev/null").splitlines()[1:]
    rows = [line.split() for line in listed]
    bootstrap = {row[0]: row[2] for row in rows if len(row) > 2}
    return {"ca": token_parts(printed(host, f"cat {SERVER_TOKEN} 2>/dev/null").strip())["ca"], "bootstrap": bootstrap}


def printed(host: Any, command: str) -> str:
    """What a command prints on a machine."""
    return host.run(command).stdout


def lines_of(unit: str, key: str) -> list[str]:
    """What a unit says of one key, in its order; one line goes on behind a backslash. An empty one takes back those before it."""
    found: list[str] = []
    for line in unit.replace("\\\n", " ").splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and name == key:
            found = [*found, value] if value.strip() else []
    return found


def environment_of(unit: str, read: Callable[[str], str]) -> dict[str, str]:
    """The variables of a unit: those it sets itself, then those of its files, the later ones over the earlier ones (systemd.exec)."""
    found: dict[str, str] = {}
    for line in lines_of(unit, "Environment"):
        found |= settings_of("\n".join(words_of(line)))
    for path in lines_of(unit, "EnvironmentFile"):
        found |= settings_of(read(path.strip().removeprefix("-").replace("%N", AGENT)))
    return found


def settings_of(text: str) -> dict[str, str]:
    """NAME=value lines as systemd reads them: quotes go."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            found[name] = value.strip().strip("\"'")
    return found


def words_of(line: str) -> list[str]:
    """A line of a unit, taken apart as a shell would; nothing if its quotes do not match."""
    try:
        return shlex.split(line)
    except ValueError:
        return []


def yaml_of(text: str) -> Obj:
    """K3s's configuration files, one behind the other; of a key that is there twice the last counts."""
    try:
        documents = read_yaml_documents(text)
    except NotYaml:
        return {}
    return {key: value for document in documents if isinstance(document, dict) for key, value in document.items()}


def flags_of(unit: str) -> dict[str, str]:
    """The flags --server and --token of a unit's command line, which the installer writes over several lines."""
    words = words_of((lines_of(unit, "ExecStart") or [""])[-1])
    found: dict[str, str] = {}
    for word, behind in itertools.pairwise([*words, ""]):
        name, equals, value = word.partition("=")
        flag = name.lstrip("-")  # K3s takes one dash or two
        long = {"s": "server", "t": "token"}.get(flag, flag)
        if word.startswith("-") and long in ("server", "token", "token-file"):
            found[long] = value if equals else behind
    return found


def token_parts(token: str) -> Obj:
    """What is public of a token: its kind (server, node, bootstrap, password, none), a bootstrap token's id, and the hash of the authority."""
    full = FULL.fullmatch(token)
    ca, rest = (full[1], full[2]) if full else ("", token)
    if found := BOOTSTRAP.fullmatch(rest):
        return {"kind": "bootstrap", "id": found[1], "ca": ca}
    user, colon, _ = rest.partition(":")
    kind = "none" if not token else user if colon and user in ("server", "node") else "password"
    return {"kind": kind, "id": "", "ca": ca}


# Reading objects ------------------------------------------------------------------------------------------------------------


def is_ready(obj: Obj) -> bool:
    """Whether a pod or node says that it is ready."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in obj.get("status", {}).get("conditions") or [])


def is_control_plane(node: Obj) -> bool:
    """Whether a node has the role of a server."""
    return CONTROL_PLANE in (node["metadata"].get("labels") or {})


def address_of(node: Obj) -> str:
    """A node's address inside the cluster."""
    found = [one["address"] for one in node.get("status", {}).get("addresses") or [] if one["type"] == "InternalIP"]
    return found[0] if found else ""


def said(nodes: Any, machine: str, words: str) -> bool:
    """Whether the agent has said something since it was last started, among its last log lines."""
    log = nodes[machine].unit(AGENT).log
    starts = [place for place, line in enumerate(log) if re.match(r"Starting k3s-agent|.*Starting k3s agent", line)]
    return words in " ".join(log[starts[-1] if starts else 0 :])


def just_started(nodes: Any, machine: str) -> bool:
    """Whether the agent on a machine became active a moment ago."""
    since = nodes[machine].unit(AGENT).since
    return since is not None and nodes[machine].time - since < STARTING_S


def joined_as_agent(cluster: Any, nodes: Any, machine: str) -> None:
    """Fail unless a machine is a Ready node of the cluster, by a unit that comes back with the machine, and no server."""
    look = f"sudo journalctl --unit {AGENT} --lines 20, on {machine}"
    unit = nodes[machine].unit(AGENT)
    if unit.active != "active" or unit.enabled != "enabled":  # enabled-runtime lasts until the next start of the machine
        state = (
            "not installed"
            if unit.load == "not-found"
            else unit.active
            if unit.active != "active"
            else f"active, and {unit.enabled or 'off'}"
        )
        fail(f"On {machine} the unit {AGENT} is {state}", expected=f"{AGENT} active and enabled", actual=state, next=look)
    there = cluster.find("Node", machine)
    has_joined = there and address_of(there) == nodes[machine].address and is_ready(there)
    if not has_joined and just_started(nodes, machine):
        nodes[machine].settling(f"K3s on {machine} has just started, and its node may not be there yet")
    node = cluster.get("Node", machine)
    if address_of(node) != nodes[machine].address or not is_ready(node):
        fail(
            f"Node {machine} is not Ready" if address_of(node) == nodes[machine].address else f"Node {machine} is not this machine",
            expected=f"Ready, with address {nodes[machine].address}",
            actual=f"{'Ready' if is_ready(node) else 'not Ready'}, with address {address_of(node) or 'unknown'}",
            path="status",
            about=node,
            next=look,
        )
    if is_control_plane(node):
        fail(f"Node {machine} is control plane", expected="an agent", actual="a server", about=node, next="kubectl get nodes")


def not_enabled(nodes: Any, machine: str) -> str | None:
    """Says it if the agent runs, and would not after the next start of its machine."""
    unit = nodes[machine].unit(AGENT)
    if unit.active != "active" or unit.enabled == "enabled":
        return None
    return f"The unit {AGENT} runs on {machine}, and is {unit.enabled or 'not enabled'}: after the next start of the machine it would not."


def own_cluster(nodes: Any, machine: str) -> str | None:
    """Says it if K3s is a server on a machine that should be an agent."""
    unit = nodes[machine].unit(SERVER)
    if unit.load == "not-found" or unit.active not in ("active", "activating"):
        return None
    return f"On {machine} K3s runs as a server: without K3S_URL the installer makes a cluster of this one machine. k3s-uninstall.sh takes it away."


def other_cluster(nodes: Any, machine: str) -> str | None:
    """Says it if a machine's token is of another cluster than the server's."""
    ca, own = nodes[machine].fact("join")["ca"], nodes["server"].fact("tokens")["ca"]
    was_told = said(nodes, machine, "token CA hash does not match") and not said(nodes, machine, UP)
    if not (ca and own and ca != own) and not was_told:
        return None
    return f"The token on {machine} is of another cluster: the hash in it is not that of this server's authority, so the agent does not trust the server."


def wrong_address(nodes: Any, machine: str) -> str | None:
    """Says it if an agent asks somebody else than the server."""
    asked = nodes[machine].fact("join")["server"]
    host, port = re.sub(r"^https?://", "", asked).partition("/")[0].partition(":")[::2]
    own = {nodes["server"].address, "server"}
    if not asked or (host in own and port == "6443" and asked.startswith("https://")) or said(nodes, machine, UP):
        return None
    is_name = re.search("[a-z]", host) and host not in {*own, "localhost"}
    if is_name and not said(nodes, machine, "no such host"):  # a name of one's own may be as good
        return None
    if host in own:
        return f"K3s on {machine} asks {asked}. The server listens at https on port 6443."
    return f"K3s on {machine} asks {asked}, and the server's address is {nodes['server'].address}."


def password_wrong(nodes: Any, machine: str) -> str | None:
    """Says it if the server knows no such token."""
    if not said(nodes, machine, "401 Unauthorized") or said(nodes, machine, UP):
        return None
    return f"The server does not know the token that {machine} shows: it is not its own, or has ended."


def name_taken(nodes: Any, machine: str) -> str | None:
    """Says it if the server takes a machine for somebody who only uses a node's name."""
    if not said(nodes, machine, "Node password rejected") or said(nodes, machine, UP):
        return None
    return f"The server remembers a node {machine} with another password, and takes this machine for a stranger with the same name."


# 05.agent -------------------------------------------------------------------------------------------------------------------


@check("05.agent", reads=["Node"], settled=False)
def agent(cluster: Any, nodes: Any) -> None:
    joined_as_agent(cluster, nodes, AGENTS[0])


@diagnose("05.agent", "not-enabled")
def agent_not_enabled(nodes: Any) -> str | None:
    return not_enabled(nodes, AGENTS[0])


@diagnose("05.agent", "own-cluster")
def agent_own_cluster(nodes: Any) -> str | None:
    return own_cluster(nodes, AGENTS[0])


@diagnose("05.agent", "other-cluster")
def agent_other_cluster(nodes: Any) -> str | None:
    return other_cluster(nodes, AGENTS[0])


@diagnose("05.agent", "wrong-address")
def agent_wrong_address(nodes: Any) -> str | None:
    return wrong_address(nodes, AGENTS[0])


@diagnose("05.agent", "name-taken")
def agent_name_taken(nodes: Any) -> str | None:
    return name_taken(nodes, AGENTS[0])


@diagnose("05.agent", "wrong-password")
def agent_wrong_password(nodes: Any) -> str | None:
    return password_wrong(nodes, AGENTS[0])


@diagnose("05.agent", "other-name")
def agent_other_name(cluster: Any, nodes: Any) -> str | None:
    return named_otherwise(cluster, nodes, AGENTS[0])


def named_otherwise(cluster: Any, nodes: Any, machine: str) -> str | None:
    """Says it if a machine is a node under another name."""
    for node in cluster.list("Node"):
        name = node["metadata"]["name"]
        if name != machine and address_of(node) == nodes[machine].address:
            return f"The machine {machine} is there as node {name}. The task asks for the name {machine}."
    return None


# 05.secure ------------------------------------------------------------------------------------------------------------------


@check("05.secure", needs=["05.agent"])
def secure(nodes: Any) -> None:
    full_token(nodes, AGENTS[0])


def full_token(nodes: Any, machine: str) -> None:
    """Fail unless a machine's token names the authority of the server's cluster."""
    found, own = nodes[machine].fact("join"), nodes["server"].fact("tokens")["ca"]
    expected = f"K10{own[:8]}…::…"
    if found["ca"] != own or not own:
        actual = "no token" if found["kind"] == "none" else f"K10{found['ca'][:8]}…::…" if found["ca"] else "a token without K10 and a hash"
        fail(
            f"The token on {machine} does not name the server's authority",
            expected=expected,
            actual=actual,
            path=f"{UNIT}.env",
            next=f"sudo systemctl cat {AGENT}, on {machine}",
        )
    if was_not_read(nodes, machine):
        fail(
            f"K3s on {machine} does not use its full token yet",
            expected=expected,
            actual="a short token, when K3s was started",
            next=f"sudo journalctl --unit {AGENT}, on {machine}",
        )


def was_not_read(nodes: Any, machine: str) -> bool:
    """Whether a machine has a full token, and K3s there was started with a short one."""
    found = nodes[machine].fact("join")
    return bool(found["ca"] and found.get("read_short"))


def not_restarted(nodes: Any, machine: str) -> str | None:
    """Says it if a machine has a full token that K3s there has not read."""
    if not was_not_read(nodes, machine):
        return None
    return f"The token on {machine} is a full one now, and K3s has not read it: it does so when it starts, and it has not since."


@diagnose("05.secure", "short-token")
def short_token(nodes: Any) -> str | None:
    found = nodes[AGENTS[0]].fact("join")
    if found["ca"] or found["kind"] == "none":
        return None
    return "The token is a short one, the password alone: the agent believes whoever answers at the server's address."


@diagnose("05.secure", "no-token")
def no_token(nodes: Any) -> str | None:
    if nodes[AGENTS[0]].fact("join")["kind"] != "none":
        return None
    return "K3s has no token there any more. It goes on with the certificates that it has, and asks for the token as soon as they are gone."


@diagnose("05.secure", "other-cluster")
def secure_other_cluster(nodes: Any) -> str | None:
    return other_cluster(nodes, AGENTS[0])


@diagnose("05.secure", "not-restarted")
def secure_not_restarted(nodes: Any) -> str | None:
    return not_restarted(nodes, AGENTS[0])


# 05.bootstrap ---------------------------------------------------------------------------------------------------------------


@check("05.bootstrap", reads=["Node", "Secret"], settled=False)
def bootstrap(cluster: Any, nodes: Any, params: Any) -> None:
    joined_as_agent(cluster, nodes, AGENTS[1])
    found = nodes[AGENTS[1]].fact("join")
    if found["kind"] != "bootstrap":
        kinds = {"none": "no token", "password": "a password", "server": "the server's own token", "node": "the agents' common token"}
        actual = kinds.get(found["kind"], found["kind"])
        fail(
            f"The token on {AGENTS[1]} is {actual}",
            expected="a bootstrap token",
            actual=actual,
            path=f"{UNIT}.env",
            next="sudo k3s token list",
        )
    full_token(nodes, AGENTS[1])
    seconds = good_for_s(cluster, nodes, found["id"])
    if seconds > int(params.hours) * 3600 + SLACK_S:
        lasts = f"{seconds / 3600:.1f} hours" if seconds < FOR_EVER else "for ever"
        fail(
            f"The bootstrap token {found['id']} is good {'for ' if seconds < FOR_EVER else ''}{lasts}",
            expected=f"{params.hours} hours at most",
            actual=lasts,
            next="sudo k3s token list",
        )


FOR_EVER = float("inf")


def good_for_s(cluster: Any, nodes: Any, token: str) -> float:
    """For how many seconds a bootstrap token was made; 0 if it has ended, or was taken away after its work: nobody can use it any more."""
    ends = nodes["server"].fact("tokens")["bootstrap"].get(token)
    secret = cluster.find("Secret", f"bootstrap-token-{token}", namespace="kube-system")
    if secret is None:
        return 0.0
    if ends is None:  # K3s has not told, or not yet
        nodes["server"].settling(f"`k3s token list` does not name {token}, and its Secret is there")
        fail(f"Nobody knows when the token {token} ends", expected="an end", actual="not told", about=secret, next="sudo k3s token list")
    return seconds_of(ends) - seconds_of(secret["metadata"].get("creationTimestamp")) if seconds_of(ends) else FOR_EVER


def seconds_of(time: Any) -> float:
    """A time as Kubernetes writes it, in Unix seconds; 0 for anything else."""
    try:
        return datetime.fromisoformat(str(time)).timestamp()
    except ValueError:
        return 0.0


@diagnose("05.bootstrap", "not-enabled")
def bootstrap_not_enabled(nodes: Any) -> str | None:
    return not_enabled(nodes, AGENTS[1])


@diagnose("05.bootstrap", "name-taken")
def bootstrap_name_taken(nodes: Any) -> str | None:
    return name_taken(nodes, AGENTS[1])


@diagnose("05.bootstrap", "own-cluster")
def bootstrap_own_cluster(nodes: Any) -> str | None:
    return own_cluster(nodes, AGENTS[1])


@diagnose("05.bootstrap", "other-cluster")
def bootstrap_other_cluster(nodes: Any) -> str | None:
    return other_cluster(nodes, AGENTS[1])


@diagnose("05.bootstrap", "wrong-address")
def bootstrap_wrong_address(nodes: Any) -> str | None:
    return wrong_address(nodes, AGENTS[1])


@diagnose("05.bootstrap", "wrong-password")
def bootstrap_wrong_password(nodes: Any) -> str | None:
    return password_wrong(nodes, AGENTS[1])


@diagnose("05.bootstrap", "other-name")
def bootstrap_other_name(cluster: Any, nodes: Any) -> str | None:
    return named_otherwise(cluster, nodes, AGENTS[1])


@diagnose("05.bootstrap", "not-a-bootstrap-token")
def not_a_bootstrap_token(nodes: Any) -> str | None:
    if nodes[AGENTS[1]].fact("join")["kind"] not in ("server", "node", "password"):
        return None
    return f"{AGENTS[1]} has joined with the token of the server itself, which is good for every machine and does not end."


@diagnose("05.bootstrap", "short-token")
def short_bootstrap_token(nodes: Any) -> str | None:
    found = nodes[AGENTS[1]].fact("join")
    if found["kind"] != "bootstrap" or found["ca"]:
        return None
    return "The token is the part behind the colons only. With what stands before them the agent can tell that the server is the right one."


@diagnose("05.bootstrap", "not-restarted")
def bootstrap_not_restarted(nodes: Any) -> str | None:
    return not_restarted(nodes, AGENTS[1])


@diagnose("05.bootstrap", "no-end")
def token_without_end(nodes: Any) -> str | None:
    found = nodes[AGENTS[1]].fact("join")
    ends = nodes["server"].fact("tokens")["bootstrap"].get(found["id"])
    return (
        f"Token {found['id']} does not end: with --ttl 0 it is good until somebody deletes it." if ends and not seconds_of(ends) else None
    )


@diagnose("05.bootstrap", "ends-late")
def token_ends_late(cluster: Any, nodes: Any, params: Any) -> str | None:
    found = nodes[AGENTS[1]].fact("join")
    ends = nodes["server"].fact("tokens")["bootstrap"].get(found["id"])
    if not ends or good_for_s(cluster, nodes, found["id"]) <= int(params.hours) * 3600 + SLACK_S:
        return None
    return f"Token {found['id']} ends at {ends}. Without --ttl it is good for 24 hours; the task asks for {params.hours} at most."


# 05.cluster -----------------------------------------------------------------------------------------------------------------


@check("05.cluster", needs=["05.agent", "05.bootstrap"], reads=["Node"], settled=False)
def whole_cluster(cluster: Any) -> None:
    found = {node["metadata"]["name"]: node for node in cluster.list("Node")}
    look, wanted = "kubectl get nodes -o wide", {"server", *AGENTS}
    if set(found) != wanted:
        actual = ", ".join(sorted(found))
        fail(
            "The cluster does not have these three nodes",
            expected=", ".join(sorted(wanted)),
            actual=actual,
            about=list(found.values()),
            next=look,
        )
    addresses = [address_of(node) for node in found.values()]
    if len(set(addresses)) != len(wanted):
        fail("Two nodes have the same address", expected="an address for each", actual=", ".join(sorted(addresses)), next=look)
    planes = sorted(name for name, node in found.items() if is_control_plane(node))
    if planes != ["server"]:
        fail("The control plane is not the server's alone", expected="server", actual=", ".join(planes) or "none", next=look)
    silent = [node for node in found.values() if not is_ready(node)]
    if silent:
        name = silent[0]["metadata"]["name"]
        fail(f"Node {name} is not Ready", expected="Ready", actual="not Ready", about=silent, next=f"kubectl describe node {name}")


@diagnose("05.cluster", "left-over")
def left_over(cluster: Any) -> str | None:
    extra = [node for node in cluster.list("Node") if node["metadata"]["name"] not in ("server", *AGENTS)]
    if not extra:
        return None
    name = extra[0]["metadata"]["name"]
    if is_ready(extra[0]):
        return f"There is a node {name} too many: a machine that has joined twice, under two names?"
    return f"Node {name} is no machine any more. K3s keeps a node in the list until somebody deletes it."


# 05.overlay -----------------------------------------------------------------------------------------------------------------


@probe("05.visit", effect="observe", needs=["05.agent", "05.bootstrap"], deadline_s=30)
def visit(lab: Any, cluster: Any, params: Any) -> Obj:
    """Have the visitor ask for the shop by name."""
    nothing = {"code": -1, "body": "", "error": "there is no running visitor"}
    pod = cluster.find("Pod", "visitor", namespace=params.namespace)
    if pod is None or not is_ready(pod):
        return nothing
    containers = pod["spec"]["containers"]
    container = next((one["name"] for one in containers if image(TOOLS).test(one.get("image", ""))), containers[0]["name"])
    argv = ["curl", "--silent", "--show-error", "--max-time", "4", "http://shop/"]
    for _ in range(TRIES):  # an agent that has just been started may not take commands for containers yet
        try:
            done = lab.exec("visitor", argv, namespace=params.namespace, container=container, timeout_s=6)
        except LabError as refused:
            nothing["error"] = refused.why or refused.what
            lab.sleep(1)
            continue
        return {"code": done.code, "body": done.text[:500], "error": done.error_text[-300:]}
    return nothing


@check(
    "05.overlay",
    needs=["05.agent", "05.bootstrap"],
    reads=["Deployment", "EndpointSlice", "Node", "Pod", "ReplicaSet", "Service"],
    probes=["05.visit"],
)
def overlay(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    shop, service = (cluster.get(kind, "shop", namespace=params.namespace) for kind in ("Deployment", "Service"))
    astray = [one for one in cluster.endpoints_of(service) if one["node"] != AGENTS[1]]
    if astray or not cluster.endpoints_of(service):
        actual = f"a pod on {astray[0]['node']}" if astray else "no endpoints"
        fail(
            "The Service does not lead to edge2 alone",
            expected="pods on edge2",
            actual=actual,
            about=[*cluster.pods_of(shop), shop],
            next="kubectl get pods -o wide",
        )
    pod = cluster.get("Pod", "visitor", namespace=params.namespace)
    expect(pod, next="kubectl describe pod visitor").matches({"spec": {"nodeName": AGENTS[0]}})
    if not any(image(TOOLS).test(one) for one in images_of(pod)):
        actual = ", ".join(images_of(pod))
        fail(f"The visitor runs {actual}", expected=f"{TOOLS}:1", actual=actual, path="spec.containers[].image", about=pod)
    if pod["spec"].get("hostNetwork"):
        fail(
            "The visitor is not in the network of pods", expected="no hostNetwork", actual="hostNetwork", path="spec.hostNetwork", about=pod
        )
    answer = probes["05.visit"]
    if answer["code"] or answer["body"].splitlines()[:1] != [params.greeting]:
        for machine in AGENTS:
            if just_started(nodes, machine):
                nodes[machine].settling(f"K3s on {machine} has just started, and may not lead requests to the shop yet")
        actual = answer["error"] or answer["body"][:100] or f"curl ended with {answer['code']}"
        fail(
            "The visitor does not get the shop's greeting",
            expected=f"{params.greeting!r} from http://shop/",
            actual=actual,
            about=[pod, service],
            next="kubectl exec visitor -- curl http://shop/",
        )


def images_of(pod: Obj) -> list[str]:
    """The images of a pod's containers."""
    return [one.get("image", "") for one in pod["spec"]["containers"]]


@diagnose("05.overlay", "other-namespace")
def visitor_in_other_namespace(cluster: Any, params: Any) -> str | None:
    if cluster.find("Pod", "visitor", namespace=params.namespace):
        return None
    for pod in cluster.list("Pod"):
        if pod["metadata"]["name"] == "visitor":
            return f"The visitor is in namespace {pod['metadata']['namespace']}. From there the short name shop means another Service."
    return None


@diagnose("05.overlay", "visitor-elsewhere")
def visitor_elsewhere(cluster: Any, params: Any) -> str | None:
    pod = cluster.find("Pod", "visitor", namespace=params.namespace)
    where = pod["spec"].get("nodeName", "") if pod else ""
    if not where or where == AGENTS[0]:
        return None
    beside = ", beside the shop: its packets do not leave the machine" if where == AGENTS[1] else ""
    return f"The visitor runs on {where}{beside}. A pod that runs cannot be moved: delete it and create it anew."


@diagnose("05.overlay", "host-network")
def visitor_in_host_network(cluster: Any, params: Any) -> str | None:
    pod = cluster.find("Pod", "visitor", namespace=params.namespace)
    if not pod or not pod["spec"].get("hostNetwork"):
        return None
    return "With hostNetwork the visitor uses the machine's own network: that says nothing about the network of pods."


@diagnose("05.overlay", "shop-elsewhere")
def shop_elsewhere(cluster: Any, params: Any) -> str | None:
    shop = cluster.get("Deployment", "shop", namespace=params.namespace)
    where = sorted({pod["spec"].get("nodeName", "") for pod in cluster.pods_of(shop)} - {"", AGENTS[1]})
    return f"The shop runs on {', '.join(where)}: its Deployment was changed. It belongs to edge2." if where else None


@diagnose("05.overlay", "no-tools")
def visitor_without_tools(cluster: Any, params: Any) -> str | None:
    pod = cluster.find("Pod", "visitor", namespace=params.namespace)
    images = images_of(pod) if pod else []
    if not images or any(image(TOOLS).test(one) for one in images):
        return None
    return f"The visitor runs {images[0]}. The course's image with tools, curl among them, is {TOOLS}:1."
