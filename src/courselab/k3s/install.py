"""Installing K3s on a machine, the same way for the real one and the stand-in, on every provider.

What is put where follows K3s's own install script (k3s-io/k3s install.sh), so that a learner finds what the K3s documentation describes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from courselab.course.model import Role
from courselab.errors import LabError
from courselab.k3s.release import Release
from courselab.machines import Machine

BINARY = "/usr/local/bin/k3s"
CONFIG = "/etc/rancher/k3s/config.yaml"
IMAGES = "/var/lib/rancher/k3s/agent/images"
_START_S = 300.0
_CAP_SYS_RESOURCE = 1 << 24
_CONTAINERD = "/var/lib/rancher/k3s/agent/etc/containerd"
_OOM_SCORES = """\
version = 3

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
"""

# The keys are those of K3s's install.sh, so that `systemctl cat k3s` shows what a real installation has.
_UNIT = """\
[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type={type}
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-{env_file}
KillMode=process
Delegate=yes
User=root
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStart={binary} {command}
"""


def unit_name(role: Role) -> str:
    """The systemd unit that K3s's install script makes for this role."""
    return "k3s-agent" if role is Role.AGENT else "k3s"


def install_k3s(
    machine: Machine,
    release: Release,
    role: Role,
    *,
    config: Mapping[str, Any],
    images: Sequence[Path],
    environment: Mapping[str, str] | None = None,
) -> None:
    """Put K3s on a running machine, ready to be started: binary, links, config.yaml, unit, environment file, image archives."""
    machine.put_file(BINARY, release.binary, mode=0o755)
    for archive in (*release.images, *images):
        machine.put_file(f"{IMAGES}/{archive.name}", archive, mode=0o600)
    unit = unit_name(role)
    env_file = f"/etc/systemd/system/{unit}.service.env"
    if release.distribution == "k3s":
        config = {**config, **_fit_to_host(machine)}
    for path, text, mode in (
        (CONFIG, json.dumps(dict(config), indent=2) + "\n" if config else "", 0o600),  # JSON is YAML
        (env_file, "".join(f"{name}={value}\n" for name, value in (environment or {}).items()), 0o600),
        (f"/etc/systemd/system/{unit}.service", _unit_text(role, env_file), 0o644),
    ):
        if text or path == env_file:
            machine.put(path, text.encode(), mode=mode)
    for name in ("kubectl", "crictl", "ctr"):
        machine.run(["ln", "-sf", "k3s", f"/usr/local/bin/{name}"], timeout_s=10).check(f"{name} could not be linked to k3s")


def start_k3s(machine: Machine, role: Role) -> None:
    """Enable and start the unit; returns when K3s says it is up (a server: its API answers). Raises LabError with its last log lines."""
    unit = unit_name(role)
    machine.run(["systemctl", "daemon-reload"], timeout_s=20).check("systemd did not take the k3s unit")
    started = machine.run(["systemctl", "enable", "--now", "--quiet", unit], timeout_s=_START_S)
    if started.code != 0:
        raise LabError(
            f"K3s did not start on {machine.name}",
            why=_last_log(machine, unit) or started.error_text,
            fix=f"`lab shell {machine.spec.hostname}`, then `journalctl -u {unit}` shows everything it said.",
        )


def installed_version(machine: Machine) -> str:
    """What `k3s --version` says: "v1.36.5+k3s1", or the stand-in's own version. Empty where no K3s is installed."""
    said = machine.run([BINARY, "--version"], timeout_s=60)
    words = said.text.split()
    return words[2] if said.code == 0 and len(words) > 2 else ""


def _fit_to_host(machine: Machine) -> dict[str, Any]:
    """What a real K3s needs where the host differs from a usual server; returns what to add to its configuration.

    cgroup v1: the kubelet refuses it since 1.35 unless told otherwise. Without CAP_SYS_RESOURCE (sandboxes, some containers) containerd
    may not lower a container's OOM score; K3s's containerd configuration takes drop-ins from config-v3.toml.d.
    """
    seen = machine.run(["/bin/sh", "-c", "stat -fc %T /sys/fs/cgroup; grep CapBnd /proc/1/status"], timeout_s=10).text.split()
    if len(seen) == 3 and not int(seen[2], 16) & _CAP_SYS_RESOURCE:
        machine.put(f"{_CONTAINERD}/config-v3.toml.d/90-courselab.toml", _OOM_SCORES.encode())
    return {"kubelet-arg+": ["fail-cgroupv1=false"]} if seen and seen[0] != "cgroup2fs" else {}


def _unit_text(role: Role, env_file: str) -> str:
    server = role is Role.SERVER
    return _UNIT.format(
        type="notify" if server else "exec",
        env_file=env_file,
        binary=BINARY,
        command="server" if server else "agent",
    )


def _last_log(machine: Machine, unit: str) -> str:
    log = machine.run(["journalctl", "-u", unit, "-n", "3", "--no-pager", "-o", "cat"], timeout_s=10)
    return " / ".join(log.text.splitlines())[:600]
