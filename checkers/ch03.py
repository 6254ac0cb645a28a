"""Chapter 03, Services and Ingress: who reaches the shop, from inside, from outside, by host name, by path, with which certificate."""

from __future__ import annotations

import secrets
from typing import Any

from courselab.grade import ANY, check, diagnose, expect, fail, probe

INSIDE_PORT = 80
CLASS = "traefik"
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
ROUTER = "traefik.ingress.kubernetes.io/router"
REDIRECTS = (301, 302, 303, 307, 308)
DEFAULT_CERTIFICATE = "TRAEFIK DEFAULT CERT"
TLS_KEYS = ("tls.crt", "tls.key")

Obj = dict[str, Any]


# Reading objects ------------------------------------------------------------------------------------------------------------


def selector_text(service: Obj) -> str:
    """A Service's selector as `kubectl -l` writes it."""
    return ",".join(f"{key}={value}" for key, value in (service["spec"].get("selector") or {}).items()) or "(none)"


def other_host(params: Any) -> str:
    """A host name that is nobody's, of the learner's own domain."""
    return f"somebody-else.{params.namespace}.example"


def port_of(service: Obj, number: int) -> Obj | None:
    """The entry of a Service's TCP ports with this number."""
    ports = service["spec"].get("ports") or []
    return next((port for port in ports if port.get("port") == number and port.get("protocol", "TCP") == "TCP"), None)


def ports_text(service: Obj) -> str:
    """A Service's ports in words: "80 to 8005"."""

    def words(port: Obj) -> str:
        protocol = port.get("protocol", "TCP")
        return f"{port.get('port')}{'' if protocol == 'TCP' else f' ({protocol})'} to {port.get('targetPort', port.get('port'))}"

    return ", ".join(map(words, service["spec"].get("ports") or [])) or "no port"


def names_of_pods(cluster: Any, deployment: str, params: Any) -> set[str]:
    """The names of a Deployment's pods, without those that are over."""
    pods = cluster.pods_of(cluster.get("Deployment", deployment, namespace=params.namespace))
    return {pod["metadata"]["name"] for pod in pods if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")}


def class_of(ingress: Obj) -> str:
    """The class that an Ingress names, in either of the two places."""
    annotations = ingress["metadata"].get("annotations") or {}
    return ingress["spec"].get("ingressClassName") or annotations.get(CLASS_ANNOTATION, "")


def paths_of(ingress: Obj, host: str) -> list[Obj]:
    """The paths of an Ingress that a request for this host may take."""
    rules = [rule for rule in ingress["spec"].get("rules") or [] if covers(rule.get("host") or host, host)]
    return [path for rule in rules for path in (rule.get("http") or {}).get("paths") or []]


def covers(name: str, host: str) -> bool:
    """Whether a certificate's name, or a rule's, is good for a host; a star stands for the first part."""
    name, host = name.lower(), host.lower()
    return name == host or (name.startswith("*.") and name[1:] == host[host.index(".") :])


def ways_of(ingress: Obj) -> list[tuple[str, str]]:
    """The hosts and paths that an Ingress leads somewhere; the host is "" for a rule without, and for a default backend: every host."""
    rules = ingress["spec"].get("rules") or []
    ways = [(rule.get("host", ""), path.get("path") or "/") for rule in rules for path in (rule.get("http") or {}).get("paths") or []]
    return [("", "/")] if ingress["spec"].get("defaultBackend") and not rules else ways  # beside rules Traefik does not look at it


def backend_of(path: Obj) -> tuple[str, Any]:
    """The Service that a path leads to, and the number or name of its port."""
    service = (path.get("backend") or {}).get("service") or {}
    port = service.get("port") or {}
    return service.get("name", ""), port.get("number", port.get("name"))


def ingresses(cluster: Any, params: Any, host: str = "") -> list[Obj]:
    """The Ingresses of the learner's namespace; with `host`, those with a rule for it."""
    found = cluster.list("Ingress", namespace=params.namespace)
    return [one for one in found if not host or paths_of(one, host)]


def fronts(cluster: Any, params: Any) -> list[Obj]:
    """The Ingresses of the learner's namespace that lead / of this host somewhere."""
    found = ingresses(cluster, params)
    return [one for one in found if any(path == "/" and covers(host or params.host, params.host) for host, path in ways_of(one))]


def leading(found: list[Obj], path: str) -> list[Obj]:
    """Those of the Ingresses that lead a path somewhere, for whichever host."""

    return [one for one in found if any(way.rstrip("/") == path.rstrip("/") for _, way in ways_of(one))]


def offers(service: Obj, port: Any) -> bool:
    """Whether a Service has a port of this number or name."""
    return any(port in (one.get("port"), one.get("name")) for one in service["spec"].get("ports") or [])


def said(answer: Obj) -> str:
    """What came back from a request, in a few words."""
    if not answer["status"]:
        return answer["error"] or "no answer"
    first = next(iter(answer["body"].splitlines()), "").strip()
    return f"{answer['status']}, {first[:60]!r}" if first else str(answer["status"])


def greets(answer: Obj, greeting: str, pods: set[str]) -> bool:
    """Whether an answer comes from one of these pods, with this greeting. The application names its pod below the greeting."""
    lines = answer["body"].splitlines()
    pod = next((line.partition(": ")[2] for line in lines if line.startswith("pod: ")), "")
    return answer["status"] == 200 and lines[:1] == [greeting] and pod in pods


def no_strangers(cluster: Any, service: Obj, deployment: str, params: Any) -> None:
    """Fail if a Service reaches pods that are not the Deployment's: then some requests are answered by others, and which ones is chance."""
    strangers = sorted({str(one["pod"] or one["ip"]) for one in cluster.endpoints_of(service)} - names_of_pods(cluster, deployment, params))
    if strangers:
        name = service["metadata"]["name"]
        fail(
            f"Service {name} leads to pod {strangers[0]}, which is not the {deployment}'s",
            expected=f"the pods of Deployment {deployment} and no others",
            actual=f"{', '.join(strangers)} among them",
            path="spec.selector",
            about=service,
            next="kubectl get pods --show-labels",
        )


def backends(cluster: Any, params: Any, *, below: str) -> list[Obj]:
    """The Services that a path of the learner's host leads to; `below`: "/" or "/cart"."""
    entries = [entry for one in ingresses(cluster, params, params.host) for entry in paths_of(one, params.host)]
    names = {backend_of(entry)[0] for entry in entries if (entry.get("path") or "/").rstrip("/") == below.rstrip("/")}
    found = (cluster.find("Service", name, namespace=params.namespace) for name in sorted(names))
    return [service for service in found if service]


def cluster_answers(nodes: Any, port: int) -> None:
    """Fail if a program of the machine itself listens on a port: nothing then tells whether it or the cluster answers.

    K3s's load balancer listens on no port: the kernel passes on what comes in. A program that only the machine itself reaches, as
    `kubectl port-forward`, answers nobody else.
    """
    here = [one.address for one in nodes["server"].ports if (one.port, one.protocol) == (port, "tcp")]
    others = [address for address in here if not address.startswith("127.") and address != "::1"]
    if others:
        fail(
            f"A program of the machine itself listens on port {port}",
            expected=f"port {port} to be the cluster's alone",
            actual=f"something listens on {', '.join(others)} port {port}",
            next=f"sudo ss -ltnp 'sport = :{port}'",
        )


# 03.service -----------------------------------------------------------------------------------------------------------------


@probe("03.inside", effect="observe", deadline_s=8)
def ask_inside(lab: Any, cluster: Any, params: Any) -> Obj:
    """Ask the Service's own address from the machine, which reaches it as pods do."""
    service = cluster.find("Service", "shop", namespace=params.namespace)
    address = (service or {}).get("spec", {}).get("clusterIP", "")
    if address in ("", "None"):
        return {"status": 0, "body": "", "error": "the Service has no address"}
    argv = [
        "/usr/bin/curl",
        "--disable",  # no .curlrc of the machine's users
        "--noproxy",
        "*",
        "--silent",
        "--show-error",
        "--max-time",
        "3",
        "--write-out",
        "\n%{http_code}",
        f"http://{address}:{INSIDE_PORT}/",
    ]
    done = lab.run("server", argv, timeout_s=5)
    body, _, status = done.text.rpartition("\n")
    error = done.error_text.rpartition(": ")[2] if done.code else ""
    return {"status": int(status) if status.isdigit() else 0, "body": body, "error": error}


@check("03.service", reads=["Service", "EndpointSlice", "Deployment", "Pod"], probes=["03.inside"])
def service(cluster: Any, probes: Any, params: Any) -> None:
    found = cluster.get("Service", "shop", namespace=params.namespace)
    look = "kubectl get endpointslices"
    own = port_of(found, INSIDE_PORT)
    if own is None:
        fail(
            f"Service shop has no port {INSIDE_PORT}",
            expected=f"port {INSIDE_PORT}",
            actual=ports_text(found),
            path="spec.ports[].port",
            about=found,
            next="kubectl describe service shop",
        )
    pods = names_of_pods(cluster, "shop", params)
    reached = [one for one in cluster.endpoints_of(found) if one["name"] == (own.get("name") or "")]
    no_strangers(cluster, found, "shop", params)
    right = {one["pod"] for one in reached if one["port"] == int(params.port)}
    if not pods or right != pods:
        actual = ", ".join(sorted(f"{one['ip']}:{one['port']}" for one in reached)) or "no endpoints"
        fail(
            f"Service shop leads to {len(right)} of the shop's {len(pods)} pods on port {params.port}",
            expected=f"{len(pods)} endpoints on port {params.port}",
            actual=actual,
            path="spec",
            about=found,
            next=look,
        )
    answer = probes["03.inside"]
    if not greets(answer, params.greeting, pods):
        fail(
            "The Service's own address does not answer with the shop's greeting",
            expected=f"200, {params.greeting!r}",
            actual=said(answer),
            about=found,
            next=look,
        )


@diagnose("03.service", "other-namespace")
def service_in_other_namespace(cluster: Any, params: Any) -> str | None:
    if cluster.find("Service", "shop", namespace=params.namespace):
        return None
    for found in cluster.list("Service"):
        if found["metadata"]["name"] == "shop":
            return (
                f"Service shop is in namespace {found['metadata']['namespace']}. A selector finds pods of the Service's own namespace "
                f"only, and the shop's are in {params.namespace}."
            )
    return None


@diagnose("03.service", "selector-matches-no-pod")
def selector_matches_no_pod(cluster: Any, params: Any) -> str | None:
    found = cluster.find("Service", "shop", namespace=params.namespace)
    if found is None or cluster.pods_of(found):
        return None
    pods = cluster.pods_of(cluster.get("Deployment", "shop", namespace=params.namespace))
    if not pods:
        return None
    labels = {key: value for key, value in (pods[0]["metadata"].get("labels") or {}).items() if key != "pod-template-hash"}
    has = ",".join(f"{key}={value}" for key, value in labels.items())
    return f"The selector {selector_text(found)} matches no pod. The shop's pods have the labels {has}."


@diagnose("03.service", "selector-too-wide")
def selector_too_wide(cluster: Any, params: Any) -> str | None:
    found = cluster.find("Service", "shop", namespace=params.namespace)
    pods = [pod["metadata"]["name"] for pod in cluster.pods_of(cluster.get("Deployment", "shop", namespace=params.namespace))]
    more = sorted({pod["metadata"]["name"] for pod in cluster.pods_of(found)}.difference(pods)) if found else []
    return f"The selector {selector_text(found)} matches pod {more[0]} as well, which is not the shop's." if more else None


@diagnose("03.service", "ports-swapped")
def service_ports_swapped(cluster: Any, params: Any) -> str | None:
    found = cluster.find("Service", "shop", namespace=params.namespace)
    own = port_of(found, int(params.port)) if found else None
    if own is None or own.get("targetPort") != INSIDE_PORT:
        return None
    return f"port and targetPort have changed places: {params.port} is the port of the pods, {INSIDE_PORT} is the Service's own."


@diagnose("03.service", "target-port")
def service_target_port(cluster: Any, params: Any) -> str | None:
    found = cluster.find("Service", "shop", namespace=params.namespace)
    own = port_of(found, INSIDE_PORT) if found else None
    target = own.get("targetPort", INSIDE_PORT) if own else None
    if target is None or str(target) in (params.port, "http"):
        return None
    return f"The Service passes requests on to port {target} of the pods, and they listen on {params.port}: nobody answers there."


# 03.public ------------------------------------------------------------------------------------------------------------------


@probe("03.outside", effect="observe", deadline_s=8)
def ask_outside(lab: Any, params: Any) -> Obj:
    """Ask the machine's address, from where the check runs."""
    return answer_of(lab.http(f"http://server:{params.public}/"))


def answer_of(answer: Obj) -> Obj:
    """What the checks need of an answer."""
    return {"status": answer["status"], "body": answer["body"][:2000], "error": answer["error"]}


@check("03.public", reads=["Service", "EndpointSlice", "Deployment", "Pod"], probes=["03.outside"])
def public(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    found = cluster.get("Service", "shop-public", namespace=params.namespace)
    look = "kubectl get service shop-public"
    expect(found, next=look).matches({"spec": {"type": "LoadBalancer"}})
    if port_of(found, int(params.public)) is None:
        fail(
            f"Service shop-public is not open on port {params.public}",
            expected=f"port {params.public}",
            actual=ports_text(found),
            path="spec.ports[].port",
            about=found,
            next=look,
        )
    expect(found, next="kubectl get pods --namespace=kube-system").at("status.loadBalancer").matches({"ingress": ANY})
    no_strangers(cluster, found, "shop", params)
    cluster_answers(nodes, int(params.public))
    answer = probes["03.outside"]
    if not greets(answer, params.greeting, names_of_pods(cluster, "shop", params)):
        fail(
            f"Port {params.public} of the machine does not show the shop",
            expected=f"200, {params.greeting!r}",
            actual=said(answer),
            about=found,
            next="kubectl get endpointslices",
        )


@diagnose("03.public", "not-a-load-balancer")
def not_a_load_balancer(cluster: Any, params: Any) -> str | None:
    found = cluster.find("Service", "shop-public", namespace=params.namespace)
    kind = found["spec"].get("type", "ClusterIP") if found else ""
    if found is None or kind == "LoadBalancer" or found["spec"].get("externalIPs"):  # external IPs do open the port
        return None
    opens = "a port above 30000 on every node, not the one you name" if kind == "NodePort" else "nothing to the outside"
    return f"The Service is of type {kind}: that opens {opens}."


@diagnose("03.public", "port-taken")
def port_taken(cluster: Any, params: Any) -> str | None:
    found = cluster.find("Service", "shop-public", namespace=params.namespace)
    mine = {port["port"] for port in found["spec"].get("ports") or []} if found else set()
    for other in cluster.list("Service"):
        if other["spec"].get("type") != "LoadBalancer" or other is found or other["metadata"]["uid"] == (found or other)["metadata"]["uid"]:
            continue
        both = mine & {port["port"] for port in other["spec"].get("ports") or []}
        if both:
            owner = f"Service {other['metadata']['name']} in namespace {other['metadata']['namespace']}"
            return f"Port {min(both)} of the machine belongs to {owner} already, and a port can be taken once."
    return None


@diagnose("03.public", "public-port")
def open_on_other_port(cluster: Any, params: Any) -> str | None:
    found = cluster.find("Service", "shop-public", namespace=params.namespace)
    ports = [port.get("port") for port in found["spec"].get("ports") or []] if found else []
    if found is None or int(params.public) in ports:
        return None
    return f"The Service is open on {ports_text(found).partition(' ')[0]}. What stands as port is what the street sees: {params.public}."


@diagnose("03.public", "selector-matches-no-pod")
def public_selector_matches_no_pod(cluster: Any, params: Any) -> str | None:
    found = cluster.find("Service", "shop-public", namespace=params.namespace)
    if found is None or cluster.pods_of(found) or not names_of_pods(cluster, "shop", params):
        return None
    return f"The selector {selector_text(found)} matches no pod, so the port leads to nobody."


# 03.route -------------------------------------------------------------------------------------------------------------------


@probe("03.by-host", effect="observe", deadline_s=8)
def ask_by_host(lab: Any, params: Any) -> Obj:
    """Ask Traefik for the learner's host, and for one that is nobody's."""
    asked = {"own": params.host, "other": other_host(params)}
    return {name: answer_of(lab.http("http://server/", host=host)) for name, host in asked.items()}


@check(
    "03.route",
    needs=["03.service"],
    reads=["Ingress", "IngressClass", "Service", "EndpointSlice", "Deployment", "Pod"],
    probes=["03.by-host"],
)
def route(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    found = fronts(cluster, params)
    look = "kubectl describe ingress"
    if not found:
        others = sorted({(host or "every host ") + path for one in ingresses(cluster, params) for host, path in ways_of(one)})
        fail(
            f"No Ingress in namespace {params.namespace} leads http://{params.host}/ anywhere",
            expected=f"a rule for host {params.host} and path /",
            actual=f"rules for {', '.join(others)}" if others else "no Ingress",
            path="spec.rules[].host",
            about=leading(ingresses(cluster, params), "/"),
            next=look,
        )
    for target in backends(cluster, params, below="/"):
        no_strangers(cluster, target, "shop", params)
    cluster_answers(nodes, 80)
    answers = probes["03.by-host"]
    if not greets(answers["own"], params.greeting, names_of_pods(cluster, "shop", params)):
        fail(
            f"http://{params.host}/ does not show the shop",
            expected=f"200, {params.greeting!r}",
            actual=said(answers["own"]),
            about=found,
            next=look,
        )
    if answers["other"]["status"] != 404:
        fail(
            "Another host name is answered as well",
            expected=f"404 for {other_host(params)}",
            actual=said(answers["other"]),
            path="spec.rules[].host",
            about=found,
            next=look,
        )


@diagnose("03.route", "class-unknown")
def class_unknown(cluster: Any, params: Any) -> str | None:
    known = ", ".join(one["metadata"]["name"] for one in cluster.list("IngressClass"))
    for found in ingresses(cluster, params, params.host):
        named = class_of(found)
        if named not in ("", CLASS):  # Traefik, as K3s sets it up, also takes those that name none
            name = found["metadata"]["name"]
            return f"Ingress {name} names class {named}, which no controller here looks after. There is: {known or 'none'}."
    return None


@diagnose("03.route", "every-host")
def every_host(cluster: Any, params: Any) -> str | None:
    for found in ingresses(cluster, params):
        name = found["metadata"]["name"]
        if found["spec"].get("defaultBackend") and not found["spec"].get("rules"):
            return f"Ingress {name} has a default backend and no rule: it takes every host name that no other rule is for."
        for host, _ in ways_of(found):
            if not host:
                return f"Ingress {name} has a rule without a host: it takes every host name."
            if covers(host, other_host(params)):
                return f"Ingress {name} has a rule for {host}: the star takes every name there."
    return None


@diagnose("03.route", "ingress-namespace")
def ingress_in_other_namespace(cluster: Any, params: Any) -> str | None:
    for found in cluster.list("Ingress"):
        namespace = found["metadata"]["namespace"]
        if namespace != params.namespace and any(covers(host, params.host) for host, _ in ways_of(found)) and not fronts(cluster, params):
            return f"The Ingress is in namespace {namespace}: it must sit beside the Service that it leads to, in {params.namespace}."
    return None


@diagnose("03.route", "host-differs")
def host_differs(cluster: Any, params: Any) -> str | None:
    if fronts(cluster, params):
        return None
    hosts = sorted({host for one in ingresses(cluster, params) for host, path in ways_of(one) if path == "/"})
    return f"The rule is for {', '.join(hosts)}. I asked for {params.host}." if hosts else None


@diagnose("03.route", "entry-points")
def over_tls_only(cluster: Any, params: Any) -> str | None:
    for found in fronts(cluster, params):
        annotations, name = found["metadata"].get("annotations") or {}, found["metadata"]["name"]
        entry_points = annotations.get(f"{ROUTER}.entrypoints", "web")
        if "web" not in [one.strip() for one in entry_points.split(",")]:
            return f"Ingress {name} is for Traefik's entry point {entry_points} (an annotation). Port 80 is the entry point web."
        if annotations.get(f"{ROUTER}.tls") == "true":
            return f"Ingress {name} has the annotation {ROUTER}.tls, and so a route for https only. Below spec.tls a certificate does no such harm."
    return None


@diagnose("03.route", "redirect")
def redirected(cluster: Any, probes: Any, params: Any) -> str | None:
    middlewares = [(found["metadata"].get("annotations") or {}).get(f"{ROUTER}.middlewares") for found in fronts(cluster, params)]
    if not any(middlewares) or probes["03.by-host"]["own"]["status"] not in REDIRECTS:
        return None
    return f"A middleware ({', '.join(filter(None, middlewares))}) sends everybody elsewhere, so http shows nothing of the shop."


@diagnose("03.route", "backend-missing")
def backend_missing(cluster: Any, params: Any) -> str | None:
    return missing_backend(cluster, params, "/")


def missing_backend(cluster: Any, params: Any, path: str) -> str | None:
    """Says it if a path of the learner's host leads to a Service that is not there."""
    for found in ingresses(cluster, params, params.host):
        for entry in paths_of(found, params.host):
            name, _ = backend_of(entry)
            if (entry.get("path") or "/").rstrip("/") == path.rstrip("/") and not cluster.find("Service", name, namespace=params.namespace):
                there = ", ".join(one["metadata"]["name"] for one in cluster.list("Service", namespace=params.namespace))
                return f"The Ingress leads to Service {name}, which is not there. In this namespace are: {there or 'none'}."
    return None


@diagnose("03.route", "backend-port")
@diagnose("03.paths", "backend-port")
def backend_port(cluster: Any, params: Any) -> str | None:
    for found in ingresses(cluster, params, params.host):
        for entry in paths_of(found, params.host):
            name, port = backend_of(entry)
            target = cluster.find("Service", name, namespace=params.namespace)
            if target and not offers(target, port):
                numbers = ", ".join(str(one["port"]) for one in target["spec"].get("ports") or [])
                return f"The Ingress asks for port {port} of Service {name}, which offers {numbers}. It names the Service's port, not the pods'."
    return None


# 03.paths -------------------------------------------------------------------------------------------------------------------


@probe("03.by-path", effect="observe", deadline_s=8)
def ask_by_path(lab: Any, params: Any) -> Obj:
    """Ask for the cart, for something below it, and for what is the shop's: for paths that no rule can name alone."""
    some = secrets.token_hex(4)
    paths = ("/cart", f"/cart/{some}", f"/{some}-bread")
    return {path: answer_of(lab.http(f"http://server{path}", host=params.host)) for path in paths}


@check(
    "03.paths",
    needs=["03.route"],
    reads=["Ingress", "IngressClass", "Service", "EndpointSlice", "Deployment", "Pod"],
    probes=["03.by-path"],
)
def by_path(cluster: Any, probes: Any, params: Any) -> None:
    found, answers = ingresses(cluster, params, params.host), probes["03.by-path"]
    for target in backends(cluster, params, below="/cart"):
        no_strangers(cluster, target, "cart", params)
    for path, answer in answers.items():
        whose, greeting = ("cart", params.cart_greeting) if path.startswith("/cart") else ("shop", params.greeting)
        if not greets(answer, greeting, names_of_pods(cluster, whose, params)):
            fail(
                f"http://{params.host}{path} does not show the {whose}",
                expected=f"200, {greeting!r}",
                actual=said(answer),
                path="spec.rules[].http.paths",
                about=leading(found, "/cart" if whose == "cart" else "/") or found,
                next="kubectl describe ingress",
            )


@diagnose("03.paths", "cart-service-missing")
def cart_service_missing(cluster: Any, params: Any) -> str | None:
    return missing_backend(cluster, params, "/cart")


@diagnose("03.paths", "path-exact")
def path_exact(cluster: Any, params: Any, failure: Any) -> str | None:
    if not failure.message.endswith("the cart"):
        return None  # another pod than the cart's is reached, or what is the shop's is not
    for found in ingresses(cluster, params, params.host):
        for entry in paths_of(found, params.host):
            if entry.get("path") == "/cart" and entry.get("pathType") == "Exact":
                return "pathType Exact takes /cart alone. What is below it, /cart/items say, falls to the next rule that fits."
    return None


@diagnose("03.paths", "path-slash")
def path_with_slash(cluster: Any, probes: Any, params: Any) -> str | None:
    paths = {entry.get("path") for one in ingresses(cluster, params, params.host) for entry in paths_of(one, params.host)}
    by_shop = greets(probes["03.by-path"]["/cart"], params.greeting, names_of_pods(cluster, "shop", params))
    if not by_shop or "/cart/" not in paths or "/cart" in paths:
        return None
    return "The path /cart/ ends in a slash, and Traefik compares letter by letter: /cart itself does not begin with it."


@diagnose("03.paths", "path-to-shop")
def path_to_shop(cluster: Any, params: Any) -> str | None:
    cart = names_of_pods(cluster, "cart", params)
    for found in ingresses(cluster, params, params.host):
        for entry in paths_of(found, params.host):
            target = cluster.find("Service", backend_of(entry)[0], namespace=params.namespace)
            if (entry.get("path") or "").startswith("/cart") and target:
                reached = {pod["metadata"]["name"] for pod in cluster.pods_of(target)}
                if cart and not reached & cart:
                    name = target["metadata"]["name"]
                    return f"/cart leads to Service {name}, and its selector {selector_text(target)} does not match the cart's pod."
    return None


@diagnose("03.paths", "no-path")
def no_path(cluster: Any, params: Any) -> str | None:
    entries = [entry for one in ingresses(cluster, params, params.host) for entry in paths_of(one, params.host)]
    if any((entry.get("path") or "").startswith("/cart") for entry in entries):
        return None
    return "No path of this host begins with /cart, so everything goes to the shop."


@diagnose("03.paths", "front-exact")
def front_exact(cluster: Any, params: Any, failure: Any) -> str | None:
    entries = [entry for one in fronts(cluster, params) for entry in paths_of(one, params.host) if (entry.get("path") or "/") == "/"]
    carts = not failure.message.endswith("the shop")
    if carts or not entries or any(entry.get("pathType") != "Exact" for entry in entries):
        return None
    return "pathType Exact takes / alone. What else is the shop's needs pathType Prefix."


# 03.tls ---------------------------------------------------------------------------------------------------------------------


@probe("03.secure", effect="observe", deadline_s=8)
def ask_securely(lab: Any, params: Any) -> Obj:
    """Ask over TLS, and read the certificate that is shown."""
    answer = lab.http("https://server/", host=params.host)
    return {**answer_of(answer), **certificate_of(answer["certificate"])}


def certificate_of(pem: str) -> Obj:
    """A certificate's public parts: for whom, by whom, which names, from when to when (Unix seconds)."""
    from cryptography import x509

    nothing: Obj = {"subject": "", "names": [], "since": 0, "until": 0}
    if not pem:
        return nothing
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
        common = [str(part.value) for part in found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
        values = [one.value for one in found.extensions if isinstance(one.value, x509.SubjectAlternativeName)]
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return {**nothing, "subject": "nobody that can be read"}
    names = [name for value in values for name in value.get_values_for_type(x509.DNSName)]
    since, until = found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()
    return {"subject": ", ".join(common), "names": names, "since": since, "until": until}


def names_of(shown: Obj) -> list[str]:
    """For whom the certificate is that was shown: its names, or its subject where it has none."""
    return [shown["subject"]] if shown["subject"] == DEFAULT_CERTIFICATE else shown["names"] or [shown["subject"]]


def is_for_the_host(shown: Obj, params: Any) -> bool:
    """Whether the certificate that was shown is for the learner's host."""
    return any(covers(name, params.host) for name in names_of(shown))


@check("03.tls", needs=["03.route"], reads=["Ingress", "Secret", "Service", "EndpointSlice", "Deployment", "Pod"], probes=["03.secure"])
def tls(cluster: Any, nodes: Any, probes: Any, params: Any) -> None:
    found, shown = ingresses(cluster, params, params.host), probes["03.secure"]
    named = tls_secrets(cluster, params)
    if not any(cluster.find("Secret", name, namespace=params.namespace) for name in named):
        for name in named[:1]:  # one that has just been taken away may be shown for a moment longer
            cluster.get("Secret", name, namespace=params.namespace)
    cluster_answers(nodes, 443)
    if not is_for_the_host(shown, params):
        names = names_of(shown)
        fail(
            f"https://{params.host}/ shows a certificate for another name",
            expected=f"a certificate for {params.host}",
            actual=f"one for {', '.join(filter(None, names))}" if any(names) else said(shown),
            path="spec.tls",
            about=[one for one in found if one["spec"].get("tls")] or found,
            next="openssl s_client -connect localhost:443 -servername $LAB_HOST",
        )
    if not shown["since"] <= nodes["server"].time <= shown["until"]:
        when = "it is not valid yet" if nodes["server"].time < shown["since"] else "it has expired"
        fail("The certificate is not valid today", expected="a certificate that is valid now", actual=when, about=found)
    if not greets(shown, params.greeting, names_of_pods(cluster, "shop", params)):
        fail(
            f"https://{params.host}/ does not show the shop",
            expected=f"200, {params.greeting!r}",
            actual=said(shown),
            about=found,
            next="kubectl describe ingress",
        )


def tls_secrets(cluster: Any, params: Any) -> list[str]:
    """The Secrets that the learner's Ingresses name for TLS."""
    entries = [entry for one in ingresses(cluster, params, params.host) for entry in one["spec"].get("tls") or []]
    return [entry["secretName"] for entry in entries if entry.get("secretName")]


@diagnose("03.tls", "no-tls-section")
def no_tls_section(cluster: Any, probes: Any, params: Any) -> str | None:
    found = ingresses(cluster, params, params.host)
    if not found or tls_secrets(cluster, params) or is_for_the_host(probes["03.secure"], params):
        return None
    return "No Ingress of this host names a Secret below spec.tls, so Traefik shows a certificate of its own."


@diagnose("03.tls", "secret-namespace")
def secret_in_other_namespace(cluster: Any, params: Any) -> str | None:
    for name in tls_secrets(cluster, params):
        if cluster.find("Secret", name, namespace=params.namespace):
            continue
        elsewhere = [one["metadata"]["namespace"] for one in cluster.list("Secret") if one["metadata"]["name"] == name]
        if elsewhere:
            return f"Secret {name} is in namespace {elsewhere[0]}. The Ingress looks for it in its own, {params.namespace}."
        return f"The Ingress names Secret {name}, and there is none of this name."
    return None


@diagnose("03.tls", "secret-keys")
def secret_keys(cluster: Any, params: Any) -> str | None:
    for name in tls_secrets(cluster, params):
        found = cluster.find("Secret", name, namespace=params.namespace)
        keys = sorted((found or {}).get("data") or {})
        if found and not set(TLS_KEYS) <= set(keys):
            kind = found.get("type", "Opaque")
            return f"Secret {name} (type {kind}) has the keys {', '.join(keys) or 'none'}. Traefik looks for tls.crt and tls.key in it."
    return None


@diagnose("03.tls", "certificate-name")
def certificate_name(probes: Any, params: Any) -> str | None:
    shown = probes["03.secure"]
    if not (shown["subject"] or shown["names"]) or is_for_the_host(shown, params):
        return None
    if shown["subject"] == DEFAULT_CERTIFICATE:
        return "Traefik shows its own certificate: it was given none that is for this name and comes with the key that it was made with."
    return f"The certificate is for {', '.join(shown['names'] or [shown['subject']])}; the name that is asked for is {params.host}."
