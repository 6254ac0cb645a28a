"""The stand-in's edge: what the outside reaches through ServiceLB and Traefik, as with K3s."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from courselab.k3s.api import Api
from courselab.k3s.kubeconfig import fetch_kubeconfig
from courselab.k3s.ready import COMPONENTS, wait_for
from tests.integration.server import MANIFESTS, Server, pod, server_of_its_own

HOST = "shop.example"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SVCLB = "svccontroller.k3s.cattle.io/svcname"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is ready as a lab that needs Traefik calls it, with a web server and its Service in it."""
    with server_of_its_own(tmp_path_factory.mktemp("home"), "edge", {}) as found:
        wait_for(Api(yaml.safe_load(fetch_kubeconfig(found.machine))), COMPONENTS["traefik"], timeout_s=120)
        script = "echo hello > /tmp/index.html; exec busybox httpd -f -p 8080 -h /tmp"
        found.apply(pod("web", "sh", "-c", script), service("web", 80), ingress("web"))
        found.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
        yield found


def service(name: str, port: int, **spec: Any) -> dict[str, Any]:
    ports = [{"name": "http", "port": port, "targetPort": 8080}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": "web"}, "ports": ports, **spec}}


def ingress(backend: str, **spec: Any) -> dict[str, Any]:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": backend, "port": {"number": 80}}}}
    rules = [{"host": HOST, "http": {"paths": [path]}}]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}, "spec": {"rules": rules, **spec}}


def answer(server: Server, port: int = 80, host: str = HOST) -> tuple[int, str]:
    """What the host gets at the machine's address: status (0 if nobody answers) and text."""
    request = urllib.request.Request(f"http://{server.machine.address}:{port}/", headers={"Host": host})
    try:
        with DIRECT.open(request, timeout=5) as got:
            return got.status, got.read(1000).decode()
    except urllib.error.HTTPError as refused:
        return refused.code, ""
    except OSError:
        return 0, ""


def svclb(server: Server, name: str) -> list[dict[str, Any]]:
    return server.get("daemonsets", "-n", "kube-system", "-l", f"{SVCLB}={name}")["items"]


def test_ready_means_that_traefik_answers(server: Server) -> None:
    assert answer(server, host="nobody.example")[0] == 404
    assert server.sh("curl -s -o /dev/null -w '%{http_code}' http://localhost/") == "404", "on the machine itself too"


def test_an_ingress_leads_its_host_name_to_the_service(server: Server) -> None:
    server.until("the host name leads to the pod", lambda: answer(server) == (200, "hello\n"))
    assert answer(server, host="other.example")[0] == 404
    server.until(
        "the Ingress shows the node's address",
        lambda: server.get("ingress", "web")["status"]["loadBalancer"].get("ingress") == [{"ip": server.machine.address}],
    )


def test_an_ingress_without_a_class_gets_traefiks(server: Server) -> None:
    assert server.get("ingress", "web")["spec"]["ingressClassName"] == "traefik"


def test_a_secret_gives_the_certificate(server: Server) -> None:
    make = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN={0} -addext subjectAltName=DNS:{0} -keyout /tmp/k -out /tmp/c 2>/dev/null"
    server.sh(f"{make.format(HOST)}; kubectl create secret tls web --cert /tmp/c --key /tmp/k")
    server.apply(ingress("web", tls=[{"hosts": [HOST], "secretName": "web"}]))
    ask = f"curl -sS --cacert /tmp/c --resolve {HOST}:443:{server.machine.address} https://{HOST}/"
    server.until("the certificate is ours", lambda: server.machine.run(["sh", "-c", ask], timeout_s=20).text == "hello\n")


def test_a_load_balancer_opens_its_port_to_the_outside(server: Server) -> None:
    server.apply(service("public", 8081, type="LoadBalancer"))
    server.until("the port answers", lambda: answer(server, 8081) == (200, "hello\n"))
    server.until(
        "the Service shows the node's address",
        lambda: (
            [one["ip"] for one in server.get("service", "public")["status"]["loadBalancer"].get("ingress", [])] == [server.machine.address]
        ),
    )
    (found,) = svclb(server, "public")
    uid = server.get("service", "public")["metadata"]["uid"]
    assert found["metadata"]["name"] == f"svclb-public-{uid[:8]}"
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "lb-tcp-8081"
    assert container["ports"][0]["hostPort"] == 8081

    server.apply(service("public", 8082, type="LoadBalancer"))
    server.until("the new port answers", lambda: answer(server, 8082) == (200, "hello\n"))
    server.until("the old port is closed", lambda: answer(server, 8081)[0] == 0)

    server.kubectl("delete", "service", "public")
    server.until("the DaemonSet goes with its Service", lambda: not svclb(server, "public"))
    server.until("the port is closed", lambda: answer(server, 8082)[0] == 0)


def test_a_taken_port_leaves_the_service_pending(server: Server) -> None:
    server.apply(service("second", 80, type="LoadBalancer"))

    def pending() -> bool:
        pods = server.get("pods", "-n", "kube-system", "-l", f"{SVCLB}=second")["items"]
        return [(one["status"]["phase"], "free ports" in json.dumps(one["status"])) for one in pods] == [("Pending", True)]

    server.until("its pod is Pending for want of the port", pending)
    assert not server.get("service", "second")["status"]["loadBalancer"].get("ingress")
    server.kubectl("delete", "service", "second")


def test_udp_is_passed_on(server: Server) -> None:
    dns = {"name": "dns", "port": 5353, "targetPort": 53, "protocol": "UDP"}
    server.apply({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "names", "namespace": "kube-system"},
        "spec": {"type": "LoadBalancer", "selector": {"k8s-app": "kube-dns"}, "ports": [dns]},
    })  # fmt: skip
    question = "12340100000100000000000003" + b"www".hex() + "07" + b"invalid".hex() + "0000010001"
    ask = (
        f"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2);"
        f"s.sendto(bytes.fromhex('{question}'), ('{server.machine.address}', 5353)); print(s.recv(512)[:2].hex())"
    )
    server.until("CoreDNS answers", lambda: server.machine.run(["python3", "-c", ask], timeout_s=20).text.strip() == "1234")
    server.kubectl("delete", "service", "names", "-n", "kube-system")


def test_a_disabled_edge_goes_at_the_next_start(server: Server) -> None:
    server.machine.put("/etc/rancher/k3s/config.yaml", b"disable: [traefik, servicelb]\n", mode=0o600)
    server.sh("systemctl restart k3s", timeout_s=120)
    server.until(
        "Traefik's Deployment is gone", lambda: "traefik" not in server.kubectl("get", "deployments", "-n", "kube-system", "-o", "name")
    )
    server.until("no DaemonSet of ServiceLB stays", lambda: not server.kubectl("get", "daemonsets", "-n", "kube-system", "-o", "name"))
    server.until("port 80 is closed", lambda: answer(server)[0] == 0)
    assert server.machine.run(["test", "-e", f"{MANIFESTS}/traefik.yaml"], timeout_s=10).code == 1
