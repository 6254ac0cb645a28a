"""The life of a lab of three machines: a node is lost, all are stopped, put back to a snapshot, made anew.

The tests run in order on one lab. Each leaves three nodes Ready, and a shop on a2 that a visitor on a1 reaches.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from courselab.session import kept, snapshots
from courselab.session.end import stop
from courselab.session.reset import reset
from courselab.session.restore import restore
from courselab.session.resume import wake
from tests.integration.three_machines import Cluster, pod, service, three_machines

HOSTS = ("server", "a1", "a2")
PATIENCE_S = 3
# K3s waits 50 s until a node counts as lost; here 8 s, so that the test is quick.
K3S = "{needs: [coredns], config: {disable: [traefik, local-storage, metrics-server], kube-controller-manager-arg: [node-monitor-grace-period=8s]}}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with three_machines(tmp_path_factory.mktemp("home"), K3S) as cluster:
        cluster.apply(pod("shop", "a2", "docker.io/course/web:1"), service("shop"), pod("visitor", "a1"))
        cluster.kubectl("wait --for=condition=Ready pod/shop pod/visitor --timeout=60s")
        yield cluster


def visits(cluster: Cluster) -> bool:
    """Whether the visitor on a1 gets the shop on a2, by its Service's name."""
    argv = ["kubectl", "exec", "visitor", "--", "curl", "-sf", "--max-time", "5", "http://shop/"]
    return cluster.machine("server").run(argv, timeout_s=20).code == 0


def addresses(cluster: Cluster) -> dict[str, str]:
    return {host: cluster.machine(host).address for host in HOSTS}


def test_pods_leave_a_node_whose_agent_stopped_and_it_comes_back(cluster: Cluster) -> None:
    tolerations = [
        {"key": f"node.kubernetes.io/{why}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": PATIENCE_S}
        for why in ("not-ready", "unreachable")
    ]
    container = {"name": "main", "image": "docker.io/course/web:1", "imagePullPolicy": "IfNotPresent"}
    template = {"metadata": {"labels": {"app": "api"}}, "spec": {"tolerations": tolerations, "containers": [container]}}
    deployment = {"replicas": 1, "selector": {"matchLabels": {"app": "api"}}, "template": template}
    cluster.kubectl("cordon server")
    cluster.kubectl("cordon a1")
    cluster.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api"}, "spec": deployment})
    cluster.kubectl("wait --for=condition=Available deployment/api --timeout=60s")
    cluster.kubectl("uncordon a1")
    cluster.sh("a2", "systemctl stop k3s-agent")
    cluster.kubectl("wait --for=condition=Ready=Unknown node/a2 --timeout=90s")

    def homes() -> list[str]:
        pods = cluster.get("pods -l app=api")["items"]
        return [
            item["spec"].get("nodeName", "")
            for item in pods
            if item["status"]["phase"] == "Running" and "deletionTimestamp" not in item["metadata"]
        ]

    cluster.until("the pod runs on a1 alone", lambda: homes() == ["a1"])
    assert "node.kubernetes.io/unreachable" in str(cluster.get("node/a2")["spec"]["taints"])
    cluster.sh("a2", "systemctl start k3s-agent")
    cluster.ready()
    cluster.until("the old pod is gone", lambda: len(cluster.get("pods -l app=api")["items"]) == 1)
    assert homes() == ["a1"], "it does not go back by itself"
    cluster.until("the node is trusted again", lambda: "taints" not in cluster.get("node/a2")["spec"])
    cluster.kubectl("uncordon server")
    cluster.kubectl("delete deployment api --timeout=60s")
    cluster.until("the visitor is served", lambda: visits(cluster))


def test_after_a_stop_all_is_as_it_was(cluster: Cluster) -> None:
    before = addresses(cluster)
    ranges = cluster.kubectl("get nodes -o jsonpath={.items[*].spec.podCIDR}")
    stop(cluster.context, cluster.state, cluster.lab)
    cluster.state = wake(cluster.context, cluster.lab, cluster.context.store.load("90") or cluster.state)
    cluster.ready()
    assert addresses(cluster) == before
    assert cluster.kubectl("get nodes -o jsonpath={.items[*].spec.podCIDR}") == ranges
    cluster.until("the visitor is served", lambda: visits(cluster))


def test_a_snapshot_holds_all_machines(cluster: Cluster) -> None:
    before = addresses(cluster)
    cluster.sh("a1", "echo before > /var/lib/mark")
    snapshots.take(cluster.context, cluster.lab, cluster.state, name="joined")
    cluster.until("it runs on", lambda: visits(cluster))
    cluster.sh("a1", "echo after > /var/lib/mark")
    cluster.kubectl("create configmap later --from-literal=a=b")
    cluster.kubectl("delete node a2")
    cluster.state = restore(cluster.context, cluster.lab, cluster.state, kept.find(cluster.context.store, "90", "joined"))
    cluster.ready()
    assert addresses(cluster) == before
    assert cluster.sh("a1", "cat /var/lib/mark") == "before"
    assert "later" not in cluster.kubectl("get configmaps -o name")
    cluster.until("the visitor is served", lambda: visits(cluster))


def test_a_reset_makes_three_nodes_anew_and_keeps_the_old_ones(cluster: Cluster) -> None:
    before = addresses(cluster)
    cluster.state = reset(cluster.context, cluster.lab, cluster.state)
    cluster.ready()
    assert addresses(cluster) == before
    assert "shop" not in cluster.kubectl("get pods -o name")
    assert cluster.fails("a1", "cat /var/lib/mark")
    (old,) = [one for one in kept.all_of(cluster.context.store, "90") if one.name == snapshots.BEFORE_RESET]
    cluster.state = restore(cluster.context, cluster.lab, cluster.state, old)
    cluster.ready()
    cluster.until("the visitor is served", lambda: visits(cluster))
