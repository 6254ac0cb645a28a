"""What an installation puts on a machine: the same for K3s and the stand-in, except what a host without full powers needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from courselab.course.model import Role
from courselab.errors import LabError
from courselab.k3s.install import install_k3s, installed_version, start_k3s
from courselab.k3s.kubeconfig import fetch_kubeconfig
from courselab.k3s.release import Release
from courselab.machines import Completed, MachineSpec
from tests.unit.fakes import FakeMachine, FakeProvider


@pytest.fixture
def machine() -> FakeMachine:
    made = FakeMachine(MachineSpec("k3s-02-server", "server", "02"), FakeProvider())
    made.start()
    return made


def release(tmp_path: Path, distribution: str = "k3s") -> Release:
    binary = tmp_path / "k3s"
    binary.write_bytes(b"binary")
    (tmp_path / "web.tar").write_bytes(b"image")
    return Release("k3s" if distribution == "k3s" else "stand-in", "v1.36.5+k3s1", binary)


def answering(**answers: str) -> Callable[[Sequence[str]], Completed]:
    def answer(argv: Sequence[str]) -> Completed:
        text = next((text for word, text in answers.items() if word in " ".join(argv)), "")
        return Completed(tuple(argv), 0, text.encode(), b"")

    return answer


@pytest.mark.parametrize("distribution", ["k3s", "stand-in"])
def test_a_server_gets_what_k3s_would_leave(machine: FakeMachine, tmp_path: Path, distribution: str) -> None:
    found = release(tmp_path, distribution)
    install_k3s(machine, found, Role.SERVER, config={"tls-san": ["lab.example"]}, images=[tmp_path / "web.tar"])
    assert machine.files["/usr/local/bin/k3s"] == b"binary"
    assert machine.files["/var/lib/rancher/k3s/agent/images/web.tar"] == b"image"
    assert json.loads(machine.files["/etc/rancher/k3s/config.yaml"])["tls-san"] == ["lab.example"]
    assert machine.files["/etc/systemd/system/k3s.service.env"] == b""
    unit = machine.files["/etc/systemd/system/k3s.service"].decode()
    assert "Type=notify" in unit and "KillMode=process" in unit and unit.endswith("ExecStart=/usr/local/bin/k3s server\n")
    assert ("ln", "-sf", "k3s", "/usr/local/bin/kubectl") in machine.ran


def test_an_agent_joins_by_its_environment_file(machine: FakeMachine, tmp_path: Path) -> None:
    environment = {"K3S_URL": "https://192.0.2.1:6443", "K3S_TOKEN": "K10abc::server:xyz"}
    install_k3s(machine, release(tmp_path), Role.AGENT, config={}, images=[], environment=environment)
    assert machine.files["/etc/systemd/system/k3s-agent.service.env"] == b"K3S_URL=https://192.0.2.1:6443\nK3S_TOKEN=K10abc::server:xyz\n"
    assert "/etc/rancher/k3s/config.yaml" not in machine.files
    assert machine.files["/etc/systemd/system/k3s-agent.service"].endswith(b"k3s agent\n")


@pytest.mark.parametrize(
    ("cgroup", "bounding", "kubelet", "drop_in"),
    [
        ("cgroup2fs", "000001ffffffffff", False, False),
        ("tmpfs", "000001ffffffffff", True, False),
        ("cgroup2fs", "000001fffeffffff", False, True),
    ],
)
def test_a_real_k3s_is_fitted_to_the_host(
    machine: FakeMachine, tmp_path: Path, cgroup: str, bounding: str, kubelet: bool, drop_in: bool
) -> None:
    machine.answers = answering(stat=f"{cgroup}\nCapBnd:\t{bounding}\n")
    install_k3s(machine, release(tmp_path), Role.SERVER, config={}, images=[])
    config = machine.files.get("/etc/rancher/k3s/config.yaml", b"{}")
    assert (json.loads(config).get("kubelet-arg+") == ["fail-cgroupv1=false"]) is kubelet
    assert ("/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/90-courselab.toml" in machine.files) is drop_in


def test_a_k3s_that_does_not_start_is_told_with_its_last_words(machine: FakeMachine) -> None:
    def answer(argv: Sequence[str]) -> Completed:
        code = 1 if "enable" in argv else 0
        return Completed(tuple(argv), code, b"level=fatal msg=port taken" if argv[0] == "journalctl" else b"", b"")

    machine.answers = answer
    with pytest.raises(LabError, match="K3s did not start") as told:
        start_k3s(machine, Role.SERVER)
    assert "port taken" in told.value.why


def test_version_and_kubeconfig_come_from_the_machine(machine: FakeMachine) -> None:
    machine.answers = answering(version="k3s version v1.36.5+k3s1 (abc)\ngo version go1.26\n")
    assert installed_version(machine) == "v1.36.5+k3s1"
    machine.files["/etc/rancher/k3s/k3s.yaml"] = b"server: https://127.0.0.1:6443\n"
    assert fetch_kubeconfig(machine) == "server: https://192.0.2.11:6443\n"
