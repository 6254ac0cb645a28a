"""Waiting until a cluster can be used: on events, with a deadline, and with what was last seen when it passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from courselab.errors import LabError
from courselab.k3s.api import Api, Kind, Object

NODE = Kind("Node", "api/v1", "nodes", namespaced=False)
DEPLOYMENT = Kind("Deployment", "apis/apps/v1", "deployments")
SERVICE = Kind("Service", "api/v1", "services")
STORAGE_CLASS = Kind("StorageClass", "apis/storage.k8s.io/v1", "storageclasses", namespaced=False)

_WATCH_S = 10.0
_ASK_S = 10.0
_PAUSE_S = 0.2


@dataclass(frozen=True)
class Wanted:
    """One object that must be there, in a certain state."""

    kind: Kind
    name: str
    holds: Callable[[Object], bool]
    namespace: str | None = None

    def __str__(self) -> str:
        return f"{self.kind.name} {self.name}"


def condition_true(obj: Object, kind: str) -> bool:
    """Whether the object's status has this condition, and it is True."""
    return any(condition.get("type") == kind and condition.get("status") == "True" for condition in _conditions(obj))


def ready_node(name: str) -> Wanted:
    """A node that says it is Ready."""
    return Wanted(NODE, name, lambda node: condition_true(node, "Ready"))


def has_address(service: Object) -> bool:
    """Whether the outside reaches this Service of type LoadBalancer at an address."""
    return bool(service.get("status", {}).get("loadBalancer", {}).get("ingress"))


def _available(name: str) -> Wanted:
    return Wanted(DEPLOYMENT, name, _serves, "kube-system")


def _serves(deployment: Object) -> bool:
    """Whether it is Available with a pod: CoreDNS's may all be unavailable for a moment, so it is called Available without any."""
    return condition_true(deployment, "Available") and deployment["status"].get("availableReplicas", 0) > 0


# What each packaged component of K3s must show before a lab that needs it is ready (docs.k3s.io/installation/packaged-components).
COMPONENTS: dict[str, tuple[Wanted, ...]] = {
    "coredns": (_available("coredns"),),
    "local-storage": (_available("local-path-provisioner"), Wanted(STORAGE_CLASS, "local-path", lambda _: True)),
    "metrics-server": (_available("metrics-server"),),
    # ServiceLB gives Traefik's Service an address once a node's ports lead to it.
    "traefik": (_available("traefik"), Wanted(SERVICE, "traefik", has_address, "kube-system")),
}


def wait_for(
    api: Api,
    wanted: Sequence[Wanted],
    *,
    timeout_s: float,
    meanwhile: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return once everything in `wanted` holds. Raises LabError after `timeout_s` seconds with what was last seen.

    `meanwhile` is called now and then while nothing happens; what it raises ends the waiting.
    """
    deadline = clock() + timeout_s
    for one in wanted:
        _wait_for_one(api, one, deadline, meanwhile, clock)


def wait_until_serving(api: Api, nodes: Sequence[str], *, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
    """Return once every part of K3s does something when it is asked: a part that hangs says nothing of it, and what the API remembers
    looks well for long. Raises LabError after `timeout_s` seconds with what does not answer."""
    asked = {
        "K3s": "/ping",  # by K3s itself, on its API's port (k3s-io/k3s pkg/server/handlers/router.go)
        "Its datastore": NODE.url(name=nodes[0]),  # one object is always read from there
        **{f"The kubelet of {name}": f"{NODE.url(name=name)}/proxy/healthz" for name in nodes},
    }
    deadline = clock() + timeout_s
    for part, path in asked.items():
        while True:
            try:
                api.text(path, timeout_s=max(0.5, min(_ASK_S, deadline - clock())))
                break
            except LabError as silent:
                if clock() > deadline:
                    raise LabError(f"{part} does not answer", why=silent.why, fix=silent.fix) from silent
                time.sleep(_PAUSE_S)  # there is no event to wait on


def _wait_for_one(api: Api, wanted: Wanted, deadline: float, meanwhile: Callable[[], None], clock: Callable[[], float]) -> None:
    last: Object = {}
    problem = ""
    quiet_from = clock()
    while (left := deadline - clock()) > 0:
        try:
            path = wanted.kind.url(wanted.namespace)
            for event in api.watch(path, timeout_s=min(left, _WATCH_S), fieldSelector=f"metadata.name={wanted.name}"):
                if event.get("type") in ("ADDED", "MODIFIED"):
                    last = event["object"]
                    if wanted.holds(last):
                        return
        except LabError as interrupted:
            problem = interrupted.why
            time.sleep(min(_PAUSE_S, max(0.0, deadline - clock())))  # the API may be restarting: there is no event to wait on
        if clock() >= quiet_from + _WATCH_S:
            meanwhile()
            quiet_from = clock()
    raise LabError(
        f"{wanted} did not get ready in time",
        why=_last_seen(last) or problem or "It is not there.",
        fix="`lab kubectl get events -A` shows what the cluster says; `lab start` again goes on waiting.",
    )


def _last_seen(obj: Object) -> str:
    unmet = [c for c in _conditions(obj) if c.get("message")]
    return "; ".join(f"{c.get('type')}={c.get('status')}: {c.get('message')}" for c in unmet)[:500]


def _conditions(obj: Object) -> list[Object]:
    return obj.get("status", {}).get("conditions") or []
