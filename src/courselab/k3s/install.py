"""Installing K3s on a machine, the same way for the real one and the stand-in, on every provider.

Every machine has the release and an installer that works without the internet, install-k3s.sh; a learner uses the same one.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from courselab.course.model import Role
from courselab.errors import LabError
from courselab.k3s.release import Release
from courselab.machines import Machine
from courselab.process import CommandTimeout

BINARY = "/usr/local/bin/k3s"
CONFIG = "/etc/rancher/k3s/config.yaml"
TOKEN = "/var/lib/rancher/k3s/server/node-token"  # noqa: S105 a path
INSTALLER = "/usr/local/bin/install-k3s.sh"
RELEASES = "/opt/k3s-releases"  # a folder per version, and `images` that belong to all of them
_END = re.compile(r"level=fatal|^standin: stopping: |^panic: ")  # what K3s says of its end: the words before tell why
_START_S = 300.0
_ASK_S = 20.0
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_INSTALL_S = 120.0
_TOKEN_S = 120.0
_CAP_SYS_RESOURCE = 1 << 24
_CONTAINERD = "/var/lib/rancher/k3s/agent/etc/containerd"
_OOM_SCORES = """\
version = 3

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
"""


def unit_name(role: Role) -> str:
    """The systemd unit that K3s's install script makes for this role."""
    return "k3s-agent" if role is Role.AGENT else "k3s"


def release_name(release: Release) -> str:
    """The version as K3s writes it and INSTALL_K3S_VERSION takes it: "v1.36.5+k3s1"."""
    return f"v{release.version.removeprefix('v')}" if release.version else "v0-given"


def provide_k3s(machine: Machine, release: Release, images: Sequence[Path]) -> None:
    """Lay ready on a running machine what its installer takes, without installing anything."""
    folder = f"{RELEASES}/{release_name(release)}"
    machine.put_file(f"{folder}/k3s", release.binary, mode=0o755)
    for archive in release.images:
        machine.put_file(f"{folder}/images/{archive.name}", archive)
    for archive in images:
        machine.put_file(f"{RELEASES}/images/{archive.name}", archive)
    script = resources.files("courselab.k3s").joinpath("install-k3s.sh").read_bytes()
    machine.put(INSTALLER, script, mode=0o755)


def install_k3s(
    machine: Machine,
    release: Release,
    role: Role,
    *,
    config: Mapping[str, Any],
    images: Sequence[Path],
) -> None:
    """Put K3s on a running machine, ready to be started: binary, links, config.yaml, unit, image archives."""
    provide_k3s(machine, release, images)
    if release.distribution == "k3s":
        config = {**config, **_fit_to_host(machine)}
    if config:
        machine.put(CONFIG, yaml.safe_dump(dict(config), sort_keys=False).encode(), mode=0o600)
    settings = [f"INSTALL_K3S_VERSION={release_name(release)}", "INSTALL_K3S_SKIP_START=true"]
    command = "agent" if role is Role.AGENT else "server"
    done = machine.run(["/usr/bin/env", *settings, INSTALLER, command], timeout_s=_INSTALL_S)
    done.check(f"K3s could not be installed on {machine.name}")


def set_environment(machine: Machine, role: Role, environment: Mapping[str, str]) -> None:
    """Write the unit's environment file, where K3s's install script puts K3S_URL and K3S_TOKEN."""
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in environment.items())
    machine.put(f"/etc/systemd/system/{unit_name(role)}.service.env", text.encode(), mode=0o600)


def join_token(server: Machine) -> str:
    """The server's token, as soon as K3s has written it: long before its API answers. Raises LabError."""
    script = 'until grep -qs :: "$1"; do sleep 0.05; done; cat "$1"'
    said = server.run(["/bin/sh", "-c", script, "sh", TOKEN], timeout_s=_TOKEN_S)
    return said.check(f"{server.name} has no token for other machines").text.strip()


def start_k3s(machine: Machine, role: Role, *, wait: bool = True, again: bool = False) -> None:
    """Enable and start the unit, also one that runs with `again`. With `wait`, returns when K3s says it is up (a server: its API answers; an
    agent: it has joined) and raises LabError with its last log lines if it ends before. One failure may be of a start begun while the disk
    was full, say, so there is a second try; systemd goes on trying, too (Restart=always)."""
    unit = unit_name(role)
    block = [] if wait else ["--no-block"]
    try:
        started = machine.run(["systemctl", "enable", "--quiet", *([] if again else ["--now", *block]), unit], timeout_s=_START_S)
        if again or started.code != 0:
            started = machine.run(["systemctl", "restart", *block, unit], timeout_s=_START_S)
    except CommandTimeout as late:
        raise _did_not_start(machine, unit, late.what) from late
    if started.code != 0:
        raise _did_not_start(machine, unit, started.error_text)


def k3s_runs(machine: Machine, role: Role) -> bool:
    """Whether the unit is active."""
    return machine.run(["systemctl", "is-active", "--quiet", unit_name(role)], timeout_s=_ASK_S).code == 0


def raise_if_down(machine: Machine, role: Role, cause: LabError) -> None:
    """After waiting for a node in vain: if its K3s does not run, that is the reason. Raises LabError with its last log lines."""
    if not k3s_runs(machine, role):
        raise _did_not_start(machine, unit_name(role), cause.why) from cause


def _did_not_start(machine: Machine, unit: str, otherwise: str) -> LabError:
    host = machine.spec.hostname
    return LabError(
        f"K3s did not start on {machine.name}",
        why=f"Its last words: {_last_log(machine, unit) or otherwise}. The machine runs, and its files are there.",
        fix=f"`lab shell {host}`, then `journalctl -u {unit}` shows everything it said. `lab reset {machine.spec.lab}` makes the lab anew.",
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


def _last_log(machine: Machine, unit: str) -> str:
    """What the unit's own processes said last before the end, without systemd's words about them and what its parts say when they are told
    to end."""
    log = machine.run(["journalctl", f"_SYSTEMD_UNIT={unit}.service", "-n", "50", "--no-pager", "-o", "cat"], timeout_s=10)
    lines = _COLOURS.sub("", log.text).splitlines()
    end = next((place for place in reversed(range(len(lines))) if _END.search(lines[place])), len(lines) - 1)
    return " / ".join(lines[max(0, end - 2) : end + 1])[:600]
