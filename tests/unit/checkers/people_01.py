"""Chapter 01 as people do it: answers found in public questions and issues (named beside them), on top of the solved lab."""

from __future__ import annotations

from typing import Any

from tests.unit.checkers.kept_first import (
    CONFIG,
    LAPTOP,
    MANIFESTS,
    OWN,
    STUDENT,
    Change,
    First,
    both,
    config,
    fact,
    file,
    gone,
    laptop,
    names,
    scaled,
    student,
    unit,
    unlabelled,
    without_addon,
)
from tests.unit.checkers.kept_lab import GONE
from tests.unit.checkers.variant import Variant, one

DENIED = 'error: error loading config file "/etc/rancher/k3s/k3s.yaml": open /etc/rancher/k3s/k3s.yaml: permission denied'
OWN_DENIED = 'error: error loading config file "/home/student/.kube/config": open /home/student/.kube/config: permission denied'
UNKNOWN = "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority"
NOT_FOR = "Unable to connect to the server: tls: failed to verify certificate: x509: certificate is valid for kubernetes, localhost, server, not {name}"
REFUSED = "The connection to the server localhost:8080 was refused - did you specify the right host or port?"


def in_folder(lab: First) -> None:
    """All settings in config.yaml.d; there is no config.yaml."""
    lab.k3s["config_files"] = {"/etc/rancher/k3s/config.yaml.d/10-mine.yaml": lab.server["files"][CONFIG]}
    gone(CONFIG)(lab)


def touched_later(path: str = CONFIG) -> Change:
    """A file that was written after K3s started."""
    return lambda lab: lab.server["files"][path].update(modified=lab.server["units"]["k3s"]["since"] + 30)


def written_later(key: str, value: Any) -> Change:
    return both(config(key, value), touched_later())


def address(lab: First) -> str:
    return str(lab.server["address"])


def server_at(pattern: str, **changes: str) -> Change:
    """laptop.yaml names the machine's address, in this form."""
    return lambda lab: laptop(server=pattern.replace("ADDRESS", address(lab)), **changes)(lab)


def node(**conditions: str) -> Change:
    def change(lab: First) -> None:
        for condition in lab.node["status"]["conditions"]:
            condition["status"] = conditions.get(condition["type"], condition["status"])

    return change


def node_called(name: str) -> Change:
    return lambda lab: lab.node["metadata"].update(name=name)


def failing_to_start(*log: str) -> Change:
    """K3s ends at once, again and again; nobody answers."""

    def change(lab: First) -> None:
        lab.without_cluster()
        unit(active="activating", sub="auto-restart", log=list(log))(lab)

    return change


def stopped(lab: First) -> None:
    lab.without_cluster()
    unit(active="inactive", sub="dead")(lab)


RIGHT: list[Variant] = [
    one("", "as it was solved", lambda lab: None),
    # install
    one("", "started by hand", unit(restarts=0, enabled="enabled")),
    one("", "restarted many times before it worked", unit(restarts=7)),
    one("", "a worker, too", lambda lab: lab.node["metadata"]["labels"].update({"node-role.kubernetes.io/worker": "worker"})),
    one("", "cordoned", lambda lab: lab.node["spec"].update(unschedulable=True)),
    # config
    one("", "settings in the folder", in_folder),
    one("", "one label and no list", config("node-label", "course={word}")),
    one("", "labels between commas", config("node-label", "'rack=a1,course={word}'")),
    one("", "more labels", config("node-label", "[topology.kubernetes.io/zone=home, course={word}]")),
    one("", "the label twice", config("node-label", "[course={word}, course={word}]")),
    one("", "handed on to the kubelet", both(config("node-label", GONE), config("kubelet-arg", "[max-pods=50, 'node-labels=a=b,course={word}']"))),
    one("", "also as a flag", fact("flags", "{node-label: 'course={word}'}")),
    one("", "also by kubectl", lambda lab: lab.node["metadata"]["labels"].update(other="x")),
    one("", "much else is set", both(config("cluster-cidr", "10.52.0.0/16"), config("flannel-backend", "wireguard-native"))),
    one("", "edited again since, elsewhere", both(config("debug", "true"), touched_later())),
    # name
    one("", "more names", both(config("tls-san", "['{name}', k3s.local, 192.0.2.10]"), names("k3s.local", "192.0.2.10"))),
    one("", "a single name", config("tls-san", "{name}")),
    one("", "as a flag of the installer", both(config("tls-san", GONE), fact("flags", "{tls-san: '{name}'}"))),  # k3s-io/k3s#1381
    one("", "in capitals", names("K3S.{word}.EXAMPLE", without="{name}")),
    one("", "a star", names("*.{word}.example", without="{name}")),
    # student
    one("", "K3s's file for a group", both(file(OWN, mode="640", group="student"), config("write-kubeconfig-mode", "'0640'"))),  # k3s-io/k3s#389
    one("", "read only", file(STUDENT, mode="400")),
    one("", "a link to a file of one's own", file(STUDENT, target="/home/student/.kube/k3s")),  # k3s-io/k3s#389
    one("", "with more clusters in it", file(STUDENT, size=9000)),
    one("", "a greeting in the shell", lambda lab: lab.document["probes"]["01.student"]["result"]["shell"].update(said="Good morning!\nnode/server\n")),
    one("", "a shell that complains", lambda lab: lab.document["probes"]["01.student"]["result"]["shell"].update(error="bash: no job control in this shell")),
    # laptop
    one("", "by name", laptop(server="https://{name}:6443")),
    one("", "by name in capitals", laptop(server="https://K3S.{word}.EXAMPLE:6443")),
    one("", "with a slash", server_at("https://ADDRESS:6443/")),
    one("", "readable for others", file(LAPTOP, mode="644")),
    one("", "of a larger size", file(LAPTOP, size=12000)),
    # addons
    one("", "two name servers", scaled("coredns", 2)),
    one("", "another load balancer", config("disable", "[servicelb]")),  # metallb in its place: k3s-io/k3s#1107
    one("", "no network policies", config("disable-network-policy", "true")),
]  # fmt: skip
WRONG: list[Variant] = [
    # install
    one("install", "the newest version", fact("version", "k3s version v1.99.1+k3s1 (99aabbcc)")),
    one("install", "an older version", fact("version", "k3s version v1.21.3+k3s1 (1d1f220f)")),
    one("install", "installed and not started again", lambda lab: lab.node["status"]["nodeInfo"].update(kubeletVersion="v1.21.3+k3s1")),
    one("install", "not enabled", unit(enabled="disabled")),
    one("install", "masked", unit(enabled="masked")),
    one("install", "enabled until the next start of the machine", unit(enabled="enabled-runtime")),  # systemctl enable --runtime
    one("install config name student laptop addons", "not started", stopped),
    one("install config name student laptop addons", "a flag that is not known",
        failing_to_start('level=fatal msg="flag provided but not defined: -tls-sans"')),  # k3s-io/k3s#9978
    one("install config name student laptop addons", "a name that systemd does not know", unit(load="not-found", active="inactive", enabled="")),
    one("install", "not Ready", node(Ready="False")),
    one("install", "nobody knows whether it is Ready", node(Ready="Unknown")),
    one("install", "another node name", node_called("raspberrypi")),
    # config
    one("config", "by kubectl alone", config("node-label", GONE)),
    one("config", "as a flag alone", both(config("node-label", GONE), fact("flags", "{node-label: 'course={word}'}"))),
    one("config", "another word", config("node-label", "[course=k3s]")),
    one("config", "a variable that was not filled in", both(config("node-label", ["course=$LAB_WORD"]), unlabelled)),
    one("config", "with quotes in it", both(config("node-label", ["course='maple'"]), unlabelled)),
    one("config", "with blanks", both(config("node-label", "['course = {word}']"), unlabelled)),
    one("config", "with a colon", both(config("node-label", ["course: maple"]), unlabelled)),
    one("config", "as a table", both(config("node-label", {"course": "maple"}), unlabelled)),
    one("config", "node-labels", both(config("node-label", GONE), config("node-labels", "[course={word}]"), unlabelled)),  # k3s-io/cluster-api-k3s#37
    one("config", "node_label", both(config("node-label", GONE), config("node_label", "[course={word}]"), unlabelled)),
    one("config", "with its dashes", both(config("node-label", GONE), config("--node-label", "[course={word}]"), unlabelled)),
    one("config", "not restarted", both(written_later("node-label", "[course={word}]"), unlabelled)),
    one("config", "for the kubelet, and the node is older", both(config("node-label", GONE), config("kubelet-arg", "['node-labels=course={word}']"), unlabelled)),
    one("config", "a later file takes the list away", both(config("node-label", "[site=b]"), unlabelled)),
    one("config", "taken off the node since", unlabelled),
    # name
    one("name", "no name", both(config("tls-san", GONE), names(without="{name}"))),
    one("name", "with https", both(config("tls-san", "['https://{name}']"), names(without="{name}"))),
    one("name", "with the port", both(config("tls-san", "['{name}:6443']"), names("{name}:6443", without="{name}"))),
    one("name", "the domain alone", both(config("tls-san", "['{word}.example']"), names("{word}.example", without="{name}"))),
    one("name", "a star one level up", both(config("tls-san", "['*.example']"), names("*.example", without="{name}"))),
    one("name", "the address", both(config("tls-san", "[192.0.2.10]"), names("192.0.2.10", without="{name}"))),
    one("name", "tls_san", both(config("tls-san", GONE), config("tls_san", "['{name}']"), names(without="{name}"))),
    one("name", "not restarted", both(written_later("tls-san", "['{name}']"), names(without="{name}"))),
    one("name", "in /etc/hosts alone", both(config("tls-san", GONE), names(without="{name}"))),
    # student
    *[one("student", f"K3s's file has mode {mode}", file(OWN, mode=mode)) for mode in ("644", "666", "604", "664", "777")],  # k3s-io/k3s#389, #3969
    one("student", "no copy, KUBECONFIG names K3s's file", both(gone(STUDENT), student(DENIED))),
    one("student", "copied with sudo", both(file(STUDENT, owner="root", group="root"), student(OWN_DENIED))),
    one("student", "a link to K3s's file", both(file(STUDENT, owner="root", target=OWN), student(DENIED))),
    *[one("student", f"the copy has mode {mode}", file(STUDENT, mode=mode)) for mode in ("644", "640", "660", "755", "604")],
    one("student", "a folder", both(file(STUDENT, kind="folder", mode="700"), student("error: read /home/student/.kube/config: is a directory"))),
    one("student", "exported in one shell alone", student(DENIED, file=False)),  # k3s-io/k3s#389
    one("student", "an alias to sudo, which asks", student("sudo: a password is required", file=False)),
    one("student", "of the cluster before", student(UNKNOWN)),  # xunleii/terraform-module-k3s#107
    one("student", "an empty file", both(file(STUDENT, size=0), student(REFUSED))),  # helm/helm#12682
    one("student", "another user in it", student("error: You must be logged in to the server (Unauthorized)")),
    # laptop
    one("laptop", "as K3s writes it", laptop(server="https://127.0.0.1:6443")),
    one("laptop", "localhost", laptop(server="https://localhost:6443")),
    one("laptop", "every address", laptop(server="https://0.0.0.0:6443")),
    one("laptop", "the Service's address", laptop(server="https://10.43.0.1:443")),
    one("laptop", "the short host name", laptop(server="https://server:6443")),
    one("laptop", "no port", server_at("https://ADDRESS")),
    one("laptop", "K3s's other port", server_at("https://ADDRESS:6444")),
    one("laptop", "without TLS", server_at("http://ADDRESS:6443")),
    one("laptop", "no scheme", server_at("ADDRESS:6443")),
    one("laptop", "the port twice", server_at("https://ADDRESS:6443:6443")),  # sed s/127.0.0.1/ADDRESS:6443/
    one("laptop", "no such port", server_at("https://ADDRESS:644333")),
    one("laptop", "half an address", laptop(server="https://[::1")),
    one("laptop", "the key in a file of this machine", fact("laptop", "{server: 'https://{name}:6443', authority: embedded, files: [client-key], problem: ''}")),
    one("laptop", "not verified", server_at("https://ADDRESS:6443", authority="insecure")),
    one("laptop", "the authority in a file", server_at("https://ADDRESS:6443", authority="file")),
    one("laptop", "no authority", server_at("https://ADDRESS:6443", authority="none")),
    one("laptop name", "by a name that it does not have", both(names(without="{name}"), laptop(NOT_FOR, server="https://{name}:6443"))),  # k3s-io/k3s#1381
    one("laptop", "of the cluster before", laptop(UNKNOWN)),
    one("laptop", "in another folder", gone(LAPTOP)),
    one("laptop", "no kubeconfig", laptop(server="", problem="KeyError: 'current-context'")),
    # addons
    one("addons", "no Traefik", both(without_addon("traefik"), config("disable", "[traefik]"))),
    one("addons", "no Traefik, by a flag", both(without_addon("traefik"), fact("flags", "{disable: traefik}"))),
    one("addons", "no storage and no metrics", both(without_addon("local-path-provisioner", "metrics-server"), config("disable", "'local-storage,metrics-server'"))),
    one("addons", "skipped", both(without_addon("coredns"), lambda lab: lab.server["files"][MANIFESTS]["names"].append("coredns.yaml.skip"))),
    one("addons", "no helm controller", both(without_addon("traefik"), config("disable-helm-controller", "true"))),
    one("addons", "scaled to nothing", scaled("traefik", 0)),
    one("addons", "deleted", without_addon("metrics-server")),
]  # fmt: skip
