"""ServiceLB: each Service of type LoadBalancer gets a DaemonSet whose pods hold its ports on the nodes.

Names, labels and ports are those of K3s (pkg/cloudprovider/servicelb.go). A Service's address is that of the nodes where
all containers of its pod are ready; a pod whose port is taken stays Pending, and its node is not among them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .api import TROUBLE, Api, ApiError, Object
from .deploy import log

IMAGE = "docker.io/k3s-standin/lb:1"
GROUP = "svccontroller.k3s.cattle.io"
SERVICE_NAME, SERVICE_NAMESPACE = f"{GROUP}/svcname", f"{GROUP}/svcnamespace"
ENABLED, POOL = f"{GROUP}/enablelb", f"{GROUP}/lbpool"  # on nodes, and the second also on Services
CHOSEN = f"/api/v1/nodes?labelSelector={ENABLED.replace('/', '%2F')}"
MANAGER = "servicelb@k3s"
NAMESPACE = "kube-system"
ACCOUNT = "svclb"
DAEMONSETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
OURS = f"labelSelector={SERVICE_NAME.replace('/', '%2F')}"
WATCH_S = 25  # below the time that a request may take
SETTLE_S = 0.05  # events come in groups
TRY_AGAIN_S = 2.0

Key = tuple[str, str]  # namespace and name of a Service


@dataclass
class ServiceLB:
    """Keeps DaemonSets and addresses as the Services want them."""

    check: Callable[[], None]  # raises when the server stops
    _changed: threading.Event = field(default_factory=threading.Event)
    _applied: dict[str, Object] = field(default_factory=dict[str, Object])
    _watches_pods: bool = False

    def run(self) -> None:
        """Work until the server stops; what fails is tried again."""
        api = Api()
        self._watch("/api/v1/services")
        self._watch(CHOSEN)
        while True:
            self._changed.wait(TRY_AGAIN_S)
            self.check()
            if not self._changed.is_set():
                continue
            time.sleep(SETTLE_S)
            self._changed.clear()
            try:
                self._settle(api)
            except TROUBLE as error:
                log(f"servicelb: {error}")
                self._changed.wait(TRY_AGAIN_S)
                self._changed.set()

    def _watch(self, path: str) -> None:
        threading.Thread(target=self._keep_watching, args=(path,), name=f"watch {path}", daemon=True).start()

    def _keep_watching(self, path: str) -> None:
        """Wake the worker at each event; a watch starts with an event for each object, so none is missed between two."""
        pause = threading.Event()
        joint = "&" if "?" in path else "?"
        while True:
            try:
                for _ in Api().watch(f"{path}{joint}watch=true&timeoutSeconds={WATCH_S}"):
                    self._changed.set()
            except (*TROUBLE, ValueError):
                pause.wait(TRY_AGAIN_S)
            self._changed.set()

    def _settle(self, api: Api) -> None:
        services = {_key(service): service for service in api.get("/api/v1/services")["items"] if wants_address(service)}
        if services and not self._watches_pods:
            self._watches_pods = True
            api.apply(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}", _account(), MANAGER)
            self._watch(f"{PODS}?{OURS}")
        there = {item["metadata"]["name"]: item for item in api.get(f"{DAEMONSETS}?{OURS}")["items"]}
        chosen = bool(services and api.get(CHOSEN)["items"])
        for service in services.values():
            self._apply(api, daemonset(service, chosen=chosen), there)
        names = {_name(service) for service in services.values()}
        for name in there.keys() - names:
            _ignoring_missing(lambda name=name: api.delete(f"{DAEMONSETS}/{name}"))
            self._applied.pop(name, None)
        if services:
            self._publish(api, services)

    def _apply(self, api: Api, wanted: Object, there: dict[str, Object]) -> None:
        name = wanted["metadata"]["name"]
        if name not in there or self._applied.get(name) != wanted:
            api.apply(f"{DAEMONSETS}/{name}", wanted, MANAGER)
            self._applied[name] = wanted

    def _publish(self, api: Api, services: dict[Key, Object]) -> None:
        """Write the addresses of the nodes that serve each Service into its status."""
        pods: list[Object] = api.get(f"{PODS}?{OURS}")["items"]
        for (namespace, name), service in services.items():
            ingress = [{"ip": address, "ipMode": "VIP"} for address in addresses(pods, namespace, name)]
            if ingress != (service["status"].get("loadBalancer", {}).get("ingress") or []):
                path, patch = f"/api/v1/namespaces/{namespace}/services/{name}/status", {"status": {"loadBalancer": {"ingress": ingress}}}
                _ignoring_missing(lambda path=path, patch=patch: api.merge(path, patch))


def remove_all() -> None:
    """Without ServiceLB none of its DaemonSets stays."""
    api = Api()
    for item in api.get(f"{DAEMONSETS}?{OURS}")["items"]:
        _ignoring_missing(lambda item=item: api.delete(f"{DAEMONSETS}/{item['metadata']['name']}"))


def wants_address(service: Object) -> bool:
    """Whether this Service is ours to serve."""
    spec, meta = service["spec"], service["metadata"]
    return (
        spec.get("type") == "LoadBalancer"
        and not spec.get("loadBalancerClass")
        and spec.get("clusterIP", "None") not in ("None", "")
        and "deletionTimestamp" not in meta
    )


def addresses(pods: list[Object], namespace: str, name: str) -> list[str]:
    """Addresses of the nodes where a pod of this Service runs with all its containers ready."""
    labels = {SERVICE_NAME: name, SERVICE_NAMESPACE: namespace}
    return sorted({
        pod["status"]["hostIP"]
        for pod in pods
        if labels.items() <= pod["metadata"]["labels"].items() and "deletionTimestamp" not in pod["metadata"] and _is_ready(pod)
    })  # fmt: skip


def daemonset(service: Object, *, chosen: bool = False) -> Object:
    """What holds the ports of a Service. `chosen`: some node says whether it takes part; then only those take part that say true."""
    meta, name = service["metadata"], _name(service)
    labels = {"app": name, SERVICE_NAME: meta["name"], SERVICE_NAMESPACE: meta["namespace"]}
    local = service["spec"].get("externalTrafficPolicy") == "Local"
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {f"{GROUP}/nodeselector": str(chosen).lower(), SERVICE_NAME: meta["name"], SERVICE_NAMESPACE: meta["namespace"]},
        },
        "spec": {
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": {"app": name}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "priorityClassName": "system-node-critical",
                    "serviceAccountName": ACCOUNT,
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": 5,
                    "tolerations": [
                        {"key": "node-role.kubernetes.io/master", "operator": "Exists", "effect": "NoSchedule"},
                        {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"},
                        {"key": "CriticalAddonsOnly", "operator": "Exists"},
                    ],
                    **({"nodeSelector": _node_selector(service)} if chosen else {}),
                    "containers": [_container(service, port, local=local) for port in service["spec"]["ports"]],
                },
            },
        },
    }


def _node_selector(service: Object) -> dict[str, str]:
    labels: dict[str, str] = service["metadata"].get("labels") or {}
    pool = labels.get(POOL)
    return {ENABLED: "true", **({POOL: pool} if pool else {})}


def _container(service: Object, port: Object, *, local: bool) -> Object:
    """Passes one port on: to the Service, or with externalTrafficPolicy Local to the node's own pods, through its node port."""
    protocol, number = port.get("protocol", "TCP"), port["port"]
    name = f"lb-{protocol.lower()}-{number}"
    target: Object = {"valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}} if local else {"value": service["spec"]["clusterIP"]}
    return {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": name, "containerPort": number, "hostPort": number, "protocol": protocol}],
        "env": [
            {"name": "SRC_PORT", "value": str(number)},
            {"name": "DEST_PROTO", "value": protocol},
            {"name": "DEST_PORT", "value": str(port["nodePort"] if local else number)},
            {"name": "DEST_IPS", **target},
        ],
    }


def _account() -> Object:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": NAMESPACE}}


def _name(service: Object) -> str:
    meta = service["metadata"]
    return f"svclb-{meta['name'][:48]}-{meta['uid'][:8]}"


def _key(service: Object) -> Key:
    return service["metadata"]["namespace"], service["metadata"]["name"]


def _is_ready(pod: Object) -> bool:
    conditions: list[Object] = pod["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _ignoring_missing(work: Callable[[], object]) -> None:
    try:
        work()
    except ApiError as error:
        if error.code != 404:
            raise
