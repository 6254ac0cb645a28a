"""containerd: its configuration, its start, and the images it is given before any pod asks for them.

K3s keeps it in /var/lib/rancher/k3s/agent and /run/k3s (pkg/agent/templates/templates.go, pkg/agent/containerd/containerd.go).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence, Set
from pathlib import Path

from . import layout
from .children import Children
from .files import write

PAUSE = "docker.io/k3s-standin/pause:1"
IMPORTED = layout.AGENT / "etc" / "imported-images.json"
# Packaged component: its archives. Helm's is imported with the first HelmChart (helmcharts.py), which Traefik is.
IMAGES_OF = {"coredns": ("coredns",), "metrics-server": ("metrics-server",), "servicelb": ("lb",), "traefik": ("helm", "traefik")}
LAST = frozenset({"metrics-server"})  # nobody waits for it
IMPORT_TIMEOUTS_S = (60.0, 240.0)  # one that hangs is tried once more: an agent's kubelet waits for it
CAP_SYS_RESOURCE = 24

CONFIGURATION = """version = 3
root = "{root}"
state = "{state}"
disabled_plugins = [{disabled}]

[grpc]
  address = "{socket}"

[plugins.'io.containerd.internal.v1.opt']
  path = "{root}"

[plugins.'io.containerd.grpc.v1.cri']
  stream_server_address = "127.0.0.1"
  stream_server_port = "10010"

[plugins.'io.containerd.cri.v1.runtime']
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  restrict_oom_score_adj = {restrict}

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["{cni_bin}"]
  conf_dir = "{cni_config}"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  use_local_image_pull = true

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{pause}"
"""
# Parts that no pod here needs; each would cost start-up time.
DISABLED = (
    "io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs",
    "io.containerd.differ.v1.erofs", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
)  # fmt: skip


def configure() -> None:
    """Write containerd's and crictl's configuration, and the pod network's."""
    text = CONFIGURATION.format(
        root=layout.CONTAINERD_ROOT, state=layout.CONTAINERD_STATE, socket=layout.CONTAINERD_SOCKET,
        disabled=", ".join(f'"{name}"' for name in DISABLED), restrict=str(not may_lower_oom_score()).lower(),
        cni_bin=layout.CNI_BIN, cni_config=layout.CNI_CONFIG, pause=PAUSE,
    )  # fmt: skip
    write(layout.CONTAINERD_CONFIG, text.encode())
    write(layout.CRICTL_CONFIG, f"runtime-endpoint: unix://{layout.CONTAINERD_SOCKET}\n".encode(), 0o644)


def may_lower_oom_score() -> bool:
    """Whether this machine has CAP_SYS_RESOURCE, without which no process may be made safer from the OOM killer."""
    match = re.search(r"^CapEff:\s*([0-9a-f]+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    return match is None or bool(int(match[1], 16) >> CAP_SYS_RESOURCE & 1)


def start(children: Children, *, debug: bool = False) -> None:
    """Start containerd. Its shims, and so the containers, live on when it ends."""
    for folder in (layout.CONTAINERD_ROOT, layout.CONTAINERD_STATE, layout.CNI_CONFIG, layout.IMAGES):
        folder.mkdir(parents=True, exist_ok=True)
    environment = {"PATH": f"{layout.BIN}:{os.environ['PATH']}"}
    children.start(
        "containerd",
        [layout.BIN / "containerd", "--config", layout.CONTAINERD_CONFIG, "--log-level", "debug" if debug else "warn"],
        environment,
        umask=0o022,  # it makes the root folders of containers, which other users than root must enter
    )


def unpacks_in_memory() -> bool:
    """Whether images are unpacked on a tmpfs. A kubelet that starts meanwhile may take a mount of containerd's, which is gone a moment later,
    for the disk that it is to look after, and ends (cAdvisor's fs/fs.go, processMounts: every mount of a tmpfs counts as a disk of its own).
    """
    kind = subprocess.run(["stat", "-fc", "%T", layout.CONTAINERD_ROOT], capture_output=True, timeout=10, check=False)
    return kind.stdout.strip() == b"tmpfs"


def wait(give_up: Callable[[], None]) -> None:
    """Return once containerd answers."""
    while _ctr("version", timeout_s=10) is None:
        give_up()
        time.sleep(0.025)


def import_images(archives: Sequence[Path], when_there: Callable[[str], object] = lambda _: None) -> list[str]:
    """Import archives that are not there yet, pinned against the kubelet's garbage collection; return what went wrong.

    `when_there` is called with the name of each, "traefik", as soon as it is there.

    As K3s does with agent/images at each start (docs.k3s.io/installation/airgap); unchanged archives are not read again.
    """
    known: dict[str, list[int]] = json.loads(IMPORTED.read_bytes()) if IMPORTED.exists() else {}
    problems: list[str] = []
    for archive in archives:
        stamp = [archive.stat().st_size, archive.stat().st_mtime_ns]
        if known.get(str(archive)) == stamp:
            when_there(archive.stem)
            continue
        options = ("--local", "--label", "io.cri-containerd.image=managed", "--label", "io.cri-containerd.pinned=pinned")
        words = ("images", "import", *options, str(archive))
        if all(_ctr(*words, timeout_s=timeout_s) is None for timeout_s in IMPORT_TIMEOUTS_S):
            problems.append(f"image archive {archive} could not be imported")
        else:
            known[str(archive)] = stamp
            write(IMPORTED, json.dumps(known).encode())
        when_there(archive.stem)  # even if it failed: its pod will say so
    return problems


def archives(disabled: Set[str] = frozenset()) -> list[Path]:
    """Image archives to import, small ones first: the more pods start meanwhile. The stand-in's own are left out where their component is disabled."""
    unused = {image for name in disabled for image in IMAGES_OF.get(name, ())}
    own = [path for path in (layout.HOME / "images").glob("*.tar") if path.stem not in unused]
    given = [path for path in layout.IMAGES.glob("*") if path.name.endswith((".tar", ".tar.gz", ".tgz", ".tar.zst"))]
    return sorted(own + given, key=lambda path: (path.stem in LAST, path.stat().st_size))


def _ctr(*arguments: str, timeout_s: float) -> str | None:
    """Run ctr; None if it failed, after its words have gone to our log."""
    argv = [str(layout.BIN / "ctr"), "--address", str(layout.CONTAINERD_SOCKET), "--namespace", "k8s.io", *arguments]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None
