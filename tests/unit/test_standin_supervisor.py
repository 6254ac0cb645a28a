"""Parts of the stand-in's supervisor that need no machine: tokens, certificates, manifests, kubeconfig."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from courselab.k3s.standin import recipe
from tests.unit import standin_path

from standin import access, certs, components, deploy, layout, tokens  # isort: skip
from standin.config import Config  # isort: skip


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """K3s's folders, below a temporary one."""
    for name, value in vars(layout).copy().items():
        if isinstance(value, Path) and name != "HOME":
            monkeypatch.setattr(layout, name, tmp_path / str(value).lstrip("/"))
    monkeypatch.setattr(layout, "HOME", standin_path.SOURCE)
    monkeypatch.setattr(components, "TLS", layout.TLS)
    certs._authority.cache_clear()
    return tmp_path


def config(**values: str) -> Config:
    return Config(
        values={"cluster-domain": ("cluster.local",), "v": ("0",), **{name.replace("_", "-"): (value,) for name, value in values.items()}},
        node_name="server", node_ip="192.0.2.7", cluster_dns="10.43.0.10", kubernetes_ip="10.43.0.1", kubeconfig_mode=0o640,
        token="", agent_token="", disabled=frozenset(), given=(),
    )  # fmt: skip


def test_a_token_names_the_authority_it_is_for() -> None:
    digest = hashlib.sha256(b"PEM").hexdigest()
    text = tokens.full(b"PEM", "server", "pass:word")
    assert text == f"K10{digest}::server:pass:word"
    assert tokens.parse(f"{text}\n") == tokens.Token(digest, "server", "pass:word")


@pytest.mark.parametrize("text", ["secret", "abcdef.0123456789abcdef", "K10short::server:x"])
def test_anything_else_is_a_short_token(text: str) -> None:
    assert tokens.parse(text) == tokens.Token("", "", text)


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
    access.admin(config(write_kubeconfig=str(path)))
    assert path.stat().st_mode & 0o777 == 0o640
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

    def get(self, path: str) -> dict[str, Any]:
        kinds = {
            "/api/v1": [("configmaps", "ConfigMap", True), ("namespaces", "Namespace", False), ("configmaps/status", "ConfigMap", True)],
            "/apis/apps/v1": [("deployments", "Deployment", True)],
        }
        if path in kinds:
            return {"resources": [{"name": name, "kind": kind, "namespaced": inside} for name, kind, inside in kinds[path]]}
        if path.startswith(deploy.ADDONS):
            return self.applied[path]
        items = [thing for where, thing in self.applied.items() if where.startswith("/api/v1/namespaces/default/configmaps/")]
        return {"items": items}

    def apply(self, path: str, thing: dict[str, Any], manager: str) -> dict[str, Any]:
        self.applied[path] = thing
        return thing

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
    import os

    os.utime(layout.MANIFESTS / "mine.yaml", (1, 1))
    mine.scan()
    assert api.deleted == [one]


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
    deployer(api).scan()
    assert sorted(path.rsplit("/", 1)[1] for path in api.applied) == ["d"]


def test_a_broken_manifest_does_not_stop_the_others(root: Path, api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    put("a.yaml", "a").write_text("kind: [")
    put("b.yaml", "b")
    deployer(api).scan()
    assert [path.rsplit("/", 1)[1] for path in api.applied] == ["b"]
    assert "a.yaml" in capsys.readouterr().err


def test_packaged_components_are_laid_out_unless_disabled_or_skipped(root: Path, api: FakeApi) -> None:
    put("rolebindings.yaml.skip")
    deployer(api, "local-storage").stage()
    laid = {path.name for path in layout.MANIFESTS.glob("*.yaml")}
    assert "coredns.yaml" in laid
    assert laid.isdisjoint({"local-storage.yaml", "rolebindings.yaml"})
    assert "clusterIP: cluster_dns" in (layout.MANIFESTS / "coredns.yaml").read_text()


def test_packaged_manifests_use_the_images_that_are_built() -> None:
    text = "".join(path.read_text() for path in (standin_path.SOURCE / "manifests").glob("*.yaml"))
    for image in recipe.pod_images(standin_path.SOURCE / "modules"):
        assert image.program in ("pause", "lb") or f"docker.io/{image.name}" in text, image.name


def test_images_that_the_supervisor_names_are_those_that_are_built() -> None:
    from standin import containers, servicelb

    assert {containers.PAUSE, servicelb.IMAGE} <= {
        f"docker.io/{image.name}" for image in recipe.pod_images(standin_path.SOURCE / "modules")
    }
