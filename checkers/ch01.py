"""Chapter 01, First cluster: K3s installed in a chosen version, configured by a file, used by somebody who is not root."""

from __future__ import annotations

import itertools
import re
import shlex
from typing import Any
from urllib.parse import urlsplit

from courselab.grade import at_least, check, diagnose, expect, fact, fail, probe
from courselab.grade.plain_yaml import NotYaml, read_yaml

CONFIG = "/etc/rancher/k3s/config.yaml"
OWN = "/etc/rancher/k3s/k3s.yaml"
STUDENT = "/home/student/.kube/config"
LAPTOP = "/home/student/work/laptop.yaml"
MANIFESTS = "/var/lib/rancher/k3s/server/manifests"
K3S = "/usr/local/bin/k3s"
LABEL = "course"
PACKAGED = {"coredns": "coredns", "local-path-provisioner": "local-storage", "metrics-server": "metrics-server", "traefik": "traefik"}
MODE, MODE_VARIABLE = "write-kubeconfig-mode", "K3S_KUBECONFIG_MODE"  # of K3s's own kubeconfig
FLAGS = ("node-label", "tls-san", "disable", MODE)
HERE = ("127.0.0.1", "localhost", "0.0.0.0", "::1")  # noqa: S104 not bound: looked for
NODES = ["get", "nodes", "--output=name", "--request-timeout=10s"]

PATIENCE_S = 15  # a small board takes seconds to start kubectl
TIMED_OUT = 124  # of timeout(1)
STARTING_S = 30  # K3s that became active less than this ago may still be making its node and its certificate what it was told
INSTALLING_S = 90  # and may not have installed all that it brings: Traefik comes by a Job
AT_MOST = 64 * 1024  # of a kubeconfig
STRANGER = re.compile("unknown authority|Unauthorized|must be logged in")
# What a kubeconfig's user may keep in a file of this machine, and the key that holds it itself.
USER_FILES = {"client-certificate": "client-certificate-data", "client-key": "client-key-data", "tokenFile": "token"}
EARLIER = "The file is of a cluster that was here before: since then K3s was installed anew, and has another authority."

Obj = dict[str, Any]


# Facts and experiments ------------------------------------------------------------------------------------------------------


@fact("wanted", on="server")
def wanted_version(host: Any) -> str:
    """The version that the lab names to the learner, LAB_K3S_VERSION."""
    found = re.search(r"^export LAB_K3S_VERSION='?([^'\n]+)", host.run("cat /etc/profile.d/courselab.sh 2>/dev/null").stdout, re.MULTILINE)
    return found[1].strip() if found else ""


@fact("version", on="server")
def installed_version(host: Any) -> str:
    """The first line of `k3s --version`; "" where there is no K3s."""
    return (host.run(f"{K3S} --version 2>/dev/null").stdout.splitlines() or [""])[0].strip()


@fact("flags", on="server")
def unit_flags(host: Any) -> dict[str, str]:
    """Flags that the installer was given and wrote into the unit, those of this chapter: {"tls-san": "a.example,b.example"}.

    Also the variable for the kubeconfig's mode, which it wrote beside it.
    """
    told = host.run("cat /etc/systemd/system/k3s.service.env /etc/systemd/system/k3s.service 2>/dev/null").stdout
    mode = re.search(rf"^{MODE_VARIABLE}=['\"]?([0-7]+)", told, re.MULTILINE)
    return flags_of(told) | ({MODE_VARIABLE: mode[1]} if mode else {})


def flags_of(unit: str) -> dict[str, str]:
    """The flags that matter here, with their values; a repeated one has several, with commas. No other one: tokens stand there, too."""
    try:
        words = shlex.split(unit.partition("ExecStart=")[2].replace("\\\n", " "))
    except ValueError:
        return {}
    found: dict[str, list[str]] = {}
    for word, behind in itertools.pairwise([*words, ""]):
        flag, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and flag in FLAGS:
            found.setdefault(flag, []).append(value if equals else behind)
    return {flag: ",".join(values) for flag, values in found.items()}


@fact("names", on="server")
def certificate_names(host: Any) -> list[str]:
    """The names and addresses for which the certificate on port 6443 is good."""
    shown = host.run(
        "openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName 2>/dev/null"
    ).stdout
    return re.findall(r"(?:DNS|IP Address):([^,\s]+)", shown)


@fact("laptop", on="server")
def laptop_kubeconfig(host: Any) -> Obj:
    """What is public of laptop.yaml: the server it names, and how it makes sure of it."""
    return kubeconfig_parts(host.run(f"head --bytes={AT_MOST} {LAPTOP} 2>/dev/null").stdout)


def kubeconfig_parts(text: str) -> Obj:
    """The current context's server, how its authority is given (embedded, file, none or insecure), and what of its user is in `files`.

    `problem` if it cannot be read.
    """
    nothing: Obj = {"server": "", "authority": "none", "files": [], "problem": ""}
    try:
        config = read_yaml(text)
        named = {kind: {one["name"]: one.get(kind[:-1]) for one in config.get(kind) or []} for kind in ("contexts", "clusters", "users")}
        context = named["contexts"][config["current-context"]]
        cluster, user = named["clusters"][context["cluster"]], named["users"].get(context.get("user")) or {}
        server = str(cluster.get("server", ""))[:300]
        files = [key for key, instead in USER_FILES.items() if user.get(key) and not user.get(instead)]
    except (NotYaml, LookupError, TypeError, AttributeError) as broken:
        return {**nothing, "problem": f"{type(broken).__name__}: {broken}"[:120] if text.strip() else ""}
    ways = {"insecure-skip-tls-verify": "insecure", "certificate-authority-data": "embedded", "certificate-authority": "file"}
    authority = next((way for key, way in ways.items() if cluster.get(key)), "none")
    return {**nothing, "server": server, "authority": authority, "files": files}


@probe("01.student", effect="observe", deadline_s=40)
def as_student(lab: Any) -> Obj:
    """Ask for nodes as student: with the file, and then as student would who has just logged in and typed nothing else."""
    by_file = asked(lab, ["/usr/bin/env", f"KUBECONFIG={STUDENT}", K3S, "kubectl", *NODES])
    # An alias to sudo would work, and is not what is asked: without new privileges sudo refuses.
    login = ["/usr/bin/env", "-u", "KUBECONFIG", "/usr/bin/setpriv", "--no-new-privs", "/bin/bash", "-lic"]
    shell = asked(lab, [*login, " ".join(["kubectl", *NODES])])
    return {"file": by_file, "shell": shell}


@probe("01.laptop", effect="observe", deadline_s=20)
def as_laptop(lab: Any, nodes: Any) -> Obj:
    """Ask with laptop.yaml, through the machine's address; a name in it is looked for in the certificate, not in DNS."""
    address, found = nodes["server"].address, nodes["server"].fact("laptop")
    host = address_in(found["server"])[1]
    by_name = [f"--server=https://{address}:6443", f"--tls-server-name={host}"] if re.search("[a-z]", host) else []
    return asked(lab, [K3S, "kubectl", f"--kubeconfig={LAPTOP}", *by_name, *NODES])


def asked(lab: Any, argv: list[str]) -> Obj:
    """How a command of student's ended; one that waits for somebody who is not there is no trouble of ours."""
    done = lab.run("server", ["/usr/bin/timeout", f"{PATIENCE_S}", *argv], timeout_s=PATIENCE_S + 5, user="student")
    error = f"no answer within {PATIENCE_S} s" if done.code == TIMED_OUT else (done.error_text.splitlines() or [""])[-1]
    return {"code": done.code, "said": done.text[-300:], "error": error[:300]}  # a login shell may greet before


# Reading --------------------------------------------------------------------------------------------------------------------


def is_ready(obj: Obj) -> bool:
    """Whether a node says that it is ready."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in obj.get("status", {}).get("conditions") or [])


def verbatim(nodes: Any, key: str) -> list[str]:
    """A list of K3s's configuration; a single value is a list as well."""
    value = nodes["server"].k3s.config.get(key) or []
    return [str(one) for one in (value if isinstance(value, list) else [value])]


def listed(nodes: Any, key: str) -> list[str]:
    """The same for a setting in which a value with commas is several."""
    return [part.strip() for one in verbatim(nodes, key) for part in one.split(",")]


def labels(nodes: Any) -> list[str]:
    """The node's labels in K3s's configuration: its own, and those that it hands on to the kubelet."""
    for_kubelet = [one.partition("=")[2] for one in verbatim(nodes, "kubelet-arg") if one.lstrip("-").startswith("node-labels=")]
    return [*listed(nodes, "node-label"), *(part for one in for_kubelet for part in one.split(","))]


def mode_from_now_on(nodes: Any) -> str:
    """The mode that K3s gives its own kubeconfig whenever it starts: by a flag, else by its configuration, else by a variable."""
    flags = nodes["server"].fact("flags")
    told = str(flags.get(MODE) or nodes["server"].k3s.config.get(MODE) or flags.get(MODE_VARIABLE) or "")
    return told if re.fullmatch("[0-7]+", told) else "600"


def number(version: str) -> str:
    """A version without what differs between ways to write it: "k3s version v1.36.5+k3s1 (1a2b)" → "1.36.5+k3s1"."""
    found = re.search(r"\d+\.\d+\.\d+(?:[+-][\w.]+)?", version)
    return found[0] if found else ""


def changed_since_start(nodes: Any) -> bool:
    """Whether a file of the configuration was written after K3s had started."""
    since = nodes["server"].unit("k3s").since
    files = [nodes["server"].file(CONFIG), *nodes["server"].k3s.config_files.values()]
    return since is not None and any(file.exists and file.modified > since for file in files)


def just_started(nodes: Any, within_s: float) -> bool:
    """Whether K3s became active less than this ago."""
    since = nodes["server"].unit("k3s").since
    return since is not None and nodes["server"].time - since < within_s


def has_just_read(nodes: Any) -> bool:
    """Whether K3s has just started, with its configuration as it is now."""
    return just_started(nodes, STARTING_S) and not changed_since_start(nodes)


def address_in(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL; empty if it is none, as with two ports."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        return "", "", None


def good_for(name: str, names: list[str]) -> bool:
    """Whether a certificate with these names is one for this name; a star stands for the first part (RFC 9525)."""
    star = "*." + name.partition(".")[2]
    return bool({name, star} & {found.lower() for found in names})


def not_read_yet(nodes: Any, what: str) -> str | None:
    """Says it if the configuration is newer than the running K3s."""
    return (
        f"{what} stands in the file, and K3s has not read it: it does so when it starts, and it has not since."
        if changed_since_start(nodes)
        else None
    )


def overruled(nodes: Any, key: str, wanted: str) -> str | None:
    """Says it if a flag in the unit keeps K3s from what the file says (docs.k3s.io/installation/configuration)."""
    flag = nodes["server"].fact("flags").get(key, "")
    if not flag or wanted in flag.split(","):
        return None
    return f"The unit has the flag --{key}={flag}, and a flag takes the place of the whole list that the file has."


# 01.install -----------------------------------------------------------------------------------------------------------------


@check("01.install", reads=["Node"], settled=False)
def install(cluster: Any, nodes: Any) -> None:
    unit, server = nodes["server"].unit("k3s"), nodes["server"]
    if unit.load == "not-found":
        what = "There is no unit k3s" if server.k3s.installed else "K3s is not installed"
        fail(what, expected="K3s as unit k3s", actual="no such unit", next="systemctl status k3s")
    wanted, found = server.fact("wanted"), server.fact("version")
    if number(wanted) and number(found) != number(wanted):
        fail(f"K3s {number(found) or 'of no version'} is installed", expected=wanted, actual=found or "no k3s", next="k3s --version")
    if unit.active != "active" or unit.enabled != "enabled":  # enabled-runtime lasts until the next start of the machine
        state = unit.active if unit.active != "active" else f"active, and {unit.enabled or 'not enabled'}"
        fail(f"The unit k3s is {state}", expected="active and enabled", actual=state, next="systemctl status k3s")
    if just_started(nodes, STARTING_S):
        server.settling("K3s has just started, and its node may not be there yet")
    node = cluster.get("Node", "server")
    if not is_ready(node):
        fail("Node server is not Ready", expected="Ready", actual="not Ready", about=node, next="kubectl describe node server")
    running = node["status"].get("nodeInfo", {}).get("kubeletVersion", "")
    if number(wanted) and number(running) not in ("", number(wanted)):
        fail(f"K3s {number(running)} runs: it was not started again since another was installed", expected=wanted, actual=running)


@diagnose("01.install", "not-enabled")
def not_enabled(nodes: Any) -> str | None:
    unit = nodes["server"].unit("k3s")
    if unit.load == "not-found" or unit.enabled == "enabled":
        return None
    return f"The unit k3s is {unit.enabled or 'not enabled'}: after the next start of the machine there would be no cluster."


@diagnose("01.install", "config-invalid")
def config_invalid(nodes: Any) -> str | None:
    problem = nodes["server"].k3s.problem
    return f"K3s's configuration is not valid YAML: {problem}." if problem else None


@diagnose("01.install", "ends-at-once")
def ends_at_once(nodes: Any) -> str | None:
    unit = nodes["server"].unit("k3s")
    said = [line for line in unit.log if re.search(r"level=(?:fatal|error)|flag provided but not defined|known|invalid|Error:", line)]
    has_ended = unit.restarts > 0 or unit.sub == "auto-restart" or unit.active == "failed"  # while it starts it says errors that pass
    if unit.active in ("active", "inactive") or not has_ended or not said:
        return None
    return f"K3s ends as soon as it is started, and says: {said[-1][:200]}"


@diagnose("01.install", "stopped")
def stopped(nodes: Any) -> str | None:
    unit = nodes["server"].unit("k3s")
    return (
        "K3s is installed, and is not running: it was stopped, or never started."
        if unit.load != "not-found" and unit.active == "inactive"
        else None
    )


@diagnose("01.install", "agent")
def installed_as_agent(nodes: Any) -> str | None:
    server, agent = (nodes["server"].unit(name) for name in ("k3s", "k3s-agent"))
    if server.load != "not-found" or agent.load == "not-found":
        return None
    return "K3s was installed as an agent: K3S_URL was set, and there is no server to join."


@diagnose("01.install", "other-version")
def other_version(nodes: Any) -> str | None:
    wanted, found = (number(nodes["server"].fact(name)) for name in ("wanted", "version"))
    if not wanted or not found or wanted == found:
        return None
    return f"K3s {found} is installed: without INSTALL_K3S_VERSION the script takes what is newest in its channel on that day."


@diagnose("01.install", "other-name")
def node_other_name(cluster: Any) -> str | None:
    names = [node["metadata"]["name"] for node in cluster.list("Node")]
    return (
        f"The node is called {names[0]}. The task asks for server, which is the machine's name."
        if names and "server" not in names
        else None
    )


# 01.config ------------------------------------------------------------------------------------------------------------------


@check("01.config", needs=["01.install"], reads=["Node"], settled=False)
def configured(cluster: Any, nodes: Any, params: Any) -> None:
    wanted = f"{LABEL}={params.word}"
    if wanted not in labels(nodes):
        actual = ", ".join(labels(nodes)) or "no node-label"
        fail(
            f"{CONFIG} does not give the node the label {wanted}",
            expected=f"node-label with {wanted}",
            actual=actual,
            path=CONFIG,
            next=f"sudo cat {CONFIG}",
        )
    if has_just_read(nodes):
        nodes["server"].settling("K3s has just started, and may not have given its node the label yet")
    expect(cluster.get("Node", "server"), next="kubectl get node server --show-labels").matches(
        {"metadata": {"labels": {LABEL: params.word}}}
    )


@diagnose("01.config", "not-yaml")
def config_not_yaml(nodes: Any) -> str | None:
    problem = nodes["server"].k3s.problem
    return f"The file is not valid YAML: {problem}." if problem else None


@diagnose("01.config", "not-read-yet")
def label_not_read_yet(nodes: Any, params: Any) -> str | None:
    return not_read_yet(nodes, "The label") if f"{LABEL}={params.word}" in labels(nodes) else None


@diagnose("01.config", "flag-wins")
def label_flag_wins(nodes: Any, params: Any) -> str | None:
    wanted = f"{LABEL}={params.word}"
    return overruled(nodes, "node-label", wanted) if wanted in labels(nodes) else None


@diagnose("01.config", "flag-instead")
def flag_instead(nodes: Any, params: Any) -> str | None:
    if f"{LABEL}={params.word}" not in nodes["server"].fact("flags").get("node-label", "").split(","):
        return None
    return "The label is a flag in the unit, which the installer wrote. The next run of the installer writes it anew, without the flag."


@diagnose("01.config", "other-file")
def other_file(nodes: Any) -> str | None:
    found = nodes["server"].k3s.config_files
    others = [path for path, state in found.items() if path != CONFIG and state.exists]
    if nodes["server"].file(CONFIG).exists or others:
        return None
    return f"There is no {CONFIG}: K3s reads no other place by itself than this file and config.yaml.d beside it."


@diagnose("01.config", "key-differs")
def label_key_differs(nodes: Any, params: Any) -> str | None:
    near = [key for key in nodes["server"].k3s.config if key not in ("node-label", "node-label+") and "label" in key.lower()]
    if near:
        return f"The key is {near[0]}. K3s's flag is --node-label, so the key is node-label."
    given = [one for one in listed(nodes, "node-label") if one.lower().startswith(LABEL) or params.word in one]
    return (
        f"The file says {given[0]}. The label is written {LABEL}={params.word}."
        if given and f"{LABEL}={params.word}" not in given
        else None
    )


@diagnose("01.config", "kubectl-only")
def kubectl_only(cluster: Any, nodes: Any, params: Any) -> str | None:
    has = (cluster.get("Node", "server")["metadata"].get("labels") or {}).get(LABEL) == params.word
    if not has or f"{LABEL}={params.word}" in labels(nodes):
        return None
    return "The node has the label, and the file does not say so: a cluster that is set up from the file would not have it."


# 01.name --------------------------------------------------------------------------------------------------------------------


@check("01.name", needs=["01.install"])
def named(nodes: Any, params: Any) -> None:
    found = nodes["server"].fact("names")
    if params.name in listed(nodes, "tls-san") and has_just_read(nodes):
        nodes["server"].settling("K3s has just started, and may not have renewed its certificate yet")
    if not good_for(params.name, found):
        fail(
            f"The certificate on port 6443 is not for {params.name}",
            expected=params.name,
            actual=", ".join(found) or "no certificate",
            path="subjectAltName",
            next="openssl s_client -connect localhost:6443",
        )


@diagnose("01.name", "not-read-yet")
def name_not_read_yet(nodes: Any, params: Any) -> str | None:
    return not_read_yet(nodes, "The name") if params.name in listed(nodes, "tls-san") else None


@diagnose("01.name", "flag-wins")
def name_flag_wins(nodes: Any, params: Any) -> str | None:
    return overruled(nodes, "tls-san", params.name) if params.name in listed(nodes, "tls-san") else None


@diagnose("01.name", "name-differs")
def name_differs(nodes: Any, params: Any) -> str | None:
    found = listed(nodes, "tls-san")
    return f"tls-san has {', '.join(found)}. The name is {params.name}." if found and params.name not in found else None


@diagnose("01.name", "key-differs")
def san_key_differs(nodes: Any) -> str | None:
    near = [key for key in nodes["server"].k3s.config if key != "tls-san" and ("san" in key.lower() or "tls" in key.lower())]
    return f"The key is {near[0]}. K3s's flag is --tls-san, so the key is tls-san." if near else None


# 01.student -----------------------------------------------------------------------------------------------------------------


@check("01.student", needs=["01.install"], probes=["01.student"])
def not_root(nodes: Any, probes: Any) -> None:
    own, file = nodes["server"].file(OWN), nodes["server"].file(STUDENT)
    if own.exists and int(own.mode or "0", 8) & 0o007:
        fail(f"Everybody on the machine may read {OWN}", expected="600 or 640", actual=own.mode, path=OWN, next=f"ls -l {OWN}")
    if int(mode_from_now_on(nodes), 8) & 0o007:
        fail(
            f"When K3s starts again, everybody on the machine may read {OWN}: its setting {MODE} says so",
            expected="600 or 640, or no such setting",
            actual=mode_from_now_on(nodes),
            path=MODE,
            next="sudo grep -ri kubeconfig.mode /etc/rancher/k3s /etc/systemd/system/k3s.service*",
        )
    if not file.exists:
        fail("There is no ~/.kube/config", expected="a kubeconfig of student's", actual="no file", path=STUDENT, next="ls -l ~/.kube")
    if file.owner != "student" or int(file.mode or "0", 8) & 0o077:
        actual = f"{file.mode}, of {file.owner}"
        fail("~/.kube/config is not student's alone", expected="600, of student", actual=actual, path=STUDENT, next="ls -l ~/.kube/config")
    for how, where in (("file", "with ~/.kube/config"), ("shell", "in a new shell")):
        answer = probes["01.student"][how]
        if answer["code"] or "node/" not in answer["said"]:
            actual = answer["error"] or "nothing"
            fail(f"kubectl get nodes does not work for student {where}", expected="the node", actual=actual, next="kubectl get nodes")


@diagnose("01.student", "world-readable")
def world_readable(nodes: Any) -> str | None:
    own = nodes["server"].file(OWN)
    if not own.exists or not int(own.mode or "0", 8) & 0o007:
        return None
    return f"K3s's file has mode {own.mode}: everybody who can log in on this machine, and every program, is administrator of the cluster."


@diagnose("01.student", "link")
def linked(nodes: Any) -> str | None:
    file = nodes["server"].file(STUDENT)
    return f"~/.kube/config leads to {file.target}, which is root's own." if file.target.startswith("/etc/rancher") else None


@diagnose("01.student", "not-yours")
def not_yours(nodes: Any) -> str | None:
    file = nodes["server"].file(STUDENT)
    if not file.exists or file.owner == "student":
        return None
    return f"The file belongs to {file.owner}, so kubectl may not read it: sudo cp makes a file of root's."


@diagnose("01.student", "open-to-others")
def open_to_others(nodes: Any) -> str | None:
    file = nodes["server"].file(STUDENT)
    if not file.exists or not int(file.mode or "0", 8) & 0o077:
        return None
    return f"The file has mode {file.mode}: others than you may read the key in it."


@diagnose("01.student", "from-an-earlier-cluster")
def earlier_cluster(probes: Any) -> str | None:
    return EARLIER if STRANGER.search(probes["01.student"]["file"]["error"]) else None


@diagnose("01.student", "nowhere")
def kubeconfig_nowhere(nodes: Any, probes: Any) -> str | None:
    if not nodes["server"].file(STUDENT).exists or "localhost:8080" not in probes["01.student"]["file"]["error"]:
        return None
    return "kubectl asks localhost:8080: that is what it does when it finds no cluster in its kubeconfig."


@diagnose("01.student", "by-sudo")
def by_sudo(probes: Any) -> str | None:
    if not probes["01.student"]["shell"]["error"].startswith("sudo:"):
        return None
    return "In a new shell kubectl goes through sudo: an alias, or a function. With a kubeconfig of student's there is no need for it."


@diagnose("01.student", "kubeconfig-unset")
def kubeconfig_unset(probes: Any) -> str | None:
    if probes["01.student"]["file"]["code"] or "k3s.yaml" not in probes["01.student"]["shell"]["error"]:
        return None
    return "The file is good, and in a new shell kubectl does not look at it: until KUBECONFIG names it, kubectl takes K3s's own file, which is root's."


# 01.laptop ------------------------------------------------------------------------------------------------------------------


@check("01.laptop", needs=["01.install"], probes=["01.laptop"])
def laptop(nodes: Any, probes: Any, params: Any) -> None:
    file, found = nodes["server"].file(LAPTOP), nodes["server"].fact("laptop")
    if not file.exists:
        fail("There is no ~/work/laptop.yaml", expected="a kubeconfig", actual="no file", path=LAPTOP, next="ls ~/work")
    if not found["server"]:
        fail("~/work/laptop.yaml is no kubeconfig with a server", expected="a server", actual=found["problem"] or "none", path=LAPTOP)
    scheme, leads_to, port = address_in(found["server"])
    own = {nodes["server"].address, params.name}
    if scheme != "https" or leads_to not in own or port != 6443:
        expected = " or ".join(f"https://{host}:6443" for host in sorted(own))
        fail("~/work/laptop.yaml leads somewhere else", expected=expected, actual=found["server"], path="clusters[].cluster.server")
    if found["authority"] != "embedded":
        fail(
            "The file does not hold the authority by which the laptop knows the cluster",
            expected="certificate-authority-data",
            actual=found["authority"],
            path="clusters[].cluster",
        )
    if files := found.get("files"):
        fail(
            f"{files[0]} in the file is a path on this machine, where the laptop finds nothing",
            expected=USER_FILES[files[0]],
            actual=files[0],
            path="users[].user",
            next="kubectl config view --kubeconfig ~/work/laptop.yaml",
        )
    answer = probes["01.laptop"]
    if answer["code"] or "node/" not in answer["said"]:
        fail("kubectl does not get through with ~/work/laptop.yaml", expected="the node", actual=answer["error"] or "nothing", path=LAPTOP)


@diagnose("01.laptop", "loopback")
def loopback(nodes: Any) -> str | None:
    server = nodes["server"].fact("laptop")["server"]
    if address_in(server)[1] not in HERE:
        return None
    return f"{server} means: this very computer. On the laptop there is no cluster."


@diagnose("01.laptop", "insecure")
def insecure(nodes: Any) -> str | None:
    if nodes["server"].fact("laptop")["authority"] != "insecure":
        return None
    return "insecure-skip-tls-verify: the laptop would give its key to whoever answers at that address."


@diagnose("01.laptop", "authority-in-a-file")
def authority_in_a_file(nodes: Any) -> str | None:
    if nodes["server"].fact("laptop")["authority"] != "file":
        return None
    return "The authority is a file on this machine, which the laptop does not have. certificate-authority-data holds it itself."


@diagnose("01.laptop", "port")
def other_port(nodes: Any, params: Any) -> str | None:
    scheme, host, port = address_in(nodes["server"].fact("laptop")["server"])
    if host not in {nodes["server"].address, params.name} or (scheme == "https" and port == 6443):
        return None
    return "The API server listens at https on port 6443."


@diagnose("01.laptop", "from-an-earlier-cluster")
def laptop_of_earlier_cluster(probes: Any) -> str | None:
    return EARLIER if STRANGER.search(probes["01.laptop"]["error"]) else None


@diagnose("01.laptop", "not-in-the-certificate")
def not_in_the_certificate(nodes: Any, probes: Any) -> str | None:
    host = address_in(nodes["server"].fact("laptop")["server"])[1]
    if "x509" not in probes["01.laptop"]["error"] or host in nodes["server"].fact("names"):
        return None
    return f"The certificate is not for {host}: kubectl does not believe it. See 01.name."


# 01.addons ------------------------------------------------------------------------------------------------------------------


@check("01.addons", needs=["01.install"], reads=["Deployment", "ReplicaSet", "Pod"])
def addons(cluster: Any, nodes: Any) -> None:
    for name in PACKAGED:
        if not cluster.find("Deployment", name, namespace="kube-system") and still_installing(nodes, cluster):
            nodes["server"].settling("K3s has just started, and may not have installed all that it brings yet")
        found = cluster.get("Deployment", name, namespace="kube-system")
        expect(found, next="kubectl get pods --namespace=kube-system").matches({"status": {"availableReplicas": at_least(1)}})


def still_installing(nodes: Any, cluster: Any) -> bool:
    """Whether what is missing may come by itself: K3s has just started, and was not told to leave anything away."""
    never = disabled(nodes, cluster) or skipped(nodes) or no_helm_controller(nodes, cluster)
    return just_started(nodes, INSTALLING_S) and not never


@diagnose("01.addons", "disabled")
def disabled(nodes: Any, cluster: Any) -> str | None:
    off = set(listed(nodes, "disable")) & set(PACKAGED.values())
    off |= set(nodes["server"].fact("flags").get("disable", "").split(",")) & set(PACKAGED.values())
    return f"K3s was told to leave away: {', '.join(sorted(off))}." if off else None


@diagnose("01.addons", "skipped")
def skipped(nodes: Any) -> str | None:
    files = [name for name in nodes["server"].file(MANIFESTS).names if name.endswith(".skip")]
    return f"{MANIFESTS}/{files[0]} keeps K3s from applying the file beside it." if files else None


@diagnose("01.addons", "no-helm-controller")
def no_helm_controller(nodes: Any, cluster: Any) -> str | None:
    if not nodes["server"].k3s.config.get("disable-helm-controller") or cluster.find("Deployment", "traefik", namespace="kube-system"):
        return None
    return "K3s was told to run no helm controller, which installs Traefik."


@diagnose("01.addons", "scaled-to-nothing")
def scaled_to_nothing(cluster: Any) -> str | None:
    for name in PACKAGED:
        found = cluster.find("Deployment", name, namespace="kube-system")
        if found and found["spec"].get("replicas") == 0:
            return f"Deployment {name} was scaled to no pod at all."
    return None


@diagnose("01.addons", "deleted")
def deleted(nodes: Any, cluster: Any) -> str | None:
    if still_installing(nodes, cluster):
        return None
    missing = [name for name in PACKAGED if not cluster.find("Deployment", name, namespace="kube-system")]
    return f"Deployment {missing[0]} is not there (any more). K3s applies its manifests again when it starts." if missing else None
