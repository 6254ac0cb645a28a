"""The host's kernel settings: what machines need is set before the first one starts, and put back after the last one ended.

Also one kernel module: nodes need br_netfilter, which would change what every bridge of the host does unless told not to.

The record is shared by all state folders of this host and lives in /run, which like the settings themselves does not outlast a
reboot. It names the boot, in case /run is on a disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courselab import files, process
from courselab.locks import locked
from courselab.machines.local.names import BRIDGES
from courselab.machines.local.packages import find_program

RUN = Path("/run/courselab")
SYSCTLS = Path("/proc/sys")
# What we set: machines reach the outside through this host; and many machines share the limits of one root user.
FORWARD = {"net/ipv4/ip_forward": 1}
AT_LEAST = {"fs/inotify/max_user_instances": 1024, "fs/inotify/max_user_watches": 524288}
BRIDGE_FILTER = "br_netfilter"
BRIDGE_CALLS = tuple(f"net/bridge/bridge-nf-call-{kind}" for kind in ("iptables", "ip6tables", "arptables"))
# What K3s, a kubelet or a bridge might change. Machines see plain files instead, so this is the second lock on the same door.
WATCHED = (
    "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes", "kernel/keys/maxkeys",
    "kernel/keys/maxbytes", "vm/overcommit_memory", "vm/panic_on_oom", "vm/max_map_count", "net/ipv4/ip_forward",
    "net/ipv4/conf/*/forwarding", "net/ipv6/conf/*/forwarding", "net/ipv4/conf/*/route_localnet", "net/bridge/bridge-nf-call-*",
    "net/netfilter/nf_conntrack_max", "net/nf_conntrack_max", "fs/inotify/max_user_*",
)  # fmt: skip


def other_bridges() -> set[str]:
    """The host's bridges that are not ours."""
    shown = process.run(["ip", "-json", "link", "show", "type", "bridge"], timeout_s=10)
    names: list[str] = [link.get("ifname", "") for link in json.loads(shown.stdout or b"[]")]
    return {name for name in names if name and not name.startswith(BRIDGES)}


@dataclass(frozen=True)
class HostSettings:
    """Kernel settings of this host on behalf of the machines of one state folder (`user`)."""

    user: str
    machines: Path  # of this user
    boot: str
    run: Path = RUN
    sysctls: Path = SYSCTLS
    bridges: Callable[[], set[str]] = other_bridges

    def borrow(self) -> None:
        """Record the settings unless somebody already did during this boot, and set what machines need. Call before a start."""
        with self._locked():
            record = self._record()
            now = {
                "boot": self.boot,
                "users": {**record.get("users", {}), self.user: str(self.machines)},
                "before": record.get("before") or self._read(),
                "bridges": record.get("bridges", sorted(self.bridges())),
                "loads": record.get("loads", not self._has(BRIDGE_CALLS[0])),
            }
            if now != record:
                self._write(now)  # on disk first: a crash must not lose it
            if not self._has(BRIDGE_CALLS[0]):
                self._load_bridge_filter()
            for name, value in FORWARD.items():
                self._set(name, str(value))
            for name, least in AT_LEAST.items():
                current = self._get(name)
                if current is not None and int(current) < least:
                    self._set(name, str(least))

    def give_back(self, still_used: Callable[[str, Path], bool]) -> None:
        """Say that `user` has no running machine any more. After the last user everything is put back as it was.

        `still_used` tells of another user's key and folder whether it has any machines: a state folder may have vanished.
        """
        with self._locked():
            record = self._record()
            others = {user: folder for user, folder in record.get("users", {}).items() if user != self.user}
            users = {user: folder for user, folder in others.items() if still_used(user, Path(folder))}
            if users:
                self._write({**record, "users": users})
                return
            before = dict(record.get("before", {}))
            if self.bridges() - set(record.get("bridges", [])):
                # Docker or the like came meanwhile and relies on forwarding, which it found switched on.
                before = {name: value for name, value in before.items() if not name.endswith("forward") and "/forwarding" not in name}
            self._restore(before)
            if record.get("loads"):
                self._modprobe("--remove", "--quiet", BRIDGE_FILTER)
            self._file.unlink(missing_ok=True)

    def users(self) -> dict[str, Path]:
        """The state folders whose machines run, or were not seen to end: key → where their machines are. Raises PermissionError if not root."""
        return {key: Path(folder) for key, folder in self._record().get("users", {}).items()}

    def _load_bridge_filter(self) -> None:
        """Have it for the machines without letting it change the host's own bridges."""
        self._modprobe("--quiet", BRIDGE_FILTER)
        for name in BRIDGE_CALLS:
            self._set(name, "0")

    def _modprobe(self, *words: str) -> None:
        if modprobe := find_program("modprobe"):
            process.run([modprobe, *words], timeout_s=30)  # a kernel without modules has it built in or does without

    def _restore(self, before: Mapping[str, str]) -> None:
        # ip_forward first: writing it sets every interface's own forwarding, which then gets its own value again.
        for name in sorted(before, key=lambda name: name != "net/ipv4/ip_forward"):
            if self._get(name) not in {None, before[name]}:
                self._set(name, before[name])

    def _read(self) -> dict[str, str]:
        found = (path for pattern in WATCHED for path in sorted(self.sysctls.glob(pattern)))
        names = (str(path.relative_to(self.sysctls)) for path in found)
        return {name: value for name in names if (value := self._get(name)) is not None}

    def _get(self, name: str) -> str | None:
        try:
            return (self.sysctls / name).read_text().strip()
        except OSError:
            return None

    def _has(self, name: str) -> bool:
        return (self.sysctls / name).exists()

    def _set(self, name: str, value: str) -> None:
        if self._has(name):
            (self.sysctls / name).write_text(value)

    @property
    def _file(self) -> Path:
        return self.run / "kernel-settings.json"

    def _record(self) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(self._file.read_text())
        except FileNotFoundError:  # not asked with exists(): since Python 3.14 that hides what only root may see
            return {}
        return record if record.get("boot") == self.boot else {}

    def _write(self, record: dict[str, Any]) -> None:
        files.write_json(self._file, record)

    def _locked(self) -> AbstractContextManager[None]:
        self.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        return locked(self.run / "lock")
