"""Three machines, one cluster: joining by K3s's tokens, pods that reach each other, and what happens when a node or its name goes wrong.

The tests run in order on one lab. Each leaves three nodes Ready.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.three_machines import ENV_FILE, TOKEN, Cluster, pod, service, three_machines


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with three_machines(tmp_path_factory.mktemp("home")) as cluster:
        yield cluster


def test_three_nodes_are_ready_when_the_lab_is(cluster: Cluster) -> None:
    nodes = {node["metadata"]["name"]: node for node in cluster.get("nodes")["items"]}
    assert set(nodes) == {"server", "a1", "a2"}
    assert "node-role.kubernetes.io/control-plane" in nodes["server"]["metadata"]["labels"]
    for host in ("a1", "a2"):
        meta = nodes[host]["metadata"]
        assert not any(label.startswith("node-role.kubernetes.io/") for label in meta["labels"])
        assert meta["labels"]["node.kubernetes.io/instance-type"] == "k3s"
        assert nodes[host]["spec"]["providerID"] == f"k3s://{host}"
        assert meta["annotations"]["k3s.io/internal-ip"] == cluster.machine(host).address
        assert json.loads(meta["annotations"]["k3s.io/node-args"]) == ["agent"]
        assert json.loads(meta["annotations"]["k3s.io/node-env"])["K3S_TOKEN"] == "********"
        assert cluster.sh(host, f"stat -c %a {ENV_FILE}") == "600"
        assert cluster.sh(host, f"cat {ENV_FILE}").startswith("K3S_URL=https://")
        assert "localhost:8080" in cluster.fails(host, "kubectl get nodes"), "an agent has no kubeconfig (k3s-io/k3s#3862)"
    ranges = [node["spec"]["podCIDR"] for node in nodes.values()]
    assert nodes["server"]["spec"]["podCIDR"] == "10.42.0.0/24" and len(set(ranges)) == 3


def test_a_pod_reaches_a_service_of_another_node_by_name(cluster: Cluster) -> None:
    cluster.apply(pod("far", "a2", "docker.io/course/web:1"), service("far"), pod("near", "a1"))
    cluster.kubectl("wait --for=condition=Ready pod/far pod/near --timeout=60s")
    answer = "kubectl exec near -- curl -sf --max-time 5 http://far.default.svc.cluster.local/"
    cluster.until("the Service answers", lambda: cluster.machine("server").run(["sh", "-c", answer], timeout_s=20).code == 0)
    address = cluster.get("pod/near")["status"]["podIP"]
    cluster.kubectl("exec near -- curl -sf --max-time 5 http://far/")
    assert address.startswith(cluster.get("node/a1")["spec"]["podCIDR"].rpartition(".")[0])
    assert "10.42" in cluster.sh("a1", "ip route show proto 107")
    events = cluster.get("events -A")["items"]
    assert [event["message"] for event in events if event["reason"] in ("Failed", "ErrImagePull", "BackOff")] == []
    assert cluster.kubectl("logs near") == "", "the API server reaches every kubelet"


def test_containers_outlive_a_restart_of_their_agent(cluster: Cluster) -> None:
    def container() -> tuple[str, int]:
        status = cluster.get("pod/near")["status"]["containerStatuses"][0]
        return status["containerID"], status["restartCount"]

    before = container()
    cluster.restart_agent("a1")
    cluster.ready()
    assert container() == before
    answer = "kubectl exec near -- curl -sf --max-time 5 http://far/"  # a kubelet that has just started does not know its pods yet
    cluster.until("the pod answers", lambda: cluster.machine("server").run(["sh", "-c", answer], timeout_s=20).code == 0)


def test_labels_come_at_each_start_and_taints_with_the_first(cluster: Cluster) -> None:
    file = "/etc/rancher/k3s/config.yaml"
    cluster.sh("a1", f"mkdir -p /etc/rancher/k3s; printf 'node-label: [site=north]\\nnode-taint: [edge=true:NoSchedule]\\n' > {file}")
    cluster.restart_agent("a1")
    node = cluster.get("node/a1")
    assert node["metadata"]["labels"]["site"] == "north"
    assert "taints" not in node["spec"]
    cluster.sh("a1", f"echo 'node-label: [node-role.kubernetes.io/edge=true]' > {file}")
    cluster.fails("a1", "systemctl restart k3s-agent")
    cluster.sh("a1", f"echo 'node-colour: red' > {file}")
    assert "'node-colour' is not known" in cluster.fails("a1", "k3s agent")
    cluster.sh("a1", f"rm {file}; systemctl restart k3s-agent")
    log = cluster.sh("a1", "journalctl -u k3s-agent --no-pager -o cat")
    assert "unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [node-role.kubernetes.io/edge]" in log
    cluster.ready()


def test_a_node_joins_with_every_kind_of_token(cluster: Cluster) -> None:
    full = cluster.sh("server", f"cat {TOKEN}")
    wrong = f"K10{'0' * 64}::{full.partition('::')[2]}"
    cluster.restart_agent("a2", settings=f"K3S_TOKEN={wrong}", forget=True, wait=False)
    cluster.says("a2", "token CA hash does not match the Cluster CA certificate hash: 0000")
    cluster.restart_agent("a2", settings="K3S_TOKEN=guess", forget=True, wait=False)
    cluster.says("a2", "/v1-k3s/config: 401 Unauthorized")
    cluster.restart_agent("a2", settings=f"K3S_TOKEN={full.rpartition(':')[2]}", forget=True)
    cluster.says("a2", "the token does not include a CA hash")
    made = cluster.sh("server", "k3s token create --ttl 1h --description 'for a2'")
    token_id = made.partition("::")[2].partition(".")[0]
    assert made.startswith(full.partition("::")[0] + "::")
    listed = cluster.sh("server", "k3s token list").splitlines()
    assert listed[0].split() == ["TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA", "GROUPS"]
    assert listed[1].startswith(token_id) and "authentication,signing" in listed[1] and "for a2" in listed[1]
    cluster.restart_agent("a2", settings=f"K3S_TOKEN={made}", forget=True)
    assert cluster.sh("server", f"k3s token delete {token_id}") == f'bootstrap token "{token_id}" deleted'
    cluster.restart_agent("a2")
    cluster.ready()


def test_a_bootstrap_token_ends(cluster: Cluster) -> None:
    made = cluster.sh("server", "k3s token create --ttl 2s")
    cluster.until("it is gone", lambda: len(cluster.sh("server", "k3s token list").splitlines()) == 1)
    cluster.restart_agent("a2", settings=f"K3S_TOKEN={made}", forget=True, wait=False)
    cluster.says("a2", "401 Unauthorized")
    full = cluster.sh("server", f"cat {TOKEN}")
    cluster.restart_agent("a2", settings=f"K3S_TOKEN={full}", forget=True)
    cluster.ready()


def test_a_host_name_cannot_be_used_twice(cluster: Cluster) -> None:
    cluster.stop_agent("a2")
    cluster.sh("a2", "rm -f /var/lib/rancher/k3s/agent/client-kubelet.*; hostname a1; systemctl start --no-block k3s-agent")
    cluster.says(
        "a2",
        "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry, "
        "try enabling a unique node name with the --with-node-id flag",
    )
    secret = cluster.get("secret/a1.node-password.k3s -n kube-system")
    assert secret["immutable"] and set(secret["data"]) == {"hash"}
    cluster.sh("a2", "hostname a2; systemctl restart k3s-agent")
    cluster.ready()


def test_a_deleted_node_comes_back_when_its_agent_starts(cluster: Cluster) -> None:
    cluster.kubectl("delete node a2")
    cluster.until("its password is forgotten", lambda: "a2.node-password.k3s" not in cluster.kubectl("get secrets -n kube-system -o name"))
    cluster.restart_agent("a2")
    cluster.ready()


def test_servicelb_uses_the_nodes_that_are_chosen(cluster: Cluster) -> None:
    label = "svccontroller.k3s.cattle.io/enablelb"
    cluster.apply(service("far", type="LoadBalancer", ports=[{"port": 8081, "targetPort": 8080}]))

    def addresses() -> set[str]:
        return {entry["ip"] for entry in cluster.get("service/far")["status"].get("loadBalancer", {}).get("ingress", [])}

    everywhere = {cluster.machine(host).address for host in ("server", "a1", "a2")}
    cluster.until("all nodes serve", lambda: addresses() == everywhere)
    cluster.kubectl(f"label node a1 {label}=true")
    cluster.until("only a1 serves", lambda: addresses() == {cluster.machine("a1").address})
    cluster.kubectl(f"label node a1 {label}-")
    cluster.until("all nodes serve again", lambda: addresses() == everywhere)
