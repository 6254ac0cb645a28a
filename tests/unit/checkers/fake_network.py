"""What Services, ServiceLB and Traefik would do with the objects of a cluster on paper."""

from __future__ import annotations

from typing import Any

from tests.unit.checkers.fake_cluster import FakeCluster, Obj

NOT_FOUND: Obj = {"status": 404, "body": "404 page not found\n", "error": ""}
UNAVAILABLE: Obj = {"status": 503, "body": "no available server\n", "error": ""}
REFUSED: Obj = {"status": 0, "body": "", "error": "connection refused"}
DEFAULT_CERTIFICATE: Obj = {"subject": "TRAEFIK DEFAULT CERT", "names": ["x.traefik.default"], "since": 0, "until": 9e9}


class Network:
    """Endpoints, load balancer addresses and answers, worked out from the objects."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    def settle(self) -> None:
        """Write down what controllers would: EndpointSlices, external addresses, Ingress status."""
        self._cluster.remove("EndpointSlice")
        taken: set[int] = {80, 443}
        for service in self._of("Service"):
            self._slice(service)
            ports = {port["port"] for port in service["spec"]["ports"]}
            external = service["spec"].get("type") == "LoadBalancer" and not ports & taken and not service["spec"].get("loadBalancerClass")
            service["status"] = {"loadBalancer": {"ingress": [{"ip": "10.83.0.2"}]} if external else {}}
        for ingress in self._of("Ingress"):
            served = self._served(ingress)
            ingress["status"] = {"loadBalancer": {"ingress": [{"ip": "10.83.0.2"}]} if served else {}}

    def ask(self, host: str, path: str) -> Obj:
        """What Traefik answers."""
        best: tuple[int, Obj, Obj] | None = None
        for ingress in self._of("Ingress"):
            for rule in ingress["spec"].get("rules", []) if self._served(ingress) else []:
                for entry in rule["http"]["paths"] if self._meant(rule.get("host"), host) else []:
                    length = len(entry.get("path", ""))
                    if self._fits(entry, path) and (best is None or length > best[0]):
                        best = (length, ingress, entry)
        if best is None:
            return self._default(path)
        return self._backend(best[1], best[2]["backend"], path)

    def _default(self, path: str) -> Obj:
        """What no rule takes goes where an Ingress without a rule for it says."""
        for ingress in self._of("Ingress"):
            if self._served(ingress) and ingress["spec"].get("defaultBackend") and not ingress["spec"].get("rules"):  # as Traefik has it
                return self._backend(ingress, ingress["spec"]["defaultBackend"], path)
        return NOT_FOUND

    def _backend(self, ingress: Obj, backend: Obj, path: str) -> Obj:
        named = backend["service"]
        service = self._find(named["name"], ingress["metadata"]["namespace"])
        if service is None:
            return NOT_FOUND
        return self.through(service, named["port"].get("number", named["port"].get("name")), path)

    def through(self, service: Obj, port: Any, path: str) -> Obj:
        """What comes back through a Service."""
        tcp = [one for one in service["spec"]["ports"] if one.get("protocol", "TCP") == "TCP"]
        own = next((one for one in tcp if port in (one["port"], one.get("name"))), None)
        if own is None:
            return NOT_FOUND
        pods = self._pods(service)
        if not pods:
            return UNAVAILABLE
        return self._pod_answers(pods[0], self._target(own, pods[0]), path)

    def outside(self, port: int) -> Obj:
        """What a port of the machine answers."""
        for service in self._of("Service"):
            if service["status"]["loadBalancer"].get("ingress") and any(one["port"] == port for one in service["spec"]["ports"]):
                return self.through(service, port, "/")
        return REFUSED

    def certificate(self, host: str, certificates: dict[str, Obj]) -> Obj:
        """The certificate shown for a host; `certificates`: what the Secrets hold, by their name."""
        for ingress in self._of("Ingress"):
            for entry in ingress["spec"].get("tls", []):
                namespace = ingress["metadata"]["namespace"]
                held = [
                    one
                    for one in self._of("Secret")
                    if one["metadata"]["name"] == entry.get("secretName")
                    and one["metadata"]["namespace"] == namespace
                    and {"tls.crt", "tls.key"} <= set(one["data"])
                ]
                shown = certificates.get(entry.get("secretName", ""))
                if (
                    held
                    and shown
                    and any(name == host or name == "*." + host.partition(".")[2] for name in (shown["subject"], *shown["names"]))
                ):
                    return shown
        return DEFAULT_CERTIFICATE

    def _slice(self, service: Obj) -> None:
        pods = self._pods(service)
        if not service["spec"].get("selector"):
            return
        namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
        self._cluster.add(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": f"{name}-x", "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
                "ports": [
                    {"name": port.get("name", ""), "port": self._target(port, pods[0]) if pods else port["port"]}
                    for port in service["spec"]["ports"]
                ],
                "endpoints": [
                    {
                        "addresses": [pod["status"]["podIP"]],
                        "conditions": {"ready": True},
                        "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
                    }
                    for pod in pods
                ],
            }
        )

    def _pods(self, service: Obj) -> list[Obj]:
        wanted = (service["spec"].get("selector") or {}).items()
        if not wanted:
            return []  # nobody gives it endpoints
        return [
            pod
            for pod in self._of("Pod")
            if pod["metadata"]["namespace"] == service["metadata"]["namespace"]
            and wanted <= pod["metadata"].get("labels", {}).items()
            and pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")
        ]

    @staticmethod
    def _target(port: Obj, pod: Obj) -> Any:
        target = port.get("targetPort", port["port"])
        named = {one["name"]: one["containerPort"] for one in pod["spec"]["containers"][0].get("ports", [])}
        return named.get(target, target)

    @staticmethod
    def _pod_answers(pod: Obj, port: Any, path: str) -> Obj:
        env = {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"]}
        if str(port) != env["WEB_PORT"]:
            return {"status": 502, "body": "Bad Gateway\n", "error": ""}
        below = env.get("WEB_PATH", "")
        if path != below and not path.startswith(f"{below}/"):
            return {"status": 404, "body": f"web 1 answers at {below}, not at {path}\n", "error": ""}
        return {"status": 200, "body": f"{env['WEB_BODY']}\nversion: 1\npod: {pod['metadata']['name']}\n", "error": ""}

    @staticmethod
    def _meant(rule: str | None, host: str) -> bool:
        return rule in (host, None, "") or (rule.startswith("*.") and rule[2:] == host.partition(".")[2])

    @staticmethod
    def _fits(entry: Obj, path: str) -> bool:
        wanted = entry.get("path", "").rstrip("/")
        return path == entry.get("path") or (entry["pathType"] != "Exact" and (path == wanted or path.startswith(wanted + "/")))

    @staticmethod
    def _served(ingress: Obj) -> bool:
        """Traefik takes those of its class, and as K3s sets it up those of none."""
        annotated = ingress["metadata"].get("annotations", {}).get("kubernetes.io/ingress.class", "")
        return (ingress["spec"].get("ingressClassName") or annotated) in ("", "traefik")

    def _find(self, name: str, namespace: str) -> Obj | None:
        found = (one for one in self._of("Service") if one["metadata"]["name"] == name and one["metadata"]["namespace"] == namespace)
        return next(found, None)

    def _of(self, kind: str) -> list[Obj]:
        return [obj for obj in self._cluster.objects if obj["kind"] == kind]
