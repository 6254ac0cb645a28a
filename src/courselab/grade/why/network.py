"""Why a request does not arrive: Ingress → class → Service → selector → pods → readiness, and ports on the way."""

from __future__ import annotations

from typing import Any

from courselab.grade.dig import Obj, dig, rows, table, text
from courselab.grade.match import nearest
from courselab.grade.selectors import describe, selects
from courselab.grade.settle import is_true
from courselab.grade.why.walk import Walk
from courselab.grade.why.workloads import is_alive
from courselab.grade.world import is_dying, labels_of, name_of, namespace_of

SHOWN = 5
_SERVICE_OF_SVCLB = "svccontroller.k3s.cattle.io/svcname"
_NAMESPACE_OF_SVCLB = "svccontroller.k3s.cattle.io/svcnamespace"
_MAKERS = ("Deployment", "StatefulSet", "DaemonSet")
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


def service(walk: Walk, obj: Obj) -> None:
    """Does it select pods, are they ready, does it send to a port they have, has it got its address?"""
    base = {"name": name_of(obj), "namespace": namespace_of(obj)}
    if text(obj, "spec", "type") == "ExternalName":
        return
    selector = table(obj, "spec", "selector")
    if not selector:
        if not walk.world.endpoint_slices(obj):
            walk.signal("service", "NoSelector", **base)
        return
    pods = [pod for pod in walk.world.pods_of(obj) if is_alive(pod)]
    if not pods:
        _selects_nothing(walk, obj, selector, base)
    elif not any(is_true(pod, "Ready") for pod in pods):
        for pod in pods[:SHOWN]:
            walk.into(pod)
    else:
        _ports(walk, obj, pods, base)
    if text(obj, "spec", "type") == "LoadBalancer" and not rows(obj, "status", "loadBalancer", "ingress"):
        _no_address(walk, obj, base)


def _selects_nothing(walk: Walk, obj: Obj, selector: dict[str, Any], base: dict[str, str]) -> None:
    alive = [pod for pod in walk.world.objects("Pod") if is_alive(pod)]
    makers = [one for kind in _MAKERS for one in walk.world.objects(kind) if _makes_pods_for(one, obj, selector)]
    if makers:  # it has no pod at this moment, and the reason is theirs
        for maker in makers[:SHOWN]:
            walk.into(maker)
        return
    elsewhere = sorted({namespace_of(pod) for pod in alive if selects(selector, labels_of(pod))})
    if elsewhere:
        walk.signal("service", "SelectorElsewhere", selector=describe(selector), elsewhere=", ".join(elsewhere), **base)
        return
    here = [pod for pod in alive if namespace_of(pod) == namespace_of(obj)]
    labels = sorted({describe(_telling(labels_of(pod))) for pod in here if labels_of(pod)})
    namespace = namespace_of(obj)
    there = f"; the pods in namespace {namespace} have {' or '.join(labels[:SHOWN])}" if labels else "; there are no pods in its namespace"
    walk.signal("service", "SelectorMatchesNothing", selector=describe(selector), labels_there=there, **base)


def _makes_pods_for(workload: Obj, service: Obj, selector: dict[str, Any]) -> bool:
    """Whether a workload's pods would be those that the Service looks for."""
    labels = table(workload, "spec", "template", "metadata", "labels")
    return namespace_of(workload) == namespace_of(service) and selects(selector, labels) and not is_dying(workload)


def _telling(labels: dict[str, str]) -> dict[str, str]:
    """Labels without those that controllers add."""
    return {key: value for key, value in labels.items() if "hash" not in key and not key.startswith("batch.kubernetes.io/")} or labels


def _ports(walk: Walk, obj: Obj, pods: list[Obj], base: dict[str, str]) -> None:
    declared = [port for pod in pods[:1] for container in rows(pod, "spec", "containers") for port in rows(container, "ports")]
    names = {text(port, "name"): port.get("containerPort") for port in declared if port.get("name")}
    numbers = {port.get("containerPort") for port in declared}
    for port in rows(obj, "spec", "ports"):
        target = port.get("targetPort", port.get("port"))
        if isinstance(target, str) and target not in names:
            near = nearest(target, names)
            listed = f"; they declare {', '.join(names)}" if names else "; they name no ports"
            walk.signal("service", "TargetPortName", port=target, declared=f"{listed}. Did you mean {near}?" if near else listed, **base)
        elif isinstance(target, int) and numbers and target not in numbers:
            walk.signal("service", "TargetPort", port=target, declared=", ".join(map(str, sorted(filter(None, numbers)))), **base)


def _no_address(walk: Walk, obj: Obj, base: dict[str, str]) -> None:
    wanted = {port.get("port") for port in rows(obj, "spec", "ports")}
    for other in walk.world.objects("Service"):
        taken = wanted & {port.get("port") for port in rows(other, "spec", "ports")}
        served = text(other, "spec", "type") == "LoadBalancer" and rows(other, "status", "loadBalancer", "ingress")
        if other is not obj and taken and served:
            holder = {"holder": name_of(other), "holder_namespace": namespace_of(other)}
            walk.signal("service", "PortTaken", port=min(taken, key=str), **holder, **base)
            return
    for pod in walk.world.objects("Pod"):
        labels = labels_of(pod)
        is_own = labels.get(_SERVICE_OF_SVCLB) == name_of(obj) and labels.get(_NAMESPACE_OF_SVCLB, namespace_of(obj)) == namespace_of(obj)
        if is_own and _host_ports(pod) <= wanted:  # else it is of before the Service's ports were changed
            walk.into(pod)
    if not walk.causes:
        walk.signal("service", "LoadBalancerPending", **base)


def _host_ports(pod: Obj) -> set[Any]:
    return {port["hostPort"] for one in rows(pod, "spec", "containers") for port in rows(one, "ports") if port.get("hostPort")}


def ingress(walk: Walk, obj: Obj) -> None:
    """Is its class claimed, are its backends there, do they offer the port, is its certificate there?"""
    base = {"name": name_of(obj), "namespace": namespace_of(obj)}
    _ingress_class(walk, obj, base)
    for backend in backends(obj):
        _backend(walk, obj, backend, base)
    _other_claims(walk, obj, base)
    for entry in rows(obj, "spec", "tls"):
        _certificate(walk, obj, text(entry, "secretName"), base)


def _ingress_class(walk: Walk, obj: Obj, base: dict[str, str]) -> None:
    if "IngressClass" not in walk.world.evidence.cluster.kinds:
        return
    classes = walk.world.objects("IngressClass")
    wanted = _class(obj)
    listed = f"; there is {', '.join(map(name_of, classes))}" if classes else "; the cluster has no ingress class"
    if wanted and not walk.world.find("IngressClass", wanted):
        walk.signal("ingress", "UnknownClass", wanted=wanted, classes=listed, **base)
    elif not wanted and not any(table(found, "metadata", "annotations").get(_DEFAULT_CLASS) == "true" for found in classes):
        walk.signal("ingress", "NoClass", classes=listed, **base)


def backends(obj: Obj) -> list[Obj]:
    """The Services an Ingress sends to: [{"name", "port"}], port a number or a name."""
    found = [table(obj, "spec", "defaultBackend", "service")]
    found += [table(path, "backend", "service") for rule in rows(obj, "spec", "rules") for path in rows(rule, "http", "paths")]
    ports = [(text(backend, "name"), table(backend, "port")) for backend in found if backend]
    return [{"name": name, "port": port.get("number", port.get("name"))} for name, port in ports]


def _backend(walk: Walk, obj: Obj, backend: Obj, base: dict[str, str]) -> None:
    name, world = backend["name"], walk.world
    found = world.find("Service", name, namespace_of(obj))
    if found is None:
        elsewhere = sorted(namespace_of(other) for other in world.objects("Service") if name_of(other) == name)
        here = [name_of(other) for other in world.objects("Service") if namespace_of(other) == namespace_of(obj)]
        near = nearest(name, here)
        if elsewhere:
            walk.signal("ingress", "BackendElsewhere", service=name, elsewhere=", ".join(elsewhere), **base)
        else:
            walk.signal("ingress", "BackendMissing", service=name, near=f"; did you mean {near}?" if near else "", **base)
        return
    ports = rows(found, "spec", "ports")
    if not any(backend["port"] in (port.get("port"), port.get("name")) for port in ports):
        offered = ", ".join(f"{port.get('port')}{_named(port)}" for port in ports)
        walk.signal("ingress", "BackendPort", service=name, port=backend["port"], offered=offered or "none", **base)
    walk.into(found)


def _other_claims(walk: Walk, obj: Obj, base: dict[str, str]) -> None:
    """Another Ingress of the same class that leads the same host and path to another Service."""
    own = _routes(obj)
    for other in walk.world.objects("Ingress"):
        if other is obj or _class(other) != _class(obj):
            continue
        for (host, path), to in _routes(other).items():
            if (host, path) in own and own[host, path] != to:
                where = {"other": name_of(other), "other_namespace": namespace_of(other)}
                walk.signal("ingress", "HostTaken", host=host or "every host", path=path, **where, **base)
                return


def _class(obj: Obj) -> str:
    return text(obj, "spec", "ingressClassName") or table(obj, "metadata", "annotations").get("kubernetes.io/ingress.class", "")


def _routes(obj: Obj) -> dict[tuple[str, str], tuple[str, str]]:
    """(host, path) → (namespace, Service) of an Ingress."""
    return {
        (text(rule, "host"), text(path, "path") or "/"): (namespace_of(obj), text(path, "backend", "service", "name"))
        for rule in rows(obj, "spec", "rules")
        for path in rows(rule, "http", "paths")
    }


def _named(port: Obj) -> str:
    return f" ({port['name']})" if port.get("name") else ""


def _certificate(walk: Walk, obj: Obj, name: str, base: dict[str, str]) -> None:
    if not name or "Secret" not in walk.world.evidence.cluster.kinds:
        return
    found = walk.world.find("Secret", name, namespace_of(obj))
    if found is None:
        walk.signal("ingress", "TlsMissing", secret=name, **base)
    elif dig(found, "type") != "kubernetes.io/tls":
        walk.signal("ingress", "TlsType", secret=name, type=text(found, "type"), **base)
