"""ServiceLB: what it makes of a Service, and which nodes it says serve it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit import standin_path  # noqa: F401  # pyright: ignore[reportUnusedImport]

from standin import servicelb  # isort: skip

LABELS = {servicelb.SERVICE_NAME: "shop", servicelb.SERVICE_NAMESPACE: "florist"}


def service(**spec: Any) -> dict[str, Any]:
    ports = [{"port": 8081, "protocol": "TCP", "nodePort": 30001}, {"port": 53, "protocol": "UDP", "nodePort": 30002}]
    meta = {"name": "shop", "namespace": "florist", "uid": "0123456789abcdef"}
    return {"metadata": meta, "spec": {"type": "LoadBalancer", "clusterIP": "10.43.0.7", "ports": ports, **spec}, "status": {}}


def pod(address: str, *, ready: str = "True", labels: dict[str, str] = LABELS, **meta: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}]
    return {"metadata": {"labels": {"app": "x", **labels}, **meta}, "status": {"hostIP": address, "conditions": conditions}}


def environment(container: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


def test_a_service_gets_a_daemonset_with_its_ports_on_the_host() -> None:
    made = servicelb.daemonset(service())
    assert made["metadata"]["name"] == "svclb-shop-01234567"
    assert made["metadata"]["namespace"] == "kube-system"
    assert LABELS.items() <= made["metadata"]["labels"].items()
    containers = made["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in containers] == ["lb-tcp-8081", "lb-udp-53"]
    assert [one["ports"][0]["hostPort"] for one in containers] == [8081, 53]
    assert environment(containers[0]) == {"SRC_PORT": "8081", "DEST_PROTO": "TCP", "DEST_PORT": "8081", "DEST_IPS": "10.43.0.7"}


def test_a_label_on_some_node_makes_it_a_choice() -> None:
    assert "nodeSelector" not in servicelb.daemonset(service())["spec"]["template"]["spec"]
    made = servicelb.daemonset(service(), chosen=True)
    assert made["metadata"]["labels"]["svccontroller.k3s.cattle.io/nodeselector"] == "true"
    assert made["spec"]["template"]["spec"]["nodeSelector"] == {"svccontroller.k3s.cattle.io/enablelb": "true"}
    pooled = service()
    pooled["metadata"]["labels"] = {servicelb.POOL: "front"}
    selector = servicelb.daemonset(pooled, chosen=True)["spec"]["template"]["spec"]["nodeSelector"]
    assert selector == {"svccontroller.k3s.cattle.io/enablelb": "true", "svccontroller.k3s.cattle.io/lbpool": "front"}


def test_local_traffic_stays_on_its_node() -> None:
    container = servicelb.daemonset(service(externalTrafficPolicy="Local"))["spec"]["template"]["spec"]["containers"][0]
    assert environment(container)["DEST_PORT"] == "30001"
    assert environment(container)["DEST_IPS"] == {"fieldRef": {"fieldPath": "status.hostIP"}}


def test_the_longest_name_of_a_service_still_makes_a_valid_label() -> None:
    long = service()
    long["metadata"]["name"] = "s" * 63
    assert len(servicelb.daemonset(long)["spec"]["selector"]["matchLabels"]["app"]) == 63


def test_only_nodes_with_a_ready_pod_serve() -> None:
    pods = [
        pod("192.0.2.2"),
        pod("192.0.2.1"),
        pod("192.0.2.3", ready="False"),
        pod("192.0.2.4", deletionTimestamp="now"),
        pod("192.0.2.5", labels=LABELS | {servicelb.SERVICE_NAMESPACE: "other"}),
        {"metadata": {"labels": LABELS}, "status": {"phase": "Pending"}},
    ]
    assert servicelb.addresses(pods, "florist", "shop") == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize("spec", [{"type": "ClusterIP"}, {"loadBalancerClass": "example.com/x"}, {"clusterIP": "None"}])
def test_other_services_are_left_alone(spec: dict[str, Any]) -> None:
    assert servicelb.wants_address(service())
    assert not servicelb.wants_address(service(**spec))
