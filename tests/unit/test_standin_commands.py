"""Commands of the stand-in that a learner meets first: `k3s server --help`, `k3s check-config`."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.unit import standin_path  # noqa: F401 makes standin importable

from standin import check_config, cli, config, layout, usage  # isort: skip


def test_help_lists_every_flag_to_everybody(capsys: pytest.CaptureFixture[str]) -> None:
    for command, flags in (("server", config.SERVER_FLAGS), ("agent", config.AGENT_FLAGS)):
        assert cli.main([command, "--help"]) == 0
        lines = capsys.readouterr().out.splitlines()
        for flag in flags:
            name = "-v" if flag.name == "v" else f"--{flag.name}"
            (line,) = [line for line in lines if line.split()[:1] and line.split()[0].rstrip(",") == name]
            assert usage.WORDS[flag.name] in line
            assert flag.env in line
        assert not {"--tls-san", "--disable"} & {word for line in lines for word in line.split()} or command == "server"
    assert set(usage.WORDS) == {flag.name for flag in config.SERVER_FLAGS}


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """A kernel's configuration with all that K3s needs."""
    path = tmp_path / "config"
    path.write_text("".join(f"CONFIG_{name}=y\n" for name in check_config.NEEDED.split()) + "CONFIG_VXLAN=m\n# CONFIG_IP_VS is not set\n")
    return path


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that is as it should be, whatever this one is like."""
    keys, cgroups = tmp_path / "root_maxkeys", tmp_path / "cgroup"
    keys.write_text("1000000\n")
    cgroups.mkdir()
    (cgroups / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    monkeypatch.setattr(check_config, "KEYS_LIMIT", keys)
    monkeypatch.setattr(check_config, "CGROUPS", cgroups)
    monkeypatch.setattr(check_config, "_apparmor", lambda: iter(()))
    monkeypatch.setattr(check_config, "_iptables", lambda: check_config.Finding("/usr/sbin iptables v1.8.9 (nf_tables)", "ok"))
    monkeypatch.setattr(layout, "HOME", tmp_path)
    return tmp_path


def test_a_good_machine_passes(kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-config", str(kernel)]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "STATUS: pass"
    assert "- cgroup hierarchy: cgroups V2 mounted, cpu|cpuset|memory controllers status: good\n" in said
    assert "- CONFIG_MEMCG: enabled\n" in said
    assert "- CONFIG_VXLAN: enabled (as module)\n" in said
    assert "- CONFIG_IP_VS: missing\n" in said, "what is optional does not fail"


def test_what_is_missing_fails_and_is_counted(kernel: Path, machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel.write_bytes(gzip.compress(kernel.read_bytes().replace(b"CONFIG_MEMCG=y\n", b"")))
    (machine / "cgroup" / "cgroup.controllers").write_text("cpuset cpu io pids\n")
    assert cli.main(["check-config", str(kernel)]) == 2
    said = capsys.readouterr().out
    assert "- CONFIG_MEMCG: missing (fail)\n" in said
    assert "controllers status: bad (fail)\n" in said
    assert said.splitlines()[-1] == "STATUS: 2 (fail)"


def test_a_kernel_s_configuration_that_is_not_there_is_one_line(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-config", str(machine / "none")]) == 1
    assert capsys.readouterr().err == f"k3s (stand-in): cannot read kernel config {machine / 'none'}: No such file or directory\n"


@pytest.mark.parametrize(
    ("route", "taken"),
    [
        ("eth0\t00012A0A\t", True),
        ("flannel.1\t00022B0A\t", True),
        ("cni0\t00002A0A\t", False),
        ("eth0\t0001A8C0\t", False),
        ("e\t0000FEA9\t", False),
    ],
)
def test_routes_into_the_cluster_s_ranges_are_seen(route: str, taken: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(f"Iface\tDestination\tGateway\n{route}00000000\n")
    monkeypatch.setattr(check_config, "ROUTES", table)
    assert check_config._routes().said == ("default CIDRs 10.42.0.0/16 or 10.43.0.0/16 already routed" if taken else "ok")
