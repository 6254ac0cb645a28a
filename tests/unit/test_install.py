"""What an installation puts on a machine: the same for K3s and the stand-in, except what a host without full powers needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from courselab.course.model import Role
from courselab.errors import LabError
from courselab.k3s import install
from courselab.k3s.install import install_k3s, installed_version, provide_k3s, set_environment, start_k3s
from courselab.k3s.kubeconfig import fetch_kubeconfig, load_kubeconfig, save_kubeconfig
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
def test_a_server_is_installed_as_a_learner_would(machine: FakeMachine, tmp_path: Path, distribution: str) -> None:
    found = release(tmp_path, distribution)
    install_k3s(machine, found, Role.SERVER, config={"tls-san": ["lab.example"]}, images=[tmp_path / "web.tar"])
    assert machine.files["/opt/k3s-releases/v1.36.5+k3s1/k3s"] == b"binary"
    assert machine.files["/opt/k3s-releases/images/web.tar"] == b"image"
    assert yaml.safe_load(machine.files["/etc/rancher/k3s/config.yaml"])["tls-san"] == ["lab.example"]
    settings = ("INSTALL_K3S_VERSION=v1.36.5+k3s1", "INSTALL_K3S_SKIP_START=true")
    assert ("/usr/bin/env", *settings, "/usr/local/bin/install-k3s.sh", "server") in machine.ran


def test_an_agent_joins_by_its_environment_file(machine: FakeMachine, tmp_path: Path) -> None:
    environment = {"K3S_URL": "https://192.0.2.1:6443", "K3S_TOKEN": "K10abc::server:xyz"}
    install_k3s(machine, release(tmp_path), Role.AGENT, config={}, images=[])
    assert machine.ran[-1][-1] == "agent"
    set_environment(machine, Role.AGENT, environment)
    assert machine.files["/etc/systemd/system/k3s-agent.service.env"] == b"K3S_URL=https://192.0.2.1:6443\nK3S_TOKEN=K10abc::server:xyz\n"
    assert "/etc/rancher/k3s/config.yaml" not in machine.files


def test_a_machine_for_the_learner_has_all_that_is_needed_and_nothing_installed(machine: FakeMachine, tmp_path: Path) -> None:
    provide_k3s(machine, release(tmp_path), [tmp_path / "web.tar"])
    assert set(machine.files) == {
        "/opt/k3s-releases/v1.36.5+k3s1/k3s",
        "/opt/k3s-releases/images/web.tar",
        "/usr/local/bin/install-k3s.sh",
    }
    assert machine.ran == []


class Installer:
    """The script on this computer, with folders of its own; `id` says root, and systemd only hears what it is told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in (("id", "echo 0"), ("systemctl", f"echo systemctl $* >> {root}/systemd.log")):
            self.write(f"path/{name}", f"#!/bin/sh\n{text}\n")
        self.write("releases/v1.36.5+k3s1/k3s", "new")
        self.write("releases/v1.9.1+k3s1/k3s", "old")
        self.write("releases/images/web.tar", "image")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        folders = {"RELEASES": "releases", "BIN_DIR": "bin", "SYSTEMD_DIR": "units"}
        env = {
            "PATH": f"{self.root}/path:/usr/sbin:/usr/bin:/sbin:/bin",
            "K3S_DATA_DIR": str(self.root / "data"),
            **{f"INSTALL_K3S_{name}": str(self.root / folder) for name, folder in folders.items()},
            **environ,
        }
        script = Path(install.__file__).with_name("install-k3s.sh")
        return subprocess.run(["/bin/sh", str(script), *words], env=env, capture_output=True, text=True, timeout=30, check=False)

    def text(self, name: str) -> str:
        path = self.root / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def installer(tmp_path: Path) -> Installer:
    if sys.platform != "linux":
        pytest.skip("machines run Linux")
    return Installer(tmp_path)


def test_the_installer_leaves_what_k3s_would(installer: Installer) -> None:
    done = installer.run("--tls-san", "lab.example", INSTALL_K3S_EXEC="--disable=traefik --node-label a=b", K3S_TOKEN="it's")
    assert done.returncode == 0, done.stderr
    assert "Using v1.36.5+k3s1 as release" in done.stdout, "the newest, by number"
    unit = installer.text("units/k3s.service")
    assert "Type=notify\n" in unit and "KillMode=process\n" in unit and f"EnvironmentFile=-{installer.root}/units/k3s.service.env\n" in unit
    words = [line.strip(" \t\\") for line in unit.partition("ExecStart=")[2].splitlines()]
    assert words == [
        f"{installer.root}/bin/k3s",
        "server",
        "'--disable=traefik'",
        "'--node-label'",
        "'a=b'",
        "'--tls-san'",
        "'lab.example'",
    ]
    assert "K3S_TOKEN='it'" in installer.text("units/k3s.service.env")
    assert (installer.root / "units/k3s.service.env").stat().st_mode & 0o777 == 0o600
    assert (installer.root / "bin/k3s").read_text() == "new" and (installer.root / "bin/ctr").readlink() == Path("k3s")
    assert (installer.root / "data/agent/images/web.tar").exists()
    for name in ("k3s-uninstall.sh", "k3s-killall.sh"):
        subprocess.run(["/bin/sh", "-n", str(installer.root / "bin" / name)], check=True, timeout=10)
    assert installer.text("systemd.log").splitlines()[-1] == "systemctl restart k3s"


def test_an_url_makes_an_agent(installer: Installer) -> None:
    refused = installer.run(K3S_URL="https://192.0.2.1:6443")
    assert refused.returncode == 1 and "K3S_TOKEN or K3S_TOKEN_FILE is not defined" in refused.stderr
    assert "Only https:// URLs" in installer.run(K3S_URL="http://192.0.2.1", K3S_TOKEN="x").stderr
    assert installer.run(K3S_URL="https://192.0.2.1:6443", K3S_TOKEN="x", INSTALL_K3S_VERSION="v1.9.1+k3s1").returncode == 0
    assert installer.text("units/k3s-agent.service").rstrip().endswith("agent")
    assert installer.text("bin/k3s") == "old" and "k3s-agent-uninstall.sh" in os.listdir(installer.root / "bin")


def test_the_same_again_starts_nothing(installer: Installer) -> None:
    installer.run()
    before = installer.text("systemd.log").count("restart")
    again = installer.run()
    assert "No change detected so skipping service start" in again.stdout and installer.text("systemd.log").count("restart") == before
    installer.run(INSTALL_K3S_FORCE_RESTART="true")
    assert installer.text("systemd.log").count("restart") == before + 1
    installer.run("--debug")
    assert installer.text("systemd.log").count("restart") == before + 2


def test_parts_may_be_left_out(installer: Installer) -> None:
    none = installer.run(INSTALL_K3S_SKIP_DOWNLOAD="true")
    assert none.returncode == 1 and "Executable k3s binary not found" in none.stderr
    missing = installer.run(INSTALL_K3S_VERSION="v9")
    assert missing.returncode == 1 and "There is no release v9" in missing.stderr and "v1.9.1+k3s1 v1.36.5+k3s1" in missing.stderr
    done = installer.run(INSTALL_K3S_SKIP_ENABLE="true", INSTALL_K3S_SYMLINK="skip", INSTALL_K3S_NAME="edge", INSTALL_K3S_TYPE="exec")
    assert done.returncode == 0 and installer.text("systemd.log") == ""
    assert "Type=exec" in installer.text("units/k3s-edge.service") and not (installer.root / "bin/ctr").is_symlink()
    assert "Invalid characters for system name" in installer.run(INSTALL_K3S_NAME="a b").stderr
    installer.run(INSTALL_K3S_SKIP_START="true")
    assert "enable" in installer.text("systemd.log") and "restart" not in installer.text("systemd.log")


def test_what_a_learner_sets_is_never_run(installer: Installer) -> None:
    done = installer.run(
        INSTALL_K3S_EXEC=f"--token $(touch {installer.root}/oops) `touch {installer.root}/oops`; touch {installer.root}/oops"
    )
    assert done.returncode == 0, done.stderr
    assert not (installer.root / "oops").exists()
    assert "'$(touch'" in installer.text("units/k3s.service")


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
    assert (yaml.safe_load(config).get("kubelet-arg+") == ["fail-cgroupv1=false"]) is kubelet
    assert ("/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/90-courselab.toml" in machine.files) is drop_in


@pytest.mark.parametrize(
    "log",
    [
        "port taken",
        "starting\nlevel=fatal msg=port taken\nclosing\nclosed",
        "starting\nport taken\nstandin: stopping: kube ended with code 1\nclosing\nclosing\nclosed",
    ],
)
def test_a_k3s_that_does_not_start_is_told_with_its_last_words(machine: FakeMachine, log: str) -> None:
    def answer(argv: Sequence[str]) -> Completed:
        code = 1 if argv[0] == "systemctl" else 0
        return Completed(tuple(argv), code, log.encode() if argv[0] == "journalctl" else b"", b"")

    machine.answers = answer
    with pytest.raises(LabError, match="K3s did not start") as told:
        start_k3s(machine, Role.SERVER)
    assert "port taken" in told.value.why and "closed" not in told.value.why


def test_a_k3s_that_failed_once_gets_a_second_try(machine: FakeMachine) -> None:
    machine.answers = lambda argv: Completed(tuple(argv), 1 if "enable" in argv else 0, b"", b"")
    start_k3s(machine, Role.SERVER)
    assert [argv[1] for argv in machine.ran] == ["enable", "restart"]


def test_version_and_kubeconfig_come_from_the_machine(machine: FakeMachine) -> None:
    machine.answers = answering(version="k3s version v1.36.5+k3s1 (abc)\ngo version go1.26\n")
    assert installed_version(machine) == "v1.36.5+k3s1"
    machine.files["/etc/rancher/k3s/k3s.yaml"] = b"server: https://127.0.0.1:6443\n"
    assert fetch_kubeconfig(machine) == "server: https://192.0.2.11:6443\n"


WHOLE = """\
clusters: [{name: default, cluster: {server: "https://192.0.2.11:6443", certificate-authority-data: YQ==}}]
contexts: [{name: default, context: {cluster: default, user: default}}]
users: [{name: default, user: {}}]
current-context: default
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("current-context: default", 'current-context: ""'), ("current-context: default", ""), ("contexts: [{", "was: [{"), ("clusters: [{", "clusters: null\nwas: [{")],
)  # fmt: skip
def test_a_kubeconfig_that_kubectl_config_spoilt_is_no_bug_of_ours(tmp_path: Path, old: str, new: str) -> None:
    kept = tmp_path / "kubeconfig"
    save_kubeconfig(kept, WHOLE)
    assert load_kubeconfig(kept)["current-context"] == "default"
    save_kubeconfig(kept, WHOLE.replace(old, new))
    with pytest.raises(LabError, match="cannot be used") as told:
        load_kubeconfig(kept)
    assert "systemctl restart k3s" in told.value.fix
