"""What a LAB_HOME's machines have on this host right now, looked for without the program's own help. Other homes don't count."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from courselab.machines.local.hostsettings import WATCHED
from courselab.machines.local.names import HostNames

RECORD = Path("/run/courselab/kernel-settings.json")


def traces(machines: Path) -> dict[str, list[str]]:
    """Kind → names of what belongs to the machines kept in this folder; kinds without any are left out."""
    key = HostNames.of(machines).key
    ours = re.compile(rf"(?:^|/|clab|vb-|courselab[-_]){key}").search  # a key may be five digits, as inodes and handles are
    found = {
        "processes": [path for path, text in _command_lines() if str(machines) in text],
        "grouped processes": [path for path, text in _groups_of_processes() if ours(text)],
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(machines).replace(" ", "\\040") in line],
        "interfaces": [path.name for path in Path("/sys/class/net").iterdir() if ours(path.name)],
        "groups": [top for top, _, _ in os.walk("/sys/fs/cgroup") if ours(os.path.basename(top))],
        "firewall": [line for line in _said("nft", "list", "ruleset").splitlines() if ours(line)],
        "routes": [line for line in _said("ip", "route", "show", "table", "all").splitlines() if ours(line)],
        "nspawn": [str(path) for path in Path("/run/systemd/nspawn").rglob("*") if ours(path.name)],
        "settings": [key] if RECORD.exists() and key in json.loads(RECORD.read_text())["users"] else [],
    }
    return {kind: names for kind, names in found.items() if names}


def host_settings() -> dict[str, str]:
    """This host's own kernel settings: what was recorded while some lab runs, else what is set now."""
    if RECORD.exists():
        before: dict[str, str] = json.loads(RECORD.read_text())["before"]
        return {name: value for name, value in before.items() if "clab" not in name and "vb-" not in name}
    paths = [path for pattern in WATCHED for path in Path("/proc/sys").glob(pattern)]
    own = [path for path in paths if "clab" not in str(path) and "vb-" not in str(path)]
    return {str(path.relative_to("/proc/sys")): text for path in own if (text := _text(path))}


def _text(path: Path) -> str:
    """What is in it; nothing if it went away meanwhile, with a network card of somebody else."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


def _command_lines() -> list[tuple[str, str]]:
    return _per_process("cmdline")


def _groups_of_processes() -> list[tuple[str, str]]:
    return _per_process("cgroup")


def _per_process(name: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for path in Path("/proc").glob(f"[0-9]*/{name}"):
        try:
            if (path.parent / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":  # else it only waits for its parent
                found.append((str(path), path.read_text(errors="replace")))
        except OSError:
            continue
    return found


def _said(*argv: str) -> str:
    if not shutil.which(argv[0], path="/usr/sbin:/usr/bin:/sbin:/bin"):
        return ""  # not installed yet: then no lab has used it either
    return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True).stdout
