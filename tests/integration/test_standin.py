"""The stand-in on a real machine: what a lab and a learner expect of K3s."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator

import pytest

from tests.integration.server import MANIFESTS, Server, pod, server_of_its_own

CONFIG = {"write-kubeconfig-mode": "644", "tls-san": ["shop.example"], "node-label": ["place=edge"], "kubelet-arg": ["max-pods=60"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server_of_its_own(tmp_path_factory.mktemp("home"), "standin", CONFIG) as found:
        yield found


def test_the_node_looks_like_one_of_k3s(server: Server) -> None:
    server.kubectl("wait", "--for=jsonpath={.spec.podCIDR}", "node/server", "--timeout=60s")
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
    made = server.sh("k3s token create --ttl 5m")
    assert made.startswith(f"K10{digest}::") and made.partition("::")[2].partition(".")[0] in server.sh("k3s token list")
    assert server.sh("stat -L -c %a /var/lib/rancher/k3s/server/node-token") == "600"


def test_tls_san_is_in_the_certificate(server: Server) -> None:
    shown = server.sh("openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName")
    assert "DNS:shop.example" in shown
    assert f"IP Address:{server.machine.address}" in shown


def test_certificates_say_until_when_they_are_good(server: Server) -> None:
    shown = server.sh("k3s certificate check --output table")
    (mine,) = [line.split() for line in shown.splitlines() if line.startswith("client-admin.crt") and "system:admin" in line]
    assert (mine[2], mine[-3:]) == ("ClientAuth", ["1", "year", "OK"])
    assert server.machine.run(["k3s", "certificate", "check"], timeout_s=20, user="student").code == 1


def test_a_client_certificate_lasts_as_long_as_was_asked_for(server: Server) -> None:
    ask = "openssl req -new -newkey rsa:2048 -nodes -keyout /tmp/dana.key -out /tmp/dana.csr -subj /CN=dana 2>/dev/null; base64 -w0 /tmp/dana.csr"
    spec = {
        "request": server.sh(ask), "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"], "expirationSeconds": 86400,
    }  # fmt: skip
    server.apply({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "dana"}, "spec": spec})
    server.kubectl("certificate", "approve", "dana")
    server.until("it is signed", lambda: "certificate" in server.get("csr", "dana")["status"])
    signed = "kubectl get csr dana -o jsonpath={.status.certificate} | base64 -d | openssl x509 -noout"
    assert "k3s-client-ca@" in server.sh(f"{signed} -issuer")
    assert server.machine.run(["sh", "-c", f"{signed} -checkend 86000"], timeout_s=20).code == 0
    assert server.machine.run(["sh", "-c", f"{signed} -checkend 86500"], timeout_s=20).code == 1


@pytest.mark.parametrize(("words", "seconds"), [((), 3600), (("--duration=24h",), 86400)])
def test_a_token_lasts_as_long_as_was_asked_for(server: Server, words: tuple[str, ...], seconds: int) -> None:
    body = server.kubectl("create", "token", "default", *words).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["exp"] - claims["iat"] == seconds


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
