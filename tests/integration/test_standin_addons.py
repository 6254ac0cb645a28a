"""What lies in server/manifests, Helm charts and packaged components of the stand-in, on a real server, as with K3s."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from courselab.k3s.standin.charts import pack_charts
from tests.integration.server import MANIFESTS, Server, server_of_its_own

METRICS_ADDONS = {
    "aggregated-metrics-reader", "auth-delegator", "auth-reader", "metrics-apiservice", "metrics-server-deployment",
    "metrics-server-service", "resource-reader",
}  # fmt: skip
STATIC = "/var/lib/rancher/k3s/server/static"
NOTE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}", namespace: "{{ .Release.Namespace }}"}
data: {{ toJson .Values }}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server_of_its_own(tmp_path_factory.mktemp("home"), "addons", {}) as found:
        yield found


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A chart named note: a ConfigMap that shows its values."""
    folder, packed = tmp_path_factory.mktemp("charts"), tmp_path_factory.mktemp("packed") / "charts"
    (folder / "note" / "templates").mkdir(parents=True)
    (folder / "note" / "Chart.yaml").write_text("apiVersion: v2\nname: note\nversion: 1.0.0\n")
    (folder / "note" / "values.yaml").write_text("from: chart\nsize: small\n")
    (folder / "note" / "templates" / "note.yaml").write_text(NOTE)
    pack_charts(folder, packed)
    return (packed / "note-1.0.0.tgz").read_bytes()


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def put(server: Server, name: str, *things: dict[str, Any]) -> None:
    server.machine.put(f"{MANIFESTS}/{name}", "\n---\n".join(json.dumps(thing) for thing in things).encode())


def addons(server: Server) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in server.get("addons", "-n", "kube-system")["items"]}


def events(server: Server, addon: str) -> dict[str, str]:
    """What `kubectl describe addon` shows at its end: reason and message."""
    selector = f"involvedObject.kind=Addon,involvedObject.name={addon}"
    found = server.get("events", "-n", "kube-system", "--field-selector", selector)["items"]
    return {event["reason"]: event["message"] for event in found}


def journal(server: Server) -> str:
    return server.sh("journalctl -u k3s -b --no-pager -o cat")


def helm_chart(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "helm.cattle.io/v1", "kind": "HelmChart", "metadata": {"name": name, "namespace": "kube-system"}, "spec": spec}


def data_of(server: Server, name: str, namespace: str) -> dict[str, str]:
    """What the release's ConfigMap shows; nothing while it is not there."""
    return server.get("configmap", name, "-n", namespace)["data"] if server.is_there("configmap", name, "-n", namespace) else {}


# AddOns -----------------------------------------------------------------------------------------------------------------------------


def test_every_file_is_an_addon_called_after_it(server: Server) -> None:
    put(server, "mine.v2.yaml", config_map("mine"))
    server.until("the addon says what was applied", lambda: bool(addons(server).get("mine", {}).get("spec", {}).get("checksum")))
    mine = addons(server)["mine"]
    assert mine["spec"]["source"] == f"{MANIFESTS}/mine.v2.yaml"
    assert mine["spec"]["checksum"] == server.sh(f"sha256sum < {MANIFESTS}/mine.v2.yaml").split()[0]
    assert mine["metadata"]["annotations"]["addon.k3s.cattle.io/gvks"] == "/v1, Kind=ConfigMap"
    assert events(server, "mine") == {"AppliedManifest": f'Applied manifest at "{MANIFESTS}/mine.v2.yaml"'}
    owner = server.get("configmap", "mine")["metadata"]["annotations"]
    assert owner["objectset.rio.cattle.io/owner-name"] == "mine"
    assert "coredns" in addons(server)


def test_a_file_that_cannot_be_applied_says_why_in_an_event(server: Server) -> None:
    server.machine.put(f"{MANIFESTS}/torn.yaml", b"kind: ConfigMap\nmetadata: {name: torn\n")
    put(server, "strange.yaml", {"apiVersion": "v1", "kind": "Strange", "metadata": {"name": "strange"}})
    server.until("the file that is no YAML", lambda: "ParseManifestFailed" in events(server, "torn"))
    server.until("the kind that nobody knows", lambda: "ApplyManifestFailed" in events(server, "strange"))
    assert "Strange" in events(server, "strange")["ApplyManifestFailed"]
    server.sh(f"rm {MANIFESTS}/torn.yaml {MANIFESTS}/strange.yaml")


def test_a_name_that_no_object_may_have_is_not_applied(server: Server) -> None:
    put(server, "my_notes.yaml", config_map("my-notes"))
    line = f'Failed to process config: failed to process {MANIFESTS}/my_notes.yaml: Addon.k3s.cattle.io \\"my_notes\\" is invalid'
    server.until("the journal says so", lambda: line in journal(server))
    assert not server.is_there("configmap", "my-notes")
    server.sh(f"rm {MANIFESTS}/my_notes.yaml")


def test_two_files_of_one_name_take_each_others_objects_away(server: Server) -> None:
    put(server, "twice.a.yaml", config_map("first"))
    server.until("the first is there", lambda: server.is_there("configmap", "first"))
    put(server, "twice.b.yaml", config_map("second"))
    server.until("the second is there", lambda: server.is_there("configmap", "second"))
    server.until("the first is gone", lambda: not server.is_there("configmap", "first"))
    assert [name for name in addons(server) if name.startswith("twice")] == ["twice"]
    server.sh(f"rm {MANIFESTS}/twice.a.yaml {MANIFESTS}/twice.b.yaml")


# metrics-server ---------------------------------------------------------------------------------------------------------------------


def test_metrics_server_measures_nodes_and_pods(server: Server) -> None:
    server.kubectl("wait", "--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io", "--timeout=120s")
    assert set(addons(server)) >= METRICS_ADDONS
    assert server.is_there("deployment,service", "metrics-server", "-n", "kube-system")
    server.until("it has measured", lambda: server.machine.run(["kubectl", "top", "node"], timeout_s=20).code == 0, within_s=90)
    name, cpu, *_ = server.kubectl("top", "node", "--no-headers").split()
    assert (name, cpu[-1]) == ("server", "m")


# Helm -------------------------------------------------------------------------------------------------------------------------------


def test_a_chart_is_installed_with_values_from_everywhere(server: Server, chart: bytes) -> None:
    server.machine.put(f"{STATIC}/charts/note-1.0.0.tgz", chart)
    where = "https://%{KUBERNETES_API}%/static/charts/note-1.0.0.tgz"
    spec = {"chart": where, "targetNamespace": "notes", "createNamespace": True, "valuesContent": "size: middle\n", "set": {"from": "set"}}
    server.apply(helm_chart("note", **spec))
    server.until("the release is there", lambda: data_of(server, "note", "notes") == {"from": "set", "size": "middle"}, within_s=90)
    (container,) = server.get("job", "helm-install-note", "-n", "kube-system")["spec"]["template"]["spec"]["containers"]
    assert container["args"][0] == "install"
    server.kubectl("wait", "--for=condition=Complete", "job/helm-install-note", "-n", "kube-system", "--timeout=60s")

    config = {**helm_chart("note", valuesContent="size: large\n"), "kind": "HelmChartConfig"}
    server.apply(config)
    server.until("the config wins over the chart's values", lambda: data_of(server, "note", "notes").get("size") == "large", within_s=90)

    server.kubectl("delete", "helmchart/note", "-n", "kube-system", "--timeout=60s")
    server.until("the release is uninstalled", lambda: not data_of(server, "note", "notes"))
    server.kubectl("delete", "helmchartconfig/note", "-n", "kube-system")


def test_a_chart_may_come_inside_its_helmchart(server: Server, chart: bytes) -> None:
    spec = {"chartContent": base64.b64encode(chart).decode(), "targetNamespace": "default", "values": {"size": "huge"}}
    put(server, "inside.yaml", helm_chart("inside", **spec))
    server.until("the release is there", lambda: data_of(server, "inside", "default") == {"from": "chart", "size": "huge"}, within_s=90)
    server.sh(f"rm {MANIFESTS}/inside.yaml")
    server.kubectl("delete", "helmchart/inside", "-n", "kube-system", "--timeout=60s")


def test_a_namespace_that_is_not_there_is_not_made_unasked(server: Server, chart: bytes) -> None:
    server.machine.put(f"{STATIC}/charts/note-1.0.0.tgz", chart)
    where = "https://%{KUBERNETES_API}%/static/charts/note-1.0.0.tgz"
    server.apply(helm_chart("lost", chart=where, targetNamespace="nowhere"))
    log = ["kubectl", "logs", "job/helm-install-lost", "-n", "kube-system"]
    server.until(
        "the job's log says so", lambda: 'namespaces "nowhere" not found' in server.machine.run(log, timeout_s=20).text, within_s=90
    )
    server.kubectl("delete", "helmchart/lost", "-n", "kube-system", "--timeout=60s")


def test_static_files_are_handed_out_to_everybody(server: Server) -> None:
    server.machine.put(f"{STATIC}/hello.txt", b"hello\n")
    ask = "curl -s -o /dev/stdout -w '%{http_code}' --cacert /var/lib/rancher/k3s/server/tls/server-ca.crt https://127.0.0.1:6443"
    assert server.sh(f"{ask}/static/hello.txt") == "hello\n200"
    assert server.sh(f"{ask}/static/").endswith("404"), "folders are not listed"
    assert server.sh(f"{ask}/static/../tls/server-ca.key --path-as-is")[-3:] != "200"
    assert server.sh(f"{ask}/api").endswith("401")


# Traefik ----------------------------------------------------------------------------------------------------------------------------


def traefik_arguments(server: Server) -> list[str]:
    found = server.get("deployments", "-n", "kube-system", "--field-selector", "metadata.name=traefik")["items"]
    return found[0]["spec"]["template"]["spec"]["containers"][0]["args"] if found else []


def test_a_helm_chart_config_changes_traefik_and_outlives_a_restart(server: Server) -> None:
    server.until("Traefik is installed by its chart", lambda: bool(traefik_arguments(server)), within_s=120)
    assert server.is_there("helmchart", "traefik", "traefik-crd", "-n", "kube-system")
    assert "--accesslog=true" not in traefik_arguments(server)
    config = helm_chart("traefik", valuesContent="logs: {access: {enabled: true}}\n")
    put(server, "traefik-config.yaml", {**config, "kind": "HelmChartConfig"})
    server.until("Traefik has the access log", lambda: "--accesslog=true" in traefik_arguments(server), within_s=120)
    server.sh(f"echo '# mine' >> {MANIFESTS}/traefik.yaml; systemctl restart k3s", timeout_s=150)
    server.until("the packaged file is K3s's again", lambda: server.sh(f"grep -c mine {MANIFESTS}/traefik.yaml || true") == "0")
    assert "--accesslog=true" in traefik_arguments(server)


def test_disable_takes_packaged_components_and_ones_own_away(server: Server) -> None:
    put(server, "mine.v2.yaml", config_map("mine"))
    server.machine.put("/etc/rancher/k3s/config.yaml", b"disable: [traefik, metrics-server, mine.v2]\n", mode=0o600)
    server.sh("systemctl restart k3s", timeout_s=150)
    server.until("one's own object is gone", lambda: not server.is_there("configmap", "mine"))
    server.until("metrics-server is gone", lambda: not server.is_there("deployment", "metrics-server", "-n", "kube-system"))
    server.until("Traefik is uninstalled", lambda: not traefik_arguments(server), within_s=90)
    server.until("their addons are gone", lambda: not {"mine", "traefik", *METRICS_ADDONS} & set(addons(server)))
    left = server.sh(f"ls {MANIFESTS}").split()
    assert not {"mine.v2.yaml", "traefik.yaml", "metrics-server"} & set(left)
    assert "coredns.yaml" in left
