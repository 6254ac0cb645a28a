"""Chapter 16, the broken site: can a user reach it again, for good, and is it still the site of the evening before?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from courselab.grade import check, diagnose, fact, fail, probe
from courselab.grade.meaning import parse_quantity
from courselab.grade.redacted import compare

EVENING = "/var/lib/courselab/evening.json"
POLICY, VAULT = "keep-out", {"vault": "true"}
HOUSE_FILE, TELNET, HTTPS = "/etc/house/firewall.nft", 23, 443
KUBECONFIG = "/home/student/dana.kubeconfig"
CUSTOM, READ_BY_COREDNS = "coredns-custom", (".override", ".server")
IMPORT = re.compile(r"^\s*import\s+\S*custom/\*\.override\s*(#.*)?$", re.MULTILINE)  # not one that is commented out
MEMORY = ("requests.memory", "memory", "limits.memory")
KEEPS_NOTHING = ("emptyDir", "ephemeral", "configMap", "secret", "projected", "downwardAPI", "image", "gitRepo")
READS = ["Deployment", "ReplicaSet", "Pod", "Service", "EndpointSlice", "Ingress", "Namespace", "Node", "NetworkPolicy"]
SAME = "the site of the evening before, mended"
# What the night has left, and what nobody explains as long as it is as it was: to find out is the task.
NIGHT = {"image": "course/wed:1", "selector": {"app": "basket"}, "budget": "8Mi", "class": "nginx", "storage": "fast", "port": ":16443"}
NIGHT_KEY = {"name": "account", "key": "database-key"}
# Asks a name server for names' IPv4 addresses, as any program would; prints "NAME CODE ADDRESS…" for each, until one is not answered.
ASK_NAMES = """
import socket, struct, sys
for name in sys.argv[2:]:
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\\0\\0\\1\\0\\1"
    for attempt in range(3):
        asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asked.settimeout(1.5)
        try:
            asked.sendto(b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + question, (sys.argv[1], 53))
            answer = asked.recv(4096)
            break
        except OSError:
            if attempt == 2:
                raise
    found, place = [], 12 + len(question)
    for _ in range(struct.unpack(">H", answer[6:8])[0]):
        while answer[place] != 0 and answer[place] < 192:
            place += answer[place] + 1
        place += 2 if answer[place] >= 192 else 1
        kind, _, _, size = struct.unpack(">HHIH", answer[place : place + 10])
        if kind == 1:
            found.append(socket.inet_ntoa(answer[place + 10 : place + 14]))
        place += 10 + size
    print(name, answer[3] & 15, *found, flush=True)
"""
CODES = {"0": "no address", "2": "SERVFAIL", "3": "NXDOMAIN", "5": "REFUSED"}
NAMES_AT_MOST = 16
STARTING_S = 20
# Prints as JSON what DATABASE_KEY is in the processes of the pods that are named: an environment is what it was when the process started.
READ_KEYS = """
import glob, json, sys
found = []
for path in glob.glob("/proc/[0-9]*/environ"):
    try:
        with open(path, encoding="utf-8", errors="replace") as environ:
            held = dict(entry.partition("=")[::2] for entry in environ.read().split("\\0"))
    except OSError:
        continue
    if held.get("HOSTNAME") in sys.argv[1:] and "DATABASE_KEY" in held:
        found.append(held["DATABASE_KEY"])
print(json.dumps(found))
"""
# The rules that turn something away by its port or let it in, below the names of their chains: as they are loaded, and as they will be after
# the next start of the machine.
RULES = f"""
by_port() {{ awk '/^[ \\t]*chain /{{chain=$0}} /dport.*(drop|reject|accept)/{{if (chain) print chain; chain=""; print}}'; }}
nft --stateless list ruleset | by_port
echo ---
unshare --net sh -c 'systemctl is-enabled --quiet nftables && nft --file /etc/nftables.conf
systemctl is-enabled --quiet house-firewall || exit
nft --file {HOUSE_FILE} && nft --stateless list ruleset || grep -v "^[[:space:]]*#" {HOUSE_FILE}' 2>/dev/null | by_port
"""

Obj = dict[str, Any]
Cheat = Callable[[Any, Any, Any], str | None]


# The site of the evening before ---------------------------------------------------------------------------------------------


@fact("firewall", on="server")
def firewall(host: Any) -> Obj:
    loaded, _, saved = host.run(RULES).stdout_bytes.decode("utf-8", "replace").partition("---\n")  # comments may be anything
    return {"loaded": loaded.splitlines()[:100], "saved": saved.splitlines()[:100]}


def turns_away(rules: list[str], port: int) -> bool:
    """Whether in one of the chains the first rule that is about a port turns away what comes for it. Letting it in ends its own chain only."""
    first_of: dict[int, str] = {}
    chain = 0
    for rule in (re.sub(r'"[^"]*"', "", rule) for rule in rules):  # without comments
        chain += rule.lstrip().startswith("chain ")
        if re.search(rf"dport (\{{[^}}]*\b{port}\b[^}}]*\}}|{port}\b)", rule):
            first_of.setdefault(chain, rule)
    return any(re.search(r"\baccept\b", rule) is None for rule in first_of.values())


def evening(nodes: Any) -> Obj:
    """UIDs that were written down before the night."""
    kept = nodes["server"].file(EVENING)
    try:
        found = json.loads(kept.text) if kept.exists else {}
    except (ValueError, RecursionError):
        found = {}
    return found if isinstance(found, dict) else {}


def is_another(cluster: Any, nodes: Any, key: str, name: str) -> bool:
    """Whether a namespace is gone, or another one than in the evening."""
    kept = evening(nodes).get(key)
    return bool(kept) and (cluster.find("Namespace", name) or {}).get("metadata", {}).get("uid") != kept


def another_cluster(cluster: Any, nodes: Any, params: Any) -> str | None:
    if not is_another(cluster, nodes, "cluster", "kube-system"):
        return None
    return "This is another cluster than before the night: K3s was installed anew. What was broken was not found, and what else was on it is lost."


def another_namespace(cluster: Any, nodes: Any, params: Any) -> str | None:
    for key, name in (("namespace", params.namespace), ("back", params.back)):
        if is_another(cluster, nodes, key, name):
            return (
                f"Namespace {name} is not the one of before the night: it was deleted, with all that was in it, and what was not in a file "
                "is lost. `lab reset` brings the morning back."
            )
    return None


def harmed_policy(cluster: Any, nodes: Any, params: Any) -> str | None:
    found = cluster.find("NetworkPolicy", POLICY, namespace=params.namespace)
    if found is None:
        return (
            f"NetworkPolicy {POLICY} of namespace {params.namespace} is gone. It belongs to the security team, and it was not in the way."
        )
    spec = found["spec"]
    chosen = spec.get("podSelector") or {}
    wanted = chosen.get("matchLabels") or {}
    kinds = spec.get("policyTypes") or ["Ingress"]
    if "Ingress" not in kinds or spec.get("ingress") or chosen.get("matchExpressions") or not wanted.items() <= VAULT.items():
        return f"NetworkPolicy {POLICY} of namespace {params.namespace} does not keep out any more whom it kept out, and it was not in the way."
    return None


def harmed_firewall(cluster: Any, nodes: Any, params: Any) -> str | None:
    rules = nodes["server"].fact("firewall")
    if not turns_away(rules["loaded"], TELNET):
        return (
            f"The security team's rule about port {TELNET} is not in the firewall any more. One rule was in the way, and that was another."
        )
    if not turns_away(rules["saved"], TELNET):
        return f"The security team's rule about port {TELNET} is gone as soon as the machine is started again: it is not in what house-firewall loads."
    return None


LOST: dict[str, Cheat] = {"another cluster": another_cluster, "another namespace": another_namespace}
HARMED: dict[str, Cheat] = {"a policy less": harmed_policy, "a firewall without its rule": harmed_firewall}
HOST_NETWORK, LONE = "a pod on the machine's own network", "a pod that nobody makes again"
BY_HAND = "an address that was written down"


def only_if(cheats: dict[str, Cheat], cluster: Any, nodes: Any, params: Any) -> None:
    """Fail for the first of these that was done."""
    for done, cheat in cheats.items():
        if sentence := cheat(cluster, nodes, params):
            fail(sentence, expected=SAME, actual=done)


def blamed(failure: Any, done: str) -> str | None:
    """What was done to the site, where that is why a check failed."""
    return failure.message if (failure.expected, failure.actual) == (SAME, done) else None


def reinstalled(failure: Any) -> str | None:
    return blamed(failure, "another cluster")


def namespace_recreated(failure: Any) -> str | None:
    return blamed(failure, "another namespace")


def policy_deleted(failure: Any) -> str | None:
    return blamed(failure, "a policy less")


def firewall_flushed(failure: Any) -> str | None:
    return blamed(failure, "a firewall without its rule")


def host_network(failure: Any) -> str | None:
    return blamed(failure, HOST_NETWORK)


def lone_pod(failure: Any) -> str | None:
    return blamed(failure, LONE)


def address_by_hand(failure: Any) -> str | None:
    return blamed(failure, BY_HAND)


for _task in ("node", "image", "selector", "quota", "key", "door", "storage", "names", "access", "wall", "clock", "disk"):
    for _named in (reinstalled, namespace_recreated, policy_deleted, firewall_flushed, host_network, lone_pod, address_by_hand):
        diagnose(f"16.{_task}", _named.__name__.replace("_", "-"))(_named)


# Pages ----------------------------------------------------------------------------------------------------------------------


def namespace_of(app: str, params: Any) -> str:
    """Where an application is at home."""
    return params.back if app == "orders" else params.namespace


def path_of(app: str) -> str:
    """Where customers ask for it."""
    return "/" if app == "shop" else f"/{app}"


def ask(lab: Any, params: Any, app: str, *, scheme: str = "http") -> Obj:
    """Ask for an application's page as a customer does."""
    answer = lab.http(f"{scheme}://server{path_of(app)}", host=params.host)
    return {"status": answer["status"], "body": answer["body"][:500], "error": answer["error"]}


def said(answer: Obj) -> str:
    """What came back, in a few words."""
    if not answer["status"]:
        return answer["error"] or "no answer"
    first = next(iter(answer["body"].splitlines()), "").strip()
    return f"{answer['status']}, {first[:60]!r}" if first else str(answer["status"])


def backends_of(ingress: Obj) -> list[Obj]:
    """Where an Ingress sends what, path by path."""
    return [path for rule in ingress["spec"].get("rules") or [] for path in (rule.get("http") or {}).get("paths") or []]


def leads_to(ingress: Obj, app: str, params: Any) -> list[str]:
    """The Services to which an Ingress sends what is asked for at an application's path."""
    rules = [rule for rule in ingress["spec"].get("rules") or [] if rule.get("host") in (params.host, None, "")]
    paths = [path for rule in rules for path in (rule.get("http") or {}).get("paths") or []]
    hits = [path for path in paths if (path.get("path") or "/").rstrip("/") == path_of(app).rstrip("/")]
    return [path["backend"]["service"]["name"] for path in hits if path["backend"].get("service")]


def services_of(cluster: Any, app: str, params: Any) -> list[Obj]:
    """The Services behind an application's path."""
    found = [
        cluster.find("Service", name, namespace=ingress["metadata"]["namespace"])
        for ingress in cluster.list("Ingress")
        for name in leads_to(ingress, app, params)
    ]
    return [one for one in found if one]


def pods_behind(cluster: Any, app: str, params: Any) -> list[Obj]:
    """The pods that answer at an application's path."""
    places = [
        (one["pod"], service["metadata"]["namespace"])
        for service in services_of(cluster, app, params)
        for one in cluster.endpoints_of(service)
    ]
    found = [cluster.find("Pod", name, namespace=namespace) for name, namespace in dict.fromkeys(places) if name]
    return [one for one in found if one]


def on_host_network(cluster: Any, params: Any, app: str) -> str | None:
    for pod in pods_behind(cluster, app, params):
        ports = [port for container in pod["spec"]["containers"] for port in container.get("ports") or []]
        if pod["spec"].get("hostNetwork") or any(port.get("hostPort") for port in ports):
            return (
                f"Pod {pod['metadata']['name']} uses the machine's own network: that goes around what was broken, and around what protects."
            )
    return None


def alone(cluster: Any, params: Any, app: str) -> str | None:
    pods = pods_behind(cluster, app, params)
    if not pods or any(owner.get("controller") for pod in pods for owner in pod["metadata"].get("ownerReferences") or []):
        return None
    name = pods[0]["metadata"]["name"]
    return f"The page opens for as long as pod {name} lives: it belongs to no Deployment any more, and nobody makes it again."


def by_hand(cluster: Any, params: Any, app: str) -> str | None:
    reached = [(service, one) for service in services_of(cluster, app, params) for one in cluster.endpoints_of(service)]
    if not reached or any(one["pod"] for _, one in reached):
        return None
    service, one = reached[0]
    return (
        f"Service {service['metadata']['name']} leads to {one['ip']}, which somebody has written down: a pod that is made anew has another "
        "address."
    )


def about(cluster: Any, app: str, params: Any) -> list[Obj]:
    """What stands between a customer and an application, as far as it is there."""
    namespace = namespace_of(app, params)
    # An Ingress that leads to others, too, would tell of theirs.
    ways = [one for one in cluster.list("Ingress") if leads_to(one, app, params) and len(backends_of(one)) == 1]
    named = [cluster.find(kind, app, namespace=namespace) for kind in ("Deployment", "Service")]
    return [*(one for one in named if one), *services_of(cluster, app, params), *ways]


def opens(cluster: Any, nodes: Any, params: Any, answer: Obj, app: str, *, untouched: bool) -> None:
    """Fail unless the page came from its application, in the site of the evening before. `untouched`: it is as the night left it."""
    only_if(LOST, cluster, nodes, params)
    pods_behind(cluster, app, params)  # what changes with them is met by a request a moment later
    greeting = f"{app.capitalize()} of the {params.namespace}"
    if answer["status"] != 200 or answer["body"].splitlines()[:1] != [greeting]:
        fail(
            f"http://{params.host}{path_of(app)} {'shows something else' if answer['status'] == 200 else 'does not open'}",
            expected=f"200, {greeting!r}",
            actual=said(answer),
            about=about(cluster, app, params),
            next=f"kubectl get pods,services,ingress --namespace={namespace_of(app, params)}",
            explain=not untouched,
        )
    only_if(HARMED, cluster, nodes, params)
    for done, around in {HOST_NETWORK: on_host_network, LONE: alone, BY_HAND: by_hand}.items():
        if sentence := around(cluster, params, app):
            fail(sentence, expected=SAME, actual=done, about=about(cluster, app, params))


def template_of(cluster: Any, app: str, params: Any) -> Obj:
    """The pods' part of an application's Deployment; empty if there is none."""
    found = cluster.find("Deployment", app, namespace=namespace_of(app, params))
    return found["spec"]["template"]["spec"] if found else {"containers": []}


# 16.node --------------------------------------------------------------------------------------------------------------------


@probe("16.offers", effect="observe", deadline_s=8)
def ask_offers(lab: Any, params: Any) -> Obj:
    return ask(lab, params, "offers")


def keeps_pods_away(found: Obj) -> list[str]:
    """The node's own taints that keep new pods away; a cordon is told apart."""
    taints = found["spec"].get("taints") or []
    own = [one for one in taints if not one["key"].startswith("node.kubernetes.io/") and one["effect"] != "PreferNoSchedule"]
    return [f"{one['key']}={one['value']}:{one['effect']}" if one.get("value") else f"{one['key']}:{one['effect']}" for one in own]


@check("16.node", reads=READS, probes=["16.offers"])
def node(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    found = cluster.get("Node", "server")
    cordoned, taints = bool(found["spec"].get("unschedulable")), keeps_pods_away(found)
    opens(cluster, nodes, params, probes["16.offers"], "offers", untouched=cordoned and bool(taints))
    if cordoned or taints:
        fail(
            "The page opens, and the next pod will not find a place",
            expected="a node that takes pods",
            actual="unschedulable" if cordoned else f"taint {', '.join(taints)}",
            path="spec",
            about=found,
            next="kubectl describe node server",
        )


@diagnose("16.node", "still-cordoned")
def still_cordoned(cluster: Any) -> str | None:
    found = cluster.get("Node", "server")
    return "The node is cordoned: nothing new is placed on it." if found["spec"].get("unschedulable") else None


@diagnose("16.node", "still-tainted")
def still_tainted(cluster: Any) -> str | None:
    taints = keeps_pods_away(cluster.get("Node", "server"))
    return f"The node is not cordoned any more, and its taint {', '.join(taints)} still keeps pods away." if taints else None


# 16.image -------------------------------------------------------------------------------------------------------------------


@probe("16.shop", effect="observe", deadline_s=8)
def ask_shop(lab: Any, params: Any) -> Obj:
    return ask(lab, params, "shop")


@check("16.image", reads=READS, probes=["16.shop"])
def image(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    images = [one.get("image") for one in template_of(cluster, "shop", params)["containers"]]
    opens(cluster, nodes, params, probes["16.shop"], "shop", untouched=NIGHT["image"] in images)


# 16.selector ----------------------------------------------------------------------------------------------------------------


@probe("16.cart", effect="observe", deadline_s=8)
def ask_cart(lab: Any, params: Any) -> Obj:
    return ask(lab, params, "cart")


@check("16.selector", reads=READS, probes=["16.cart"])
def selector(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    service = cluster.find("Service", "cart", namespace=params.namespace)
    untouched = bool(service) and service["spec"].get("selector") == NIGHT["selector"] and not cluster.pods_of(service)
    opens(cluster, nodes, params, probes["16.cart"], "cart", untouched=untouched)


@diagnose("16.selector", "selector-matches-no-pod")
def selector_matches_no_pod(cluster: Any, params: Any) -> str | None:
    service = cluster.get("Service", "cart", namespace=params.namespace)
    chosen = service["spec"].get("selector") or {}
    if not chosen or cluster.pods_of(service):
        return None
    wanted = ",".join(f"{key}={value}" for key, value in chosen.items())
    return f"Service cart leads to pods with {wanted}, and no pod has that."


# 16.quota -------------------------------------------------------------------------------------------------------------------


@probe("16.orders", effect="observe", deadline_s=8)
def ask_orders(lab: Any, params: Any) -> Obj:
    return ask(lab, params, "orders")


def budgets(cluster: Any, params: Any) -> list[Obj]:
    """The quotas that limit the back office's memory."""
    quotas = cluster.list("ResourceQuota", namespace=params.back)
    return [one for one in quotas if any(key in (one["spec"].get("hard") or {}) for key in MEMORY)]


def asked_for(cluster: Any, params: Any, part: str) -> Decimal:
    """How much memory the back office's pods ask for; `part`: requests or limits."""
    pods = [pod for pod in cluster.list("Pod", namespace=params.back) if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")]
    resources = [one.get("resources") or {} for pod in pods for one in pod["spec"]["containers"]]
    asked = (parse_quantity((one.get(part) or {}).get("memory")) for one in resources)
    return sum(filter(None, asked), Decimal(0))


def too_small(cluster: Any, params: Any) -> Obj | None:
    """A budget into which the pods that are there would not fit again: a quota counts only what comes after it."""
    for one in budgets(cluster, params):
        for key in MEMORY:
            room = parse_quantity(one["spec"]["hard"].get(key))
            if room is not None and room < asked_for(cluster, params, "limits" if key == "limits.memory" else "requests"):
                return one
    return None


@check("16.quota", reads=[*READS, "ResourceQuota"], probes=["16.orders"])
def quota(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    found = budgets(cluster, params)
    requests = [(one.get("resources") or {}).get("requests") for one in template_of(cluster, "orders", params)["containers"]]
    as_it_was = [one["spec"]["hard"] for one in found] == [{MEMORY[0]: NIGHT["budget"]}] and requests == [{"cpu": "10m", "memory": "16Mi"}]
    opens(cluster, nodes, params, probes["16.orders"], "orders", untouched=as_it_was)
    if not found:
        fail(
            f"The page opens, and the back office has no budget any more: no ResourceQuota of namespace {params.back} limits its memory",
            expected="a ResourceQuota that limits memory, with room for the pod",
            actual="no ResourceQuota" if not cluster.list("ResourceQuota", namespace=params.back) else "none that is about memory",
            next=f"kubectl describe quota --namespace={params.back}",
        )
    if small := too_small(cluster, params):
        fail(
            f"The page opens, and the next pod will not: the pods are over the budget, ResourceQuota {small['metadata']['name']}",
            expected="a ResourceQuota that limits memory, with room for the pod",
            actual=", ".join(f"{key} {value}" for key, value in small["spec"]["hard"].items()),
            path="spec.hard",
            about=small,
            next=f"kubectl describe quota --namespace={params.back}",
        )


@diagnose("16.quota", "budget-too-small")
def budget_too_small(cluster: Any, probes: Any, params: Any) -> str | None:
    if probes["16.orders"]["status"] != 200 or not too_small(cluster, params):
        return None
    return "The pod was there before the budget, which would not let it in. A quota counts only what comes after it, so this lasts until the pod is made anew."


@diagnose("16.quota", "budget-deleted")
def budget_deleted(cluster: Any, probes: Any, params: Any) -> str | None:
    if budgets(cluster, params) or probes["16.orders"]["status"] != 200:
        return None
    return f"The page opens, and the budget is gone. It may be raised, and there must be one: a ResourceQuota for memory in namespace {params.back}."


@diagnose("16.quota", "over-budget")
def over_budget(cluster: Any, params: Any) -> str | None:
    if cluster.pods_of(cluster.get("Deployment", "orders", namespace=params.back)):
        return None
    for replicas in cluster.list("ReplicaSet", namespace=params.back):
        newest = next((one.get("message", "") for one in cluster.events_of(replicas) if one.get("reason") == "FailedCreate"), "")
        if replicas["spec"].get("replicas") and "exceeded quota" in newest:
            hard = {key: value for one in budgets(cluster, params) for key, value in one["spec"]["hard"].items()}
            allowed = ", ".join(f"{key} {value}" for key, value in hard.items())
            return f"When a pod was asked for last, it was over the budget, which is {allowed or 'gone'} now. The ReplicaSet tries again by itself, less and less often."
    return None


# 16.key ---------------------------------------------------------------------------------------------------------------------


@probe("16.account", effect="observe", deadline_s=8)
def ask_account(lab: Any, cluster: Any, params: Any) -> Obj:
    """The account's page, and whether a pod behind it was started with another password than the renewed one."""
    pods = [pod["metadata"]["name"] for pod in pods_behind(cluster, "account", params)]
    done = lab.run("server", ["/usr/bin/python3", "-I", "-c", READ_KEYS, *pods], timeout_s=3)
    return {**ask(lab, params, "account"), "outdated": any(key != params.password for key in json.loads(done.text or "[]"))}


def references(cluster: Any, params: Any) -> list[tuple[str, str]]:
    """The Secrets and keys that the account's containers ask for, one by one."""
    return asked_by(template_of(cluster, "account", params))


def asked_by(spec: Obj) -> list[tuple[str, str]]:
    """The Secrets and keys that a pod's containers ask for, one by one."""
    entries = [entry for container in spec["containers"] for entry in container.get("env") or []]
    found = [(entry.get("valueFrom") or {}).get("secretKeyRef") for entry in entries]
    return [(one["name"], one["key"]) for one in found if one]


def held(cluster: Any, params: Any, name: str) -> Obj:
    """What a Secret holds."""
    return (cluster.find("Secret", name, namespace=params.namespace) or {}).get("data") or {}


def uses_the_password(cluster: Any, params: Any) -> bool:
    """Whether a value that the account's pods take from a Secret is the renewed password, whatever they are called."""
    pods = [pod["spec"] for pod in pods_behind(cluster, "account", params)]
    return any(takes_the_password(cluster, params, spec) for spec in pods or [template_of(cluster, "account", params)])


def takes_the_password(cluster: Any, params: Any, spec: Obj) -> bool:
    values = [held(cluster, params, name).get(key) for name, key in asked_by(spec)]
    whole = [(group.get("secretRef") or {}).get("name") for one in spec["containers"] for group in one.get("envFrom") or []]
    whole += [(volume.get("secret") or {}).get("secretName") for volume in spec.get("volumes") or []]
    values += [value for name in filter(None, whole) for value in held(cluster, params, name).values()]
    return any(compare(params.password, value).equal for value in values if value)


@check("16.key", reads=[*READS, "Secret"], probes=["16.account"])
def key(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    asked = [entry.get("valueFrom") for one in template_of(cluster, "account", params)["containers"] for entry in one.get("env") or []]
    as_it_was = set(held(cluster, params, "account")) == {"databasekey"} and {"secretKeyRef": NIGHT_KEY} in asked
    opens(cluster, nodes, params, probes["16.account"], "account", untouched=as_it_was)
    if not uses_the_password(cluster, params):
        fail(
            "The page opens, and the database will not let it in: what the pod takes from a Secret is not the renewed password",
            expected="the password that was put into the Secret",
            actual="another value" if references(cluster, params) else "no value from a Secret",
            about=cluster.find("Deployment", "account", namespace=params.namespace),
            next=f"kubectl describe deployment account --namespace={params.namespace}",
        )
    if copies := copied_into(cluster, params):
        fail(
            "The page opens, and the password is written in more than one place",
            expected="the password in Secret account, and nowhere else",
            actual=f"it is in {', '.join(copies)}, too",
            next=f"kubectl get secrets --namespace={params.namespace}",
        )
    if probes["16.account"].get("outdated"):
        fail(
            "The page opens, and the database will not let it in: its pod has another password than the Secret",
            expected="a pod that was started with the renewed password",
            actual="one that was started with another value",
            next=f"kubectl get pods --namespace={params.namespace}",
        )


def copied_into(cluster: Any, params: Any) -> list[str]:
    """The other Secrets of the site that hold the renewed password, by their names."""
    others = [one for one in cluster.list("Secret", namespace=params.namespace) if one["metadata"]["name"] != "account"]
    return [
        one["metadata"]["name"]
        for one in others
        if any(compare(params.password, value).equal for value in (one.get("data") or {}).values())
    ]


@diagnose("16.key", "in-the-deployment")
def password_in_the_deployment(cluster: Any, params: Any) -> str | None:
    containers = template_of(cluster, "account", params)["containers"]
    entries = [one for container in containers for one in container.get("env") or [] if one.get("name") == "DATABASE_KEY"]
    if not entries or entries[-1].get("valueFrom"):
        return None
    return "The value of DATABASE_KEY stands in the Deployment, where everybody reads it who may see Deployments. It belongs into the Secret alone."


@diagnose("16.key", "key-missing")
def key_missing(cluster: Any, params: Any) -> str | None:
    for name, wanted in references(cluster, params):
        if cluster.find("Secret", name, namespace=params.namespace) is None:
            return f"The container asks for key {wanted} of Secret {name}, and there is no Secret of this name."
        there = held(cluster, params, name)
        if wanted not in there:
            return f"The container asks for key {wanted} of Secret {name}. Its keys are: {', '.join(there) or 'none'}."
    return None


@diagnose("16.key", "other-password")
def other_password(cluster: Any, params: Any) -> str | None:
    if not references(cluster, params) or uses_the_password(cluster, params):
        return None
    values = [held(cluster, params, name).get(wanted) for name, wanted in references(cluster, params)]
    notes = [note for value in values if value and (note := compare(params.password, value).note)]
    return f"The container gets a value, and not the one that security has put into the Secret{f': {notes[0]}' if notes else ''}."


@diagnose("16.key", "copied")
def password_copied(cluster: Any, params: Any) -> str | None:
    copies = copied_into(cluster, params)
    if not copies or not uses_the_password(cluster, params):
        return None
    return f"Secret {copies[0]} holds the password, too. Security renews the one in Secret account, and knows of no other."


@diagnose("16.key", "not-made-anew")
def pod_not_made_anew(cluster: Any, probes: Any, params: Any) -> str | None:
    if not probes["16.account"].get("outdated") or not uses_the_password(cluster, params):
        return None
    return "The Secret has the right value, and the pod was started before that. A container reads such a variable when it starts, and keeps it until it is made anew."


# 16.door --------------------------------------------------------------------------------------------------------------------


@probe("16.press", effect="observe", deadline_s=8)
def ask_press(lab: Any, params: Any) -> Obj:
    return ask(lab, params, "press")


def unknown_classes(cluster: Any, params: Any) -> list[tuple[str, str]]:
    """The Ingresses of the press page whose class nobody looks after, and that class."""
    known = [one["metadata"]["name"] for one in cluster.list("IngressClass")]
    ways = [one for one in cluster.list("Ingress", namespace=params.namespace) if leads_to(one, "press", params)]
    named = [(one["metadata"]["name"], one["spec"].get("ingressClassName") or "") for one in ways]
    return [(name, wanted) for name, wanted in named if wanted and wanted not in known]


@check("16.door", reads=[*READS, "IngressClass"], probes=["16.press"])
def door(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    as_it_was = unknown_classes(cluster, params) == [("press", NIGHT["class"])]
    opens(cluster, nodes, params, probes["16.press"], "press", untouched=as_it_was)


@diagnose("16.door", "class-unknown")
def class_unknown(cluster: Any, params: Any) -> str | None:
    known = ", ".join(one["metadata"]["name"] for one in cluster.list("IngressClass"))
    for name, wanted in unknown_classes(cluster, params):
        return f"Ingress {name} names class {wanted}, and nobody here looks after that. There is: {known or 'none'}."
    return None


# 16.storage -----------------------------------------------------------------------------------------------------------------


@probe("16.guestbook", effect="observe", deadline_s=8)
def ask_guestbook(lab: Any, params: Any) -> Obj:
    return ask(lab, params, "guestbook")


def claims(cluster: Any, params: Any) -> list[str]:
    """The claims that the guest book mounts."""
    volumes = template_of(cluster, "guestbook", params).get("volumes") or []
    return [one["persistentVolumeClaim"]["claimName"] for one in volumes if one.get("persistentVolumeClaim")]


def classes(cluster: Any) -> list[str]:
    return [one["metadata"]["name"] for one in cluster.list("StorageClass")]


def keeps_something(spec: Obj) -> bool:
    """Whether a pod mounts a volume that outlives it."""
    mounted = {mount["name"] for container in spec["containers"] for mount in container.get("volumeMounts") or []}
    volumes = [one for one in spec.get("volumes") or [] if one["name"] in mounted]
    return any(key not in (*KEEPS_NOTHING, "name") for one in volumes for key in one)


@check("16.storage", reads=[*READS, "PersistentVolumeClaim", "PersistentVolume", "StorageClass"], probes=["16.guestbook"])
def storage(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    found = [cluster.find("PersistentVolumeClaim", name, namespace=params.namespace) for name in claims(cluster, params)]
    asked = [one["spec"].get("storageClassName") if one else "" for one in found]
    as_it_was = asked == [NIGHT["storage"]] and NIGHT["storage"] not in classes(cluster) and found[0]["status"].get("phase") != "Bound"
    opens(cluster, nodes, params, probes["16.guestbook"], "guestbook", untouched=as_it_was)
    pods = pods_behind(cluster, "guestbook", params)
    if pods and not any(keeps_something(pod["spec"]) for pod in pods):
        fail(
            "The page opens, and what people write is gone with the pod",
            expected="a volume that outlives the pod",
            actual="a volume that ends with the pod, or none",
            path="spec.template.spec.volumes",
            next=f"kubectl describe deployment guestbook --namespace={params.namespace}",
        )


@diagnose("16.storage", "kept-nowhere")
def kept_nowhere(cluster: Any, params: Any) -> str | None:
    if keeps_something(template_of(cluster, "guestbook", params)):
        return None
    return "The guest book has no volume any more that outlives its pod: what people write is gone when the pod is made anew."


@diagnose("16.storage", "claim-missing")
def claim_missing(cluster: Any, params: Any) -> str | None:
    for name in claims(cluster, params):
        if cluster.find("PersistentVolumeClaim", name, namespace=params.namespace) is None:
            return f"The pod mounts PersistentVolumeClaim {name}, and there is none of this name."
    return None


@diagnose("16.storage", "no-such-class")
def no_such_class(cluster: Any, params: Any) -> str | None:
    for name in claims(cluster, params):
        claim = cluster.get("PersistentVolumeClaim", name, namespace=params.namespace)
        wanted = claim["spec"].get("storageClassName") or ""
        if claim.get("status", {}).get("phase") != "Bound" and wanted not in classes(cluster):
            asks = f"for class {wanted}" if wanted else "for a volume without a class"
            return f"The claim {name} asks {asks}, and nobody makes one. The classes here are: {', '.join(classes(cluster)) or 'none'}."
    return None


# 16.names -------------------------------------------------------------------------------------------------------------------


def addresses(services: list[Obj], params: Any) -> dict[str, str]:
    """The names of the site's Services, and of the API server's, with their addresses."""
    mine = [one for one in services if one["metadata"]["namespace"] in (params.namespace, params.back)]
    api = [one for one in services if (one["metadata"]["namespace"], one["metadata"]["name"]) == ("default", "kubernetes")]
    found = {
        f"{one['metadata']['name']}.{one['metadata']['namespace']}.svc.cluster.local": one["spec"].get("clusterIP", "")
        for one in [*api, *mine][:NAMES_AT_MOST]
    }
    return {name: address for name, address in found.items() if address not in ("", "None")}


@probe("16.names", effect="observe", deadline_s=8)
def ask_for_names(lab: Any, cluster: Any, params: Any) -> Obj:
    """Ask the cluster's name server for the site's names, from the machine, which reaches it as pods do."""
    dns = cluster.find("Service", "kube-dns", namespace="kube-system")
    server = (dns or {}).get("spec", {}).get("clusterIP", "")
    if not server:
        return {"answers": {}, "error": "there is no name server: Service kube-dns of namespace kube-system"}
    names = addresses(cluster.list("Service"), params)
    done = lab.run("server", ["/usr/bin/python3", "-I", "-c", ASK_NAMES, server, *names], timeout_s=6)
    answers = {name: found for name, *found in (line.split() for line in done.text.splitlines())}
    return {"answers": answers, "error": "" if len(answers) == len(names) else f"the name server at {server} does not answer"}


def says_no(seen: Obj) -> bool:
    """Whether the name server said of one of the names that it does not exist."""
    return any(code == "3" for code, *_ in seen["answers"].values())


def started(pod: Obj) -> float:
    """When a pod was started, Unix seconds; 0 if it was not."""
    at = pod.get("status", {}).get("startTime")
    return datetime.fromisoformat(at).timestamp() if at else 0.0


def denied(cluster: Any, params: Any) -> str:
    """The file of coredns-custom that says that the site's names do not exist; "" if none does."""
    custom = cluster.find("ConfigMap", CUSTOM, namespace="kube-system")
    for file, text in ((custom or {}).get("data") or {}).items():
        if not isinstance(text, str):  # under a name that says secret
            continue
        lines = [line.strip() for line in text.splitlines() if not line.strip().startswith("#")]
        zone = any(f"{params.namespace}.svc" in line for line in lines)
        if file.endswith(READ_BY_COREDNS) and zone and any("NXDOMAIN" in line for line in lines):
            return file
    return ""


@check("16.names", reads=[*READS, "ConfigMap"], probes=["16.names"])
def names(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    only_if(LOST, cluster, nodes, params)
    seen, wanted = probes["16.names"], addresses(cluster.list("Service"), params)
    custom = cluster.find("ConfigMap", CUSTOM, namespace="kube-system")
    as_it_was = denied(cluster, params) == "old-zone.override" and "ANY ANY" in custom["data"]["old-zone.override"]
    coredns = cluster.find("Deployment", "coredns", namespace="kube-system")
    if says_no(seen) and not denied(cluster, params):
        nodes["server"].settling("CoreDNS has not read yet that its configuration was changed")
    if seen["error"] and coredns and any(nodes["server"].time - started(pod) < STARTING_S for pod in cluster.pods_of(coredns)):
        nodes["server"].settling("CoreDNS has just started, and questions do not reach it yet")
    for name, address in wanted.items():
        code, *found = seen["answers"].get(name) or [""]
        if address not in found and (code or seen["error"]):
            fail(
                f"{name} does not lead to its Service",
                expected=address,
                actual=", ".join(found) or CODES.get(code, code and f"code {code}") or seen["error"],
                about=[one for one in (coredns, cluster.find("Service", "kube-dns", namespace="kube-system")) if one],
                next="kubectl logs deployment/coredns --namespace=kube-system",
                explain=not as_it_was,
            )
    only_if(HARMED, cluster, nodes, params)
    if denied(cluster, params) and not reads_custom(cluster):
        fail(
            "The names are found, and K3s brings back what was changed for that",
            expected=f"what ConfigMap {CUSTOM} says changed",
            actual=f"CoreDNS does not read {CUSTOM} any more",
            next="kubectl get configmaps --namespace=kube-system",
        )


def reads_custom(cluster: Any) -> bool:
    """Whether CoreDNS's own configuration still imports the house's, and its pods still have that."""
    own = cluster.find("ConfigMap", "coredns", namespace="kube-system")
    running = cluster.find("Deployment", "coredns", namespace="kube-system")
    volumes = running["spec"]["template"]["spec"].get("volumes") or [] if running else [{"configMap": {"name": CUSTOM}}]
    mounted = any((one.get("configMap") or {}).get("name") == CUSTOM for one in volumes)
    return mounted and (own is None or IMPORT.search(str((own.get("data") or {}).get("Corefile"))) is not None)


@diagnose("16.names", "corefile-edited")
def corefile_edited(cluster: Any, params: Any) -> str | None:
    # https://github.com/k3s-io/k3s/issues/13210
    if not denied(cluster, params) or reads_custom(cluster):
        return None
    return f"CoreDNS and its ConfigMap coredns are K3s's, which writes them anew; what denies the names is still in {CUSTOM}, which is the house's own."


@diagnose("16.names", "zone-remains")
def zone_remains(cluster: Any, probes: Any, params: Any) -> str | None:
    file = says_no(probes["16.names"]) and denied(cluster, params)
    return f"ConfigMap {CUSTOM}, {file}: names below {params.namespace}.svc.cluster.local do not exist, it says." if file else None


@diagnose("16.names", "not-read")
def not_read(probes: Any) -> str | None:
    if not says_no(probes["16.names"]):
        return None
    return "Nothing says any more that the name does not exist, and CoreDNS has not read that yet. It looks now and then, which takes up to two minutes, or when its pod starts."


# 16.access ------------------------------------------------------------------------------------------------------------------


@probe("16.access", effect="observe", deadline_s=10)
def use_kubeconfig(lab: Any, params: Any) -> Obj:
    """Use Dana's kubeconfig as she does, and see whether it has the server's certificate verified."""
    kubectl = ["/usr/local/bin/kubectl", f"--kubeconfig={KUBECONFIG}"]
    done = lab.run(
        "server", [*kubectl, "--request-timeout=3s", "get", "pods", f"--namespace={params.namespace}"], timeout_s=6, user="student"
    )
    flag = "jsonpath={.clusters[0].cluster.insecure-skip-tls-verify}"
    seen = lab.run("server", [*kubectl, "config", "view", "--minify", f"--output={flag}"], timeout_s=3, user="student")
    error = next(iter(done.error_text.splitlines()[-1:]), "")[:300]
    return {"code": done.code, "error": error, "insecure": seen.text.strip() == "true"}


@check("16.access", reads=READS, probes=["16.access"])
def access(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    only_if(LOST, cluster, nodes, params)
    seen, look = probes["16.access"], f"kubectl config view --kubeconfig={KUBECONFIG}"
    if seen["code"]:
        fail(
            "Dana's kubectl does not work",
            expected="the pods of the site",
            actual=seen["error"] or f"exit code {seen['code']}",
            path=KUBECONFIG,
            next=look,
            explain=NIGHT["port"] not in seen["error"],
        )
    if seen["insecure"]:
        fail(
            "Dana's kubectl works, and does not verify who answers", expected="a server whose certificate is verified",
            actual="insecure-skip-tls-verify: true", path=KUBECONFIG, next=look,
        )  # fmt: skip
    only_if(HARMED, cluster, nodes, params)


@diagnose("16.access", "not-verified")
def not_verified(probes: Any) -> str | None:
    if probes["16.access"]["code"] or not probes["16.access"]["insecure"]:
        return None
    return "It works because insecure-skip-tls-verify believes whoever answers: Dana would give her key to a stranger, too."


@diagnose("16.access", "no-file")
def no_kubeconfig(probes: Any) -> str | None:
    error = probes["16.access"]["error"]
    gone = "no such file" in error or "does not exist" in error
    return "dana.kubeconfig is not in the student's home folder any more." if gone else None


@diagnose("16.access", "not-readable")
def not_readable(probes: Any) -> str | None:
    denied = "permission denied" in probes["16.access"]["error"]
    return "dana.kubeconfig belongs to somebody else now: user student may not read it." if denied else None


@diagnose("16.access", "refused")
def wrong_address(probes: Any) -> str | None:
    error = probes["16.access"]["error"]
    if "localhost:8080" in error:
        return "The file names no server any more for the context that it uses, so kubectl asks localhost:8080."
    return "Nobody listens where that file sends her: the address or the port of the API server." if "refused" in error else None


@diagnose("16.access", "not-trusted")
def not_trusted(probes: Any) -> str | None:
    error = probes["16.access"]["error"]
    if "x509" in error:
        return "The server's certificate is not for the address that the file names, or is not by the authority that the file knows."
    if "HTTP" in error or "server was unable" in error:
        return "The API server speaks https only, and what the file's server begins with is something else."
    return None


@diagnose("16.access", "not-let-in")
def not_let_in(probes: Any) -> str | None:
    error = probes["16.access"]["error"]
    return (
        "The server does not know who she is: the file's user has lost its certificate."
        if "logged in" in error or "Unauthorized" in error
        else None
    )


# 16.wall --------------------------------------------------------------------------------------------------------------------


@probe("16.secure", effect="observe", deadline_s=8)
def ask_securely(lab: Any, params: Any) -> Obj:
    return ask(lab, params, "shop", scheme="https")


@check("16.wall", reads=READS, probes=["16.secure"])
def wall(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    only_if(LOST, cluster, nodes, params)
    answer, rules = probes["16.secure"], nodes["server"].fact("firewall")
    loaded, saved = turns_away(rules["loaded"], HTTPS), turns_away(rules["saved"], HTTPS)
    if not answer["status"]:  # what is behind the door is another ticket
        fail(
            f"https://{params.host}/ cannot be reached from outside",
            expected=f"an answer on port {HTTPS}",
            actual=answer["error"] or "no answer",
            next=f"from your own computer: curl --insecure --max-time 5 --resolve {params.host}:{HTTPS}:{nodes['server'].address} https://{params.host}/",
            explain=not (loaded and saved),
        )
    only_if(HARMED, cluster, nodes, params)
    if saved and not loaded:
        fail(
            "It can be reached until the machine is started again", expected=f"no rule that turns away port {HTTPS}", actual=f"a rule about port {HTTPS}",
            path=HOUSE_FILE, next=f"sudo cat {HOUSE_FILE}",
        )  # fmt: skip


@diagnose("16.wall", "comes-back")
def comes_back(nodes: Any) -> str | None:
    rules = nodes["server"].fact("firewall")
    if turns_away(rules["loaded"], HTTPS) or not turns_away(rules["saved"], HTTPS):
        return None
    return f"Port {HTTPS} is open until the machine is started again: {HOUSE_FILE} has the rule still, and house-firewall loads that."


@diagnose("16.wall", "rule-remains")
def rule_remains(nodes: Any) -> str | None:
    if not turns_away(nodes["server"].fact("firewall")["loaded"], HTTPS):
        return None
    return f"A rule of the firewall still turns away what comes for port {HTTPS}. A changed file counts once it is loaded."


# What only a virtual machine can have ---------------------------------------------------------------------------------------


@fact("clock", on="server")
def clock_of(host: Any) -> str:
    return host.run("timeout 3 timedatectl show --property=NTP --property=NTPSynchronized").stdout


@check("16.clock", reads=READS)
def clock(cluster: Any, nodes: Any, params: Any) -> None:
    only_if(LOST, cluster, nodes, params)
    told = nodes["server"].fact("clock").split()
    if "NTPSynchronized=yes" not in told:
        fail(
            "The machine's clock is not right",
            expected="NTPSynchronized=yes",
            actual=" ".join(told),
            next="timedatectl",
            explain="NTP=yes" in told,
        )
    only_if(HARMED, cluster, nodes, params)


@diagnose("16.clock", "not-synchronised")
def not_synchronised(nodes: Any) -> str | None:
    return "The machine asks for the time again, and has not been told yet." if "NTP=yes" in nodes["server"].fact("clock").split() else None


@check("16.disk", reads=READS)
def disk(cluster: Any, nodes: Any, params: Any) -> None:
    only_if(LOST, cluster, nodes, params)
    found = cluster.get("Node", "server")
    pressure = [one for one in found["status"].get("conditions") or [] if one["type"] == "DiskPressure" and one["status"] == "True"]
    if pressure:
        fail(
            "The machine has no room for pods: what was thrown out says why",
            expected="DiskPressure False", actual="True", about=found, next="kubectl describe node server",
        )  # fmt: skip
    only_if(HARMED, cluster, nodes, params)
