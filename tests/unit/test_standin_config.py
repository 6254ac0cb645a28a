"""What the stand-in's server makes of its flags, files and environment: K3s's precedence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit import standin_path  # noqa: F401 - makes `standin` importable

from standin import config, layout  # isort: skip
from standin.errors import Refused  # isort: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


@pytest.fixture(autouse=True)
def address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "default_address", lambda: "192.0.2.7")


def read(path: Path, *line: str, **environ: str) -> config.Config:
    if not path.exists():
        path.write_text("", encoding="utf-8")
    return config.read(["--config", str(path), *line], environ)


def test_a_server_without_settings_has_those_of_k3s(path: Path) -> None:
    found = read(path)
    assert found.one("cluster-cidr") == "10.42.0.0/16"
    assert (found.kubernetes_ip, found.cluster_dns) == ("10.43.0.1", "10.43.0.10")
    assert found.kubeconfig_mode == 0o600
    assert found.node_ip == "192.0.2.7"
    assert found.disabled == frozenset()


def test_the_command_line_beats_the_file_and_the_file_beats_the_environment(path: Path) -> None:
    path.write_text('write-kubeconfig-mode: "0640"\ntoken: of-file\n', encoding="utf-8")
    found = read(path, "--token", "of-line", K3S_TOKEN="of-env", K3S_KUBECONFIG_MODE="644", K3S_NODE_NAME="Env")
    assert found.token == "of-line"
    assert found.kubeconfig_mode == 0o640
    assert found.node_name == "env"


def test_a_list_on_the_command_line_replaces_the_list_of_the_file(path: Path) -> None:
    path.write_text("node-label: [a=1, b=2]\n", encoding="utf-8")
    assert read(path).all("node-label") == ("a=1", "b=2")
    assert read(path, "--node-label", "c=3", "--node-label=d=4").all("node-label") == ("c=3", "d=4")


def test_of_several_files_the_last_counts_and_plus_adds(path: Path) -> None:
    """The example of docs.k3s.io/installation/configuration, multiple config files."""
    path.write_text("token: boop\nnode-label: [foo=bar, bar=baz]\n", encoding="utf-8")
    folder = path.with_name("config.yaml.d")
    folder.mkdir()
    (folder / "test1.yaml").write_text("write-kubeconfig-mode: 600\nnode-taint: [alice=bob:NoExecute]\n", encoding="utf-8")
    (folder / "test2.yaml").write_text(
        "write-kubeconfig-mode: 777\nnode-label: [other=what, foo=three]\nnode-taint+: [charlie=delta:NoSchedule]\n", encoding="utf-8"
    )
    (folder / "notes.txt").write_text("not: [a config", encoding="utf-8")
    found = read(path)
    assert found.kubeconfig_mode == 0o777
    assert found.token == "boop"
    assert found.all("node-label") == ("other=what", "foo=three")
    assert found.all("node-taint") == ("alice=bob:NoExecute", "charlie=delta:NoSchedule")


def test_an_unquoted_mode_is_the_number_yaml_makes_of_it(path: Path) -> None:
    """K3s passes numbers on as text, and YAML reads 0644 as 420: the reason why its documentation quotes the mode."""
    path.write_text("write-kubeconfig-mode: 0644\n", encoding="utf-8")
    assert read(path).kubeconfig_mode == 0o420


def test_commas_separate_values_but_not_in_component_arguments(path: Path) -> None:
    found = read(path, "--tls-san", "a.example,b.example", "--kubelet-arg", "eviction-hard=a<1,b<2", "--disable=traefik,servicelb")
    assert found.all("tls-san") == ("a.example", "b.example")
    assert found.verbatim("kubelet-arg") == ("eviction-hard=a<1,b<2",)
    assert found.disabled == {"traefik", "servicelb"}


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (["--flannel-iface", "eth0"], "--flannel-iface"),
        (["--flannel-iface=eth0"], "--flannel-iface"),
        (["extra"], "extra"),
        (["--disable", "trefik"], "trefik"),
        (["--token"], "--token"),
        (["--service-cidr", "10.43.0.0/33"], "service-cidr"),
        (["--write-kubeconfig-mode", "rw"], "rw"),
        (["--debug=perhaps"], "--debug"),
    ],
)
def test_what_is_not_known_is_refused_by_name(path: Path, line: list[str], named: str) -> None:
    with pytest.raises(Refused, match=named):
        read(path, *line)


@pytest.mark.parametrize(
    ("text", "named"), [("cluster-inti: true", "cluster-inti"), ("a: [", "not valid YAML"), ("- a", "keys and values")]
)
def test_a_wrong_file_is_refused_with_its_name(path: Path, text: str, named: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Refused, match=named) as refusal:
        read(path)
    assert str(path) in str(refusal.value)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"none\.yaml"):
        config.read(["--config", str(tmp_path / "none.yaml")], {})


def test_a_token_may_come_from_a_file(path: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("K10\n", encoding="utf-8")
    assert read(path, "--token-file", str(tmp_path / "secret")).token == "K10"
    with pytest.raises(Refused, match="token-file"):
        read(path, "--token-file", str(tmp_path / "none"))


def test_secrets_do_not_show_in_the_arguments_put_on_the_node(path: Path) -> None:
    found = read(path, "--token", "sesame", "--node-label", "a=1")
    assert found.given == ("--config", str(path), "--token", "********", "--node-label", "a=1")


def test_a_file_that_only_k3s_reads_is_refused_by_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registries = path.with_name("registries.yaml")
    monkeypatch.setattr(layout, "UNREAD", (registries,))
    assert read(path).node_ip
    registries.write_text("mirrors: {}\n", encoding="utf-8")
    with pytest.raises(Refused, match=r"registries\.yaml is not known to the K3s stand-in"):
        read(path)
