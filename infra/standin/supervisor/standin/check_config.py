"""`k3s check-config`: whether this machine and its kernel have what K3s needs, in K3s's words (contrib/util/check-config.sh)."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import Refused

NEEDED = (
    "NAMESPACES NET_NS PID_NS IPC_NS UTS_NS CGROUPS CGROUP_PIDS CGROUP_CPUACCT CGROUP_DEVICE CGROUP_FREEZER CGROUP_SCHED CPUSETS MEMCG SECCOMP "
    "KEYS VETH BRIDGE BRIDGE_NETFILTER IP_NF_FILTER IP_NF_TARGET_MASQUERADE IP_NF_TARGET_REJECT NETFILTER_XT_MATCH_ADDRTYPE "
    "NETFILTER_XT_MATCH_CONNTRACK NETFILTER_XT_MATCH_IPVS NETFILTER_XT_MATCH_COMMENT NETFILTER_XT_MATCH_MULTIPORT "
    "NETFILTER_XT_MATCH_STATISTIC IP_NF_NAT NF_NAT POSIX_MQUEUE"
)
OPTIONAL = (
    "USER_NS BLK_CGROUP BLK_DEV_THROTTLING CGROUP_PERF CGROUP_HUGETLB NET_CLS_CGROUP CGROUP_NET_PRIO CFS_BANDWIDTH FAIR_GROUP_SCHED "
    "RT_GROUP_SCHED IP_NF_TARGET_REDIRECT IP_SET IP_VS IP_VS_NFCT IP_VS_PROTO_TCP IP_VS_PROTO_UDP IP_VS_RR EXT4_FS EXT4_FS_POSIX_ACL "
    "EXT4_FS_SECURITY VXLAN OVERLAY_FS"
)
KEYS_LIMIT = Path("/proc/sys/kernel/keys/root_maxkeys")
KEYS_AT_LEAST = 10000
CGROUPS = Path("/sys/fs/cgroup")
ROUTES = Path("/proc/net/route")
DEFAULT_RANGES = re.compile(r"^\S+\t[0-9A-F]{4}2[AB]0A\t", re.MULTILINE)  # 10.42 and 10.43, as /proc/net/route writes them


@dataclass(frozen=True)
class Finding:
    """One line of the report. `fails`: K3s cannot do without."""

    what: str
    said: str
    fails: bool = False


def run(arguments: Sequence[str]) -> int:
    """Print what is found, of this kernel or of the configuration file that is named; return how much of it fails. Raises Refused."""
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: k3s check-config [KERNEL_CONFIG]   whether this machine has what K3s needs")
        return 0
    failing = _print("System", [_iptables(), _swap(), _routes()]) + _print("Limits", [_keys()])
    path, text = _kernel_config(Path(arguments[0]) if arguments else None)
    print(f"\ninfo: reading kernel config from {path} ...")
    failing += _print("Generally Necessary", [_cgroups(), *_apparmor(), *_options(text, NEEDED, fails=True)])
    failing += _print("Optional Features", _options(text, OPTIONAL))
    print(f"\nSTATUS: {f'{failing} (fail)' if failing else 'pass'}")
    return failing


def _print(title: str, findings: Sequence[Finding]) -> int:
    print(f"\n{title}:")
    for finding in findings:
        print(f"- {finding.what}: {finding.said}{' (fail)' if finding.fails else ''}")
    return sum(finding.fails for finding in findings)


def _iptables() -> Finding:
    program = shutil.which("iptables", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    argv = [program or "", "--version"]
    said = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=10).stdout.strip() if program else ""
    version = re.search(r"v(\d+)\.(\d+)\.(\d+)", said)
    if not program or not version:
        return Finding(program or "unknown iptables", f"unknown version: {said}")
    what, number = f"{Path(program).parent} {said}", tuple(map(int, version.groups()))
    if (1, 8, 0) <= number < (1, 8, 4) and "(legacy)" not in said:
        return Finding(what, "should be older than v1.8.0, newer than v1.8.3, or in legacy mode", fails=True)
    return Finding(what, "ok" if number >= (1, 8, 0) else "older than v1.8")


def _swap() -> Finding:
    found = re.search(r"^SwapTotal:\s+(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return Finding("swap", "should be disabled" if found and int(found[1]) else "disabled")


def _routes() -> Finding:
    lines = [line for line in ROUTES.read_text().splitlines() if not line.startswith("cni0\t")]
    taken = DEFAULT_RANGES.search("\n".join(lines))
    return Finding("routes", "default CIDRs 10.42.0.0/16 or 10.43.0.0/16 already routed" if taken else "ok")


def _keys() -> Finding:
    found = KEYS_LIMIT.read_text().strip() if KEYS_LIMIT.exists() else "0"
    return Finding(str(KEYS_LIMIT), found, fails=int(found) <= KEYS_AT_LEAST)


def _kernel_config(given: Path | None) -> tuple[Path, str]:
    release = os.uname().release
    usual = ("/proc/config.gz", f"/boot/config-{release}", f"/usr/src/linux-{release}/.config", "/usr/src/linux/.config")
    path = given or next((Path(place) for place in usual if Path(place).exists()), None)
    try:
        data = path.read_bytes() if path else b""
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode(errors="replace")
    except OSError as error:
        raise Refused(f"cannot read kernel config {path}: {error.strerror}") from None
    if path is None:
        sys.stdout.flush()
        raise Refused("cannot find kernel config: try again with its path, k3s check-config /path/to/kernel/.config")
    return path, text


def _cgroups() -> Finding:
    if (CGROUPS / "cgroup.controllers").exists():
        variant, wanted = "V2", {"cpu", "cpuset", "memory"}
        there = set((CGROUPS / "cgroup.controllers").read_text().split())
    else:
        variant, wanted = "Hybrid" if (CGROUPS / "unified" / "cgroup.controllers").exists() else "V1", {"cpuset", "memory"}
        there = {line.split(":")[1] for line in Path("/proc/self/cgroup").read_text().splitlines()}
    good = wanted <= there
    controllers = "|".join(sorted(wanted))
    status = "good" if good else "bad"
    return Finding("cgroup hierarchy", f"cgroups {variant} mounted, {controllers} controllers status: {status}", fails=not good)


def _apparmor() -> Iterator[Finding]:
    enabled = Path("/sys/module/apparmor/parameters/enabled")
    if enabled.exists() and enabled.read_text().strip() == "Y":
        there = shutil.which("apparmor_parser", path="/usr/sbin:/sbin:/usr/bin")
        yield Finding("apparmor", "enabled and tools installed" if there else "enabled, but apparmor_parser missing", fails=not there)


def _options(text: str, names: str, *, fails: bool = False) -> list[Finding]:
    found = dict(re.findall(r"^CONFIG_(\w+)=([ym])$", text, re.MULTILINE))
    said = {"y": "enabled", "m": "enabled (as module)", "": "missing"}
    return [Finding(f"CONFIG_{name}", said[found.get(name, "")], fails=fails and name not in found) for name in names.split()]
