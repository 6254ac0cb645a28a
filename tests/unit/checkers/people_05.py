"""Chapter 05 as people do it: answers found in public questions and issues (named beside them), on top of the solved lab."""

from __future__ import annotations

from tests.unit.checkers.kept_joining import (
    OTHER_CA,
    Joining,
    another_node,
    both,
    hours_more,
    kept_out,
    node,
    says,
    server,
    shop_on,
    silent,
    token_gone,
    token_of,
    told,
    unit,
    visited,
    visitor,
)
from tests.unit.checkers.kept_lab import GONE
from tests.unit.checkers.variant import Variant, each, one

ROLES = "metadata/labels/node-role.kubernetes.io~1"
WAITING = "Waiting to retrieve agent configuration; server is not ready: "
UNKNOWN = f"{WAITING}https://10.0.0.1:6443/v1-k3s/config: 401 Unauthorized"
TAKEN = f"{WAITING}Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry"
STRANGER = "Failed to validate connection to cluster at https://10.0.0.1:6443: token CA hash does not match the Cluster CA certificate hash"
UP = "k3s agent is up and running"
NO_HOST = "curl: (6) Could not resolve host: shop"
HOSTNAME = "kubernetes.io/hostname"


def tools_behind_a_sidecar(lab: Joining) -> None:
    lab.visitor["spec"]["containers"].insert(0, {"name": "log", "image": "course/web:1"})


def moved(lab: Joining) -> None:
    lab.visitor["metadata"]["namespace"] = "default"
    visited(code=-1, body="", error="there is no running visitor")(lab)


def by_a_deployment(lab: Joining) -> None:
    lab.visitor["metadata"]["name"] = "visitor-5c6d8-x7k2p"
    visited(code=-1, body="", error="there is no running visitor")(lab)


def second_server(lab: Joining) -> None:
    """The installer without K3S_URL, or `server --server …`: k3s-io/k3s#2463."""
    lab.document["nodes"]["edge1"]["units"]["k3s"] = {**lab.unit("edge1")}
    lab.unit("edge1").update(load="not-found", active="inactive", enabled="")


RIGHT: list[Variant] = [
    one("", "as it was solved", lambda lab: None),
    one("", "the agents' own token", told("edge1", kind="node")),  # k3s-io/k3s#5619
    one("", "a bootstrap token for both", told("edge1", kind="bootstrap", id="q4bjus")),
    *each("", lambda address: server("edge1", address), values=["https://SERVER:6443/", "https://server:6443", "https://k3s.orchard.example:6443"]),
    one("", "the token was deleted when it had done its work", token_gone),  # k3s-io/k3s#6898
    *[one("", f"a token of {hours:g} hours", token_of(hours)) for hours in (0.1, 0.5, 1.5)],
    one("", "a token for all of the time", hours_more(0)),
    one("", "a token that had to be made twice", lambda lab: lab.tokens.update(zzzzzz="<never>")),
    *each("", node, "edge1", f"{ROLES}worker", values=["'true'", "worker"]),
    one("", "an external address", lambda lab: lab.find("Node", "edge1")["status"]["addresses"].append({"type": "ExternalIP", "address": "203.0.113.9"})),
    one("", "cordoned", node("edge2", "spec/unschedulable", True)),
    *[one("", f"let in after {said[:30]}", says("edge2", said, UP)) for said in (UNKNOWN, TAKEN, STRANGER)],
    one("", "a server was there before, and was switched off", lambda lab: lab.document["nodes"]["edge1"]["units"].update(
        k3s={"load": "loaded", "active": "inactive", "sub": "dead", "enabled": "disabled"})),
    one("", "tools behind a sidecar", tools_behind_a_sidecar),
    one("", "by node name", visitor("nodeSelector", GONE)),
    one("", "by affinity", both(visitor("nodeSelector", GONE), visitor("affinity",
        f"{{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{{matchExpressions: [{{key: {HOSTNAME}, operator: In, values: [edge1]}}]}}]}}}}}}"))),
    one("", "tolerates everything", visitor("tolerations", "[{operator: Exists}]")),
    one("", "ends with its command", visitor("restartPolicy", "Never")),
    one("", "DNS first from elsewhere", visitor("dnsConfig", "{options: [{name: ndots, value: '2'}]}")),
]  # fmt: skip
WRONG: list[Variant] = [
    one("agent", "on until the next start of the machine", unit("edge1", enabled="enabled-runtime")),
    *each("agent", lambda word: unit("edge1", enabled=word), values=["disabled", "static", "masked"]),
    one("agent", "activating for hours", kept_out("edge1", unit("edge1", active="activating", sub="start"))),  # k3s-io/k3s#8381
    one("agent", "stopped again", both(unit("edge1", active="inactive", sub="dead"), silent("edge1"))),
    one("agent", "a server of its own", kept_out("edge1", second_server)),
    *[one("agent", f"asks {address}", kept_out("edge1", server("edge1", address), says("edge1", f"{WAITING}dial tcp: connection refused"))) for address in (
        "https://127.0.0.1:6443", "https://SERVER:6444", "https://SERVER", "http://SERVER:6443", "https://SERVER:8080", "SERVER:6443")],  # k3s-io/k3s#4220
    *[one("agent", f"kept out: {said[-40:]}", kept_out("edge1", says("edge1", said))) for said in (UNKNOWN, TAKEN, STRANGER)],
    one("agent", "another name", node("edge1", "metadata/name", "edge1-2b4c6d8e")),  # --with-node-id
    one("agent", "does not answer any more", silent("edge1")),
    one("agent cluster", "joined as a server", node("edge1", f"{ROLES}control-plane", "'true'")),
    *[one("secure", f"a {kind} without the authority's hash", told("edge1", kind=kind, ca="")) for kind in ("password", "server", "bootstrap")],  # k3s-io/k3s#5619
    one("secure", "the token was taken out of the file", told("edge1", kind="none", ca="")),
    one("secure", "of another cluster, and it goes on with its certificate", told("edge1", ca=OTHER_CA)),
    *[one("bootstrap", f"the server's {kind}", told("edge2", kind=kind, id="")) for kind in ("server", "node", "password")],
    one("bootstrap", "the short form", told("edge2", ca="")),  # k3s-io/k3s#6898
    one("bootstrap", "of another cluster", told("edge2", ca=OTHER_CA)),
    one("bootstrap", "for ever", token_of(None)),
    *[one("bootstrap", f"{hours} hours", token_of(hours)) for hours in (24, 48, 8760)],
    one("bootstrap", "an hour too long", hours_more(1)),
    one("bootstrap", "five minutes too long", hours_more(1 / 12)),
    one("bootstrap", "kept out: the name is taken", kept_out("edge2", says("edge2", TAKEN))),
    one("bootstrap", "kept out: the token has ended", kept_out("edge2", token_gone, says("edge2", UNKNOWN))),
    one("cluster", "the old machine is still in the list", another_node("edge0", "edge1")),
    one("cluster", "one machine under two names", another_node("edge2-9f8e7d6c", "edge2")),
    one("agent", "two machines with one address", node("edge1", "status/addresses", "[{type: InternalIP, address: 10.0.2.15}]")),  # NAT of VirtualBox
    one("overlay", "in default", moved),
    one("overlay", "by a Deployment, under another name", by_a_deployment),
    *[one("overlay", f"visitor on {place}", visitor("nodeName", place)) for place in ("edge2", "server")],
    one("overlay", "in the machine's own network", visitor("hostNetwork", True)),
    one("overlay", "with the machine's name server", both(visitor("dnsPolicy", "Default"), visited(code=6, body="", error=NO_HOST))),
    one("overlay", "no answer", visited(code=28, body="", error="curl: (28) Connection timed out after 4001 milliseconds")),  # UDP 8472 closed
    one("overlay", "somebody else answers", visited(body="Hello\n")),
    one("overlay", "the shop moved to the visitor", shop_on("edge1")),
]  # fmt: skip
