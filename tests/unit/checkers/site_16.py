"""Chapter 16's site on paper, with everything mended: tests change it, then have it judged."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from courselab.grade.evidence import FileState
from courselab.safe_yaml import LOADER
from tests.unit.checkers.fake_cluster import COURSE, FakeCluster, Obj, hidden
from tests.unit.checkers.kept_lab import put

EVENING = "/var/lib/courselab/evening.json"
LOCAL = {"node", "image", "selector", "names", "quota", "key", "door", "storage", "access", "wall"}
ALL = LOCAL | {"clock", "disk"}
PAGES = {
    "node": "offers", "image": "shop", "selector": "cart", "quota": "orders", "key": "account", "door": "press", "storage": "guestbook",
}  # fmt: skip
TELNET, HTTPS = 'tcp dport 23 drop comment "security team: no telnet"', 'fib daddr type local tcp dport 443 drop comment "added 02:14"'
COREFILE = ".:53 {\n    import /etc/coredns/custom/*.override\n    kubernetes cluster.local\n}"


class Site:
    """The site after a night, all tickets done."""

    def __init__(self) -> None:
        self.on = FakeCluster("16")
        self.params = self.on.params
        node = self.find("Node", "server")
        node["spec"], node["status"]["conditions"] = {}, [{"type": "Ready", "status": "True"}]
        self.on.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}})
        self.on.apply((COURSE / "labs" / "16-broken-site" / "manifests" / "site.yaml").read_text(encoding="utf-8"))
        self.add("networking.k8s.io/v1", "IngressClass", "traefik", "")
        self.add("storage.k8s.io/v1", "StorageClass", "local-path", "")
        self.add("v1", "ConfigMap", "coredns", "kube-system", data={"Corefile": COREFILE})
        self.add("v1", "ResourceQuota", "budget", self.params.back, spec={"hard": {"requests.memory": "64Mi"}})
        for ingress in self.all("Ingress"):
            ingress["status"] = {"loadBalancer": {"ingress": [{"ip": "10.83.0.2"}]}}
        self.find("PersistentVolumeClaim", "guestbook").update(status={"phase": "Bound"})
        self.find("PersistentVolumeClaim", "guestbook")["spec"]["storageClassName"] = "local-path"
        self.holds(**{"database-key": self.params.password, "databasekey": self.params.password})
        for number, service in enumerate(self.all("Service")):
            service["spec"]["clusterIP"] = f"10.43.0.{number + 20}"
            self.leads_to_its_pods(service)
        kept = {"cluster": self.uid("kube-system"), "namespace": self.uid(self.params.namespace), "back": self.uid(self.params.back)}
        self.on.files[EVENING] = FileState(exists=True, kind="file", text=json.dumps(kept))
        self.on.facts = {"firewall": {"loaded": [TELNET], "saved": [TELNET]}, "clock": "NTP=yes\nNTPSynchronized=yes\n"}
        for app in PAGES.values():
            self.answers(app, 200, f"{app.capitalize()} of the {self.params.namespace}\nversion: 1\n")
        self.on.probe("16.secure", {"status": 404, "body": "404 page not found", "error": ""})
        self.on.probe("16.access", {"code": 0, "error": "", "insecure": False})
        self.resolves()

    # Looking --------------------------------------------------------------------------------------------------------------------

    def all(self, kind: str) -> list[Obj]:
        return [one for one in self.on.objects if one["kind"] == kind]

    def find(self, kind: str, name: str) -> Obj:
        return self.on.find(kind, name)

    def uid(self, namespace: str) -> str:
        return self.find("Namespace", namespace)["metadata"]["uid"]

    def pods(self, app: str) -> list[Obj]:
        return [one for one in self.all("Pod") if one["metadata"]["name"].startswith(f"{app}-")]

    def specs(self, app: str) -> list[Obj]:
        """The specifications of an application's pods: in its Deployment, and of each of them."""
        return [self.find("Deployment", app)["spec"]["template"]["spec"], *(pod["spec"] for pod in self.pods(app))]

    # Changing -------------------------------------------------------------------------------------------------------------------

    def value(self, text: str) -> Any:
        """YAML with {parameters}."""
        return yaml.load(self.params.fill(text), Loader=LOADER)

    def add(self, api: str, kind: str, name: str, namespace: str | None = None, **content: Any) -> Obj:
        metadata = {"name": name, **({"namespace": namespace or self.params.namespace} if namespace != "" else {})}
        return self.on.add({"apiVersion": api, "kind": kind, "metadata": metadata, **content})

    def remove(self, *names: str) -> None:
        """Without objects, named as "Ingress/press"."""
        for kind, _, name in (one.partition("/") for one in names):
            found = self.find(kind, name)
            self.on.objects = [one for one in self.on.objects if one is not found]

    def pods_have(self, app: str, pointer: str, value: Any) -> None:
        """A field of an application's pods; they are made anew with it."""
        for spec in self.specs(app):
            put(spec, pointer, value)

    def holds(self, **data: str) -> None:
        """What the Secret holds."""
        self.find("Secret", "account")["data"] = {key: hidden(str(value)) for key, value in data.items()}

    def leads_to_its_pods(self, service: Obj) -> None:
        name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
        endpoints = [
            {
                "addresses": [pod["status"]["podIP"]],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
            }
            for pod in self.pods(name)
        ]
        self.on.add({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-abc", "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
            "endpoints": endpoints, "ports": [{"name": "", "port": 8080}],
        })  # fmt: skip

    # What people and programs see -----------------------------------------------------------------------------------------------

    def answers(self, app: str, status: int, body: str = "", error: str = "") -> None:
        self.on.probe(f"16.{app}", {"status": status, "body": body, "error": error})

    def down(self, app: str) -> None:
        self.answers(app, 503, "no available server")

    def resolves(self, code: str = "0", **addresses: str) -> None:
        """What the name server says: for every Service its address, or what is named here ("cart": "192.0.2.1")."""
        found = {}
        for one in self.all("Service"):
            name, namespace = one["metadata"]["name"], one["metadata"]["namespace"]
            address = addresses.get(name, one["spec"]["clusterIP"])
            found[f"{name}.{namespace}.svc.cluster.local"] = [code] if code != "0" else [code, address]
        self.on.probe("16.names", {"answers": found, "error": ""})

    def dana_sees(self, error: str = "", *, insecure: bool = False) -> None:
        self.on.probe("16.access", {"code": int(bool(error)), "error": error, "insecure": insecure})

    def firewall(self, *, loaded: list[str], saved: list[str]) -> None:
        self.on.facts["firewall"] = {"loaded": loaded, "saved": saved}
        chains = "\n".join(loaded).split("chain ")
        first = [found for chain in chains if (found := re.search(r"^.* 443 .*(drop|reject|accept)", chain, re.MULTILINE))]
        shut = any(found[1] != "accept" for found in first)
        self.on.probe(
            "16.secure", {"status": 0, "body": "", "error": "no answer in time"} if shut else {"status": 404, "body": "", "error": ""}
        )

    # Judging --------------------------------------------------------------------------------------------------------------------

    def passed(self) -> set[str]:
        return self.on.passed()

    def says(self, task: str) -> tuple[str, str]:
        found = self.on.verdicts()[task]
        return found.verdict.value, found.diagnosis
