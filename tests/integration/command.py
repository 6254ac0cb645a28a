"""The real `./lab` in a home of its own, and what of the host must be as before."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

COURSE = Path(__file__).parents[2]
LONG_S = 3600
# What a machine or kubelet could change for the whole host.
SYSCTLS = ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom", "net/ipv4/ip_forward", "kernel/domainname")


@dataclass(frozen=True)
class LabCommand:
    """Runs `./lab` with a LAB_HOME of its own; builds are shared with everybody on this computer."""

    home: Path

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("LAB_", "SUDO_")) or name == "LAB_CACHE"}
        env.setdefault("LAB_CACHE", str(Path.home() / ".cache" / "k3s-course-lab"))
        env |= {"LAB_HOME": str(self.home), **environ}
        return subprocess.run(
            [str(COURSE / "lab"), *words], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LONG_S, check=False
        )

    def ok(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run and expect success; a failure shows what the command said."""
        done = self.run(*words, **environ)
        assert done.returncode == 0, f"lab {' '.join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


def host_marks() -> dict[str, object]:
    """Everything of the host that labs touch: mounts, interfaces, nft tables, cgroups, namespaces, settings."""
    return {
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "nft": said("nft", "list", "tables"),
        "iptables": re.sub(r"#.*|\[\d+:\d+\]", "", said("iptables-save")),
        "routes": said("ip", "route"),
        "cgroups": sorted(str(path) for path in Path("/sys/fs/cgroup").rglob("*") if path.is_dir() and "courselab" in path.name),
        "namespaces": foreign_pid_namespaces(),
        "settings": {name: Path("/proc/sys", name).read_text() for name in SYSCTLS},
        "kubeconfig": (path.read_bytes() if (path := Path.home() / ".kube" / "config").exists() else None),
    }


def said(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False).stdout
    except FileNotFoundError:
        return ""


def foreign_pid_namespaces() -> int:
    """How many process namespaces beside ours are in use."""
    own = os.readlink("/proc/self/ns/pid")
    seen: set[str] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                seen.add(os.readlink(entry / "ns/pid"))
            except OSError:
                continue
    return len(seen - {own})
