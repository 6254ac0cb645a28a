"""Parts of the stand-in's supervisor that need no machine: tokens, certificates, manifests, kubeconfig."""

from __future__ import annotations

import datetime
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from courselab.k3s.standin import recipe
from courselab.k3s.standin.charts import pack_charts
from tests.unit import standin_path

from standin import access, certs, components, deploy, layout  # isort: skip
from standin.api import ApiError  # isort: skip
from standin.config import Config  # isort: skip


def config(**values: str) -> Config:
    return Config(
        values={"cluster-domain": ("cluster.local",), "v": ("0",), **{name.replace("_", "-"): (value,) for name, value in values.items()}},
        node_name="server", node_ip="192.0.2.7", cluster_dns="10.43.0.10", kubernetes_ip="10.43.0.1", kubeconfig_mode=0o640,
        token="", agent_token="", disabled=frozenset(), given=(),
    )  # fmt: skip


def make_certificates(*sans: str) -> None:
    certs._authority.cache_clear()
    certs.ensure_server("server", "192.0.2.7", sans, "cluster.local", "10.43.0.1")
    certs.ensure_node("server", "192.0.2.7")


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_certificates_have_k3s_names(root: Path) -> None:
    make_certificates("shop.example", "198.51.100.9")
    admin = certificate(layout.TLS / "client-admin.crt")
    assert admin.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:masters"
    assert admin.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value.startswith("k3s-client-ca@")
    kubelet = certificate(layout.AGENT / "client-kubelet.crt")
    assert kubelet.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:server"
    names = certificate(layout.TLS / "serving-kube-apiserver.crt").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"shop.example", "server", "kubernetes.default.svc.cluster.local"} <= set(names.get_values_for_type(x509.DNSName))
    assert {"192.0.2.7", "10.43.0.1", "198.51.100.9"} <= {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}
    assert (layout.TLS / "client-admin.key").stat().st_mode & 0o777 == 0o600


def test_certificates_stay_until_a_name_is_added_or_they_end_soon(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_certificates()
    files = {path: path.read_bytes() for path in root.rglob("*.crt")}
    make_certificates()
    assert {path: path.read_bytes() for path in root.rglob("*.crt")} == files
    make_certificates("shop.example")
    changed = {path.name for path in files if path.read_bytes() != files[path]}
    assert changed == {"serving-kube-apiserver.crt"}
    monkeypatch.setattr(certs, "RENEW_WITHIN", datetime.timedelta(days=366))
    make_certificates("shop.example")
    unchanged = {path.name for path in files if path.read_bytes() == files[path]}
    assert unchanged == {path.name for path in files if "-ca" in path.name}, "only authorities last longer than a year"


def test_the_admins_kubeconfig_carries_what_it_needs(root: Path) -> None:
    make_certificates()
    path = root / "out" / "k3s.yaml"
    before = os.umask(0o077)  # as a server has it
    access.admin(config(write_kubeconfig=str(path)))
    os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640 and path.parent.stat().st_mode & 0o777 == 0o755
    data = yaml.safe_load(path.read_text())
    assert data["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    assert data["contexts"][0]["name"] == data["current-context"] == "default"
    assert set(data["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}


def test_a_resolver_on_this_machine_itself_is_not_given_to_pods(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, False])
    monkeypatch.setattr(Path, "exists", lambda _self: next(answers, False))
    assert Path(components.resolv_conf()).read_text() == "nameserver 8.8.8.8\n"


class FakeApi:
    """Knows a few kinds; remembers what it is asked."""

    def __init__(self) -> None:
        self.applied: dict[str, Any] = {}
        self.deleted: list[str] = []
        self.events: list[str] = []

    def get(self, path: str) -> dict[str, Any]:
        kinds = {
            "/api/v1": [("configmaps", "ConfigMap", True), ("namespaces", "Namespace", False), ("configmaps/status", "ConfigMap", True)],
            "/apis/apps/v1": [("deployments", "Deployment", True)],
        }
        if path in kinds:
            return {"resources": [{"name": name, "kind": kind, "namespaced": inside} for name, kind, inside in kinds[path]]}
        if path == deploy.ADDONS:
            return {"items": [thing for where, thing in self.applied.items() if where.startswith(f"{path}/")]}
        items = [thing for where, thing in self.applied.items() if where.startswith("/api/v1/namespaces/default/configmaps/")]
        return {"items": items}

    def apply(self, path: str, thing: dict[str, Any], manager: str) -> dict[str, Any]:
        if "_" in path.rsplit("/", 1)[1]:
            raise ApiError(422, f'Addon.k3s.cattle.io "{thing["metadata"]["name"]}" is invalid: metadata.name: Invalid value')
        self.applied[path] = thing
        return thing

    def create(self, path: str, thing: dict[str, Any]) -> None:
        assert path == deploy.EVENTS
        self.events.append(f"{thing['involvedObject']['name']} {thing['reason']}")

    def objects(self) -> list[str]:
        """Names of what was applied, AddOns and the kind AddOn left out."""
        return sorted(path.rsplit("/", 1)[1] for path in self.applied if "addons" not in path)

    def delete(self, path: str) -> None:
        self.applied.pop(path, None)
        self.deleted.append(path)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


def deployer(api: FakeApi, *disabled: str) -> deploy.Deployer:
    names = ("CLUSTER_DNS", "CLUSTER_DOMAIN", "DEFAULT_LOCAL_STORAGE_PATH")
    return deploy.Deployer(api, frozenset(disabled), {name: name.lower() for name in names})  # type: ignore[arg-type]


def put(name: str, *config_maps: str) -> Path:
    layout.MANIFESTS.mkdir(parents=True, exist_ok=True)
    path = layout.MANIFESTS / name
    path.write_text("\n---\n".join(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {item}}}}}" for item in config_maps))
    return path


def test_a_manifest_is_applied_once_and_again_when_it_changes(root: Path, api: FakeApi) -> None:
    mine = deployer(api)
    put("mine.yaml", "one", "two")
    mine.scan()
    mine.record()
    one = "/api/v1/namespaces/default/configmaps/one"
    assert api.applied[one]["metadata"]["annotations"]["objectset.rio.cattle.io/owner-name"] == "mine"
    assert api.applied[f"{deploy.ADDONS}/mine"]["spec"]["source"] == str(layout.MANIFESTS / "mine.yaml")
    api.applied[one] = {"metadata": {"name": "one", "namespace": "default"}}
    mine.scan()
    assert "apiVersion" not in api.applied[one], "an unchanged file is not applied again"
    put("mine.yaml", "two")
    os.utime(layout.MANIFESTS / "mine.yaml", (1, 1))
    mine.scan()
    assert api.deleted == [one]


def test_a_file_that_says_what_its_addon_says_is_applied_at_a_start_only(root: Path, api: FakeApi) -> None:
    mine = deployer(api)
    put("mine.yaml", "one")
    mine.scan()
    mine.record()
    one = "/api/v1/namespaces/default/configmaps/one"
    api.delete(one)
    os.utime(layout.MANIFESTS / "mine.yaml", (1, 1))
    mine.scan()
    assert one not in api.applied, "it was touched"
    (layout.MANIFESTS / "mine.yaml").rename(layout.MANIFESTS / "mine.yml")
    mine.scan()
    mine.record()
    assert one not in api.applied, "it was moved"
    assert api.events == ["mine AppliedManifest"]
    deployer(api).scan()
    assert one in api.applied


def test_objects_of_a_removed_manifest_stay(root: Path, api: FakeApi) -> None:
    mine = deployer(api)
    put("mine.yaml", "one").unlink()
    mine.scan()
    assert api.deleted == []


def test_skipped_hidden_and_other_files_are_left_alone(root: Path, api: FakeApi) -> None:
    put("a.yaml", "a")
    put("a.yaml.skip")
    put(".b.yaml", "b")
    put("c.txt", "c")
    put("d.json", "d")
    put("e.YAML", "e")
    deployer(api).scan()
    assert api.objects() == ["d", "e"]


def test_a_broken_manifest_does_not_stop_the_others(root: Path, api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    put("a.yaml", "a").write_text("kind: [")
    put("b.yaml", "b")
    deployer(api).scan()
    assert api.objects() == ["b"]
    assert "a.yaml" in capsys.readouterr().err
    assert api.events == ["a ParseManifestFailed"]


def test_a_name_that_no_addon_may_have_is_refused_with_k3s_line(root: Path, api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    path = put("my_app.yaml", "one")
    mine = deployer(api)
    mine.scan()
    mine.scan()
    said = capsys.readouterr().err
    assert f'Failed to process config: failed to process {path}: Addon.k3s.cattle.io \\"my_app\\" is invalid' in said
    assert said.count("Failed to process config") == 1, "not at every look"
    assert api.objects() == []


def test_two_files_of_one_name_are_one_addon_and_take_each_others_objects_away(root: Path, api: FakeApi) -> None:
    mine = deployer(api)
    put("shop.yaml", "one")
    mine.scan()
    mine.record()
    (layout.MANIFESTS / "more").mkdir()
    put("more/shop.yaml", "two")
    mine.scan()
    assert api.objects() == ["two"]


def test_a_deleted_addon_is_made_anew_with_its_file(root: Path, api: FakeApi) -> None:
    mine = deployer(api)
    put("shop.yaml", "one")
    mine.scan()
    mine.record()
    (layout.MANIFESTS / "shop.yaml").unlink()
    api.delete(f"{deploy.ADDONS}/shop")
    mine.scan()
    put("shop.yaml", "one")
    os.utime(layout.MANIFESTS / "shop.yaml", (1, 1))  # written later, whatever the clock's steps
    mine.scan()
    mine.record()
    assert api.applied[f"{deploy.ADDONS}/shop"]["spec"]["checksum"]


def test_what_disable_names_goes_with_its_file_and_addon(root: Path, api: FakeApi) -> None:
    put("mine.yaml", "one")
    mine = deployer(api)
    mine.scan()
    mine.record()
    assert api.events == ["mine AppliedManifest"]
    deployer(api, "mine").remove_disabled()
    assert api.objects() == []
    assert f"{deploy.ADDONS}/mine" not in api.applied
    assert not (layout.MANIFESTS / "mine.yaml").exists()


def test_a_packaged_component_of_several_files_is_disabled_as_one(root: Path, api: FakeApi) -> None:
    deployer(api).stage()
    folder = layout.MANIFESTS / "metrics-server"
    assert {"metrics-server-deployment.yaml", "metrics-apiservice.yaml"} <= {path.name for path in folder.iterdir()}
    for path in folder.iterdir():
        path.write_text("")
    deployer(api, "metrics-server").remove_disabled()
    assert not folder.exists()


def test_an_edited_packaged_manifest_is_written_anew_at_the_next_start(root: Path, api: FakeApi) -> None:
    deployer(api).stage()
    traefik = layout.MANIFESTS / "traefik.yaml"
    packaged = traefik.read_text()
    assert "https://%{KUBERNETES_API}%/static/charts/traefik-" in packaged
    traefik.write_text("# mine\n" + packaged)
    deployer(api).stage()
    assert traefik.read_text() == packaged


def test_packaged_components_are_laid_out_unless_disabled(root: Path, api: FakeApi) -> None:
    deployer(api, "local-storage").stage()
    laid = {path.name for path in layout.MANIFESTS.glob("*.yaml")}
    assert "coredns.yaml" in laid
    assert "local-storage.yaml" not in laid
    assert "clusterIP: cluster_dns" in (layout.MANIFESTS / "coredns.yaml").read_text()


def test_packaged_manifests_use_the_images_that_are_built() -> None:
    text = "".join(path.read_text() for path in (standin_path.SOURCE / "manifests").rglob("*.yaml"))
    for image in recipe.pod_images(standin_path.SOURCE / "modules"):
        if image.program == "traefik":  # named through its chart's values
            repository, tag = image.name.split(":")
            assert f'repository: "{repository}"\n      tag: "{tag}"' in text
        else:
            assert image.program in ("pause", "lb", "helm") or f"docker.io/{image.name}" in text, image.name


def test_packaged_helm_charts_ask_for_charts_that_are_packed(tmp_path: Path) -> None:
    pack_charts(standin_path.SOURCE / "charts", tmp_path / "charts")
    text = (standin_path.SOURCE / "manifests" / "traefik.yaml").read_text()
    assert {path.name for path in (tmp_path / "charts").iterdir()} == set(re.findall(r"/static/charts/(\S+)", text))


def test_images_that_the_supervisor_names_are_those_that_are_built() -> None:
    from standin import containers, helmcharts, servicelb

    assert {containers.PAUSE, servicelb.IMAGE, helmcharts.IMAGE} <= {
        f"docker.io/{image.name}" for image in recipe.pod_images(standin_path.SOURCE / "modules")
    }
