"""The stand-in on a real machine: what a lab and a learner expect of K3s."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from courselab.course.model import Role
from courselab.k3s.install import install_k3s, start_k3s
from courselab.k3s.release import Release
from courselab.k3s.standin import stand_in_release
from courselab.machines import Machine, MachineSpec
from courselab.machines.local.provider import LocalProvider
from courselab.paths import Paths
from courselab.progress import Silent

COURSE = Path(__file__).parents[2]
BUSYBOX = "k3s-standin/busybox:1"
CONFIG = {"write-kubeconfig-mode": "644", "tls-san": ["shop.example"], "node-label": ["place=edge"], "kubelet-arg": ["max-pods=60"]}
MANIFESTS = "/var/lib/rancher/k3s/server/manifests"


class Server:
    """A server and short ways to ask it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def sh(self, script: str, *, user: str = "root", timeout_s: float = 60) -> str:
        done = self.machine.run(["sh", "-euc", script], timeout_s=timeout_s, user=user)
        assert done.code == 0, f"{script}\n{done.text}\n{done.error_text}"
        return done.text.strip()

    def kubectl(self, *words: str) -> str:
        done = self.machine.run(["kubectl", *words], timeout_s=60)
        assert done.code == 0, f"kubectl {words}\n{done.text}\n{done.error_text}"
        return done.text.strip()

    def get(self, *words: str) -> dict[str, Any]:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def apply(self, *things: dict[str, Any]) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(things)})
        done = self.machine.run(["kubectl", "apply", "-f", "-"], input=text.encode(), timeout_s=60)
        assert done.code == 0, done.error_text

    def until(self, what: str, true: Callable[[], bool], within_s: float = 60) -> None:
        deadline = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
            time.sleep(0.3)


@pytest.fixture(scope="module")
def release() -> Release:
    cache = Path(os.environ.get("LAB_CACHE") or Path.home() / ".cache" / "k3s-course-lab")
    return stand_in_release(_paths(cache, cache), Silent())


@pytest.fixture(scope="module")
def server(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    cache = Path(os.environ.get("LAB_CACHE") or Path.home() / ".cache" / "k3s-course-lab")
    provider = LocalProvider(_paths(cache, tmp_path_factory.mktemp("home")), Silent(), lambda _: True)
    machine = provider.create(MachineSpec("test-standin-server", "server", "standin", mounts=release.mounts))
    try:
        install_k3s(machine, release, Role.SERVER, config=CONFIG, images=())
        start_k3s(machine, Role.SERVER)
        found = Server(machine)
        found.kubectl("wait", "--for=create", "node/server", "--timeout=60s")
        found.kubectl("wait", "--for=condition=Ready", "node/server", "--timeout=60s")
        yield found
    finally:
        machine.delete()


def _paths(cache: Path, home: Path) -> Paths:
    return Paths(course=COURSE, state=home / "state", cache=cache, config=home / "config", work=home / "work")


def pod(name: str, *command: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": BUSYBOX, "command": list(command) or ["sleep", "3600"], **spec.pop("container", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], **spec},
    }


def test_the_node_looks_like_one_of_k3s(server: Server) -> None:
    server.kubectl("wait", "--for=jsonpath={.spec.podCIDR}", "node/server", "--timeout=60s")
    server.kubectl("wait", "--for=jsonpath={.metadata.annotations.k3s\\.io/node-args}", "node/server", "--timeout=60s")
    node = server.get("node", "server")
    labels, spec = node["metadata"]["labels"], node["spec"]
    assert labels["node-role.kubernetes.io/control-plane"] == "true"
    assert labels["node.kubernetes.io/instance-type"] == "k3s"
    assert labels["place"] == "edge"
    assert spec["providerID"] == "k3s://server"
    assert spec["podCIDR"] == "10.42.0.0/24"
    assert node["status"]["capacity"]["pods"] == "60"
    assert {"type": "InternalIP", "address": server.machine.address} in node["status"]["addresses"]


def test_it_never_calls_itself_k3s(server: Server) -> None:
    said = server.sh("k3s --version")
    assert said.startswith("stand-in version v1."), said
    assert "not K3s" in said


def test_the_learner_uses_kubectl_as_with_k3s(server: Server) -> None:
    assert server.sh("stat -c '%U %a' /etc/rancher/k3s/k3s.yaml") == "root 644"
    assert "server" in server.sh("KUBECONFIG= kubectl get nodes", user="student")
    assert "coredns" in server.sh("k3s crictl images")
    assert "k3s-standin/coredns" in server.sh("k3s ctr images ls -q")


def test_the_node_token_names_the_clusters_authority(server: Server) -> None:
    token = server.sh("cat /var/lib/rancher/k3s/server/node-token")
    digest = hashlib.sha256(server.machine.get("/var/lib/rancher/k3s/server/tls/server-ca.crt")).hexdigest()
    assert token.startswith(f"K10{digest}::server:")
    assert server.sh("k3s token") == token
    assert server.sh("stat -L -c %a /var/lib/rancher/k3s/server/node-token") == "600"


def test_tls_san_is_in_the_certificate(server: Server) -> None:
    shown = server.sh("openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName")
    assert "DNS:shop.example" in shown
    assert f"IP Address:{server.machine.address}" in shown


@pytest.mark.parametrize(("words", "named"), [(["--flannel-iface", "eth0"], "--flannel-iface"), (["--disable", "trefik"], "trefik")])
def test_what_it_does_not_know_is_refused_by_name(server: Server, words: list[str], named: str) -> None:
    done = server.machine.run(["k3s", "server", *words], timeout_s=20)
    assert done.code == 1
    assert named in done.error_text


def test_a_pod_finds_a_service_by_its_name(server: Server) -> None:
    server.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=60s")
    web = pod("web", "sh", "-c", "echo hello > /tmp/index.html; exec busybox httpd -f -p 8080 -h /tmp")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    server.apply(web, service, pod("client"))
    server.kubectl("wait", "--for=condition=Ready", "pod/web", "pod/client", "--timeout=60s")
    ask = "printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 web.default.svc.cluster.local 80"
    answer = ["kubectl", "exec", "client", "--", "sh", "-c", ask]
    server.until("the service answers", lambda: server.machine.run(answer, timeout_s=20).text.strip().endswith("hello"))
    assert "10.43.0.1" in server.kubectl("exec", "client", "--", "busybox", "nslookup", "kubernetes.default.svc.cluster.local")
    assert server.machine.address in server.kubectl("exec", "client", "--", "busybox", "nslookup", "server.")


def test_a_claim_is_bound_to_a_folder_of_the_node(server: Server) -> None:
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    }  # fmt: skip
    writer = pod(
        "writer", "sh", "-c", "echo kept > /data/file; exec sleep 3600",
        container={"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    )  # fmt: skip
    server.apply(claim, writer)
    server.kubectl("wait", "--for=condition=Ready", "pod/writer", "--timeout=90s")
    assert server.get("pvc", "data")["spec"]["storageClassName"] == "local-path"
    server.until("the file is on the node", lambda: "kept" in server.sh("cat /var/lib/rancher/k3s/storage/pvc-*_default_data/file || true"))
    server.kubectl("delete", "pod/writer", "pvc/data", "--wait=true")
    server.until("the volume is gone", lambda: not server.get("pv")["items"])


def test_a_manifest_is_kept_applied(server: Server) -> None:
    def config_map(name: str, value: str) -> str:
        return json.dumps(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": {"v": value}}
        )

    def put(*texts: str) -> None:
        server.machine.put(f"{MANIFESTS}/mine.yaml", "\n---\n".join(texts).encode())

    def names() -> set[str]:
        return {item["metadata"]["name"] for item in server.get("configmap", "-n", "default")["items"]}

    put(config_map("one", "1"), config_map("two", "1"))
    server.until("the manifest is applied", lambda: {"one", "two"} <= names())
    server.until("its addon is there", lambda: "mine" in server.kubectl("-n", "kube-system", "get", "addons", "-o", "name"))
    put(config_map("one", "2"))
    server.until("the change is applied", lambda: server.get("configmap", "one")["data"]["v"] == "2")
    server.until("what the file no longer has is deleted", lambda: "two" not in names())
    server.sh(f"touch {MANIFESTS}/mine.yaml.skip")
    put(config_map("one", "3"))
    time.sleep(5)
    assert server.get("configmap", "one")["data"]["v"] == "2", "a skipped file is not applied"
    server.sh(f"rm {MANIFESTS}/mine.yaml {MANIFESTS}/mine.yaml.skip")
    time.sleep(5)
    assert "one" in names(), "objects of a removed file stay"


def test_containers_outlive_a_restart(server: Server) -> None:
    server.apply(pod("steady"))
    server.kubectl("wait", "--for=condition=Ready", "pod/steady", "--timeout=60s")
    before = server.get("pod", "steady")["status"]["containerStatuses"][0]
    coredns = server.get("pod", "-n", "kube-system", "-l", "k8s-app=kube-dns")["items"][0]["metadata"]["uid"]
    server.sh("systemctl restart k3s")
    server.kubectl("wait", "--for=condition=Ready", "node/server", "--timeout=60s")
    time.sleep(5)  # long enough for a kubelet that would not recognise them
    after = server.get("pod", "steady")["status"]["containerStatuses"][0]
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)
    assert server.get("pod", "-n", "kube-system", "-l", "k8s-app=kube-dns")["items"][0]["metadata"]["uid"] == coredns
    assert server.kubectl("exec", "steady", "--", "echo", "still here") == "still here"


def test_it_comes_back_when_a_part_of_it_dies(server: Server) -> None:
    started = server.sh("systemctl show -p NRestarts --value k3s")
    server.sh("kill -9 $(pgrep -f '[b]in/kine')")
    server.until("systemd started it again", lambda: server.sh("systemctl show -p NRestarts --value k3s") != started)
    server.until("the API server answers", lambda: server.machine.run(["kubectl", "get", "--raw", "/readyz"], timeout_s=20).code == 0)


def test_a_disabled_component_is_removed(server: Server) -> None:
    server.machine.put("/etc/rancher/k3s/config.yaml.d/no-storage.yaml", b"disable+: [local-storage]\n")
    server.sh("systemctl restart k3s")
    server.until(
        "its objects are gone",
        lambda: not server.get("deployment", "-n", "kube-system", "--field-selector", "metadata.name=local-path-provisioner")["items"],
    )
    assert server.get("storageclass")["items"] == []
    assert "local-storage.yaml" not in server.sh(f"ls {MANIFESTS}")


def test_what_it_cannot_do_fails_with_a_reason_in_the_journal(server: Server) -> None:
    server.machine.put("/etc/rancher/k3s/config.yaml.d/wrong.yaml", b"no-such-key: 1\n")
    done = server.machine.run(["timeout", "5", "systemctl", "restart", "k3s"], timeout_s=30)
    assert done.code != 0
    assert "no-such-key" in server.sh("journalctl -u k3s -n 20 --no-pager -o cat")
    server.sh("rm /etc/rancher/k3s/config.yaml.d/wrong.yaml; systemctl restart k3s")
