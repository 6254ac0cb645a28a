"""Runs inside a machine, as root, with the system's own Python and nothing else: says what the machine is like, as one JSON document.

The host reads this file and sends it as it is (`python3 -I -S -c …`), with the request on standard input:
{"units": [...], "files": [...], "sysctls": [...], "log_lines": 20, "nonce": "…"}. It must run on Python 3.8 and import only the standard library.
Programs are called by absolute path; everything is bounded, because what it reads was written by others.
"""

from __future__ import annotations

import contextlib
import glob
import grp
import hashlib
import json
import os
import pwd
import select
import socket
import stat
import subprocess
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Process = subprocess.Popen[bytes] | None

TEXT_LIMIT = 64 * 1024
NAMES_LIMIT, PORTS_LIMIT = 200, 500
LINE_LIMIT = 2000
PROGRAM_LIMIT = 256 * 1024
DEADLINE_S = 6.0
PRELOAD = "/etc/ld.so.preload"
# Whose files the answer rests on: https://manpages.debian.org/dpkg, --verify reads the same records.
PACKAGES = ("systemd", "python3*-minimal", "libpython3*-minimal", "libpython3*-stdlib")
RECORDS = "/var/lib/dpkg/info/"
SYSTEMCTL, JOURNALCTL, K3S = "/usr/bin/systemctl", "/usr/bin/journalctl", "/usr/local/bin/k3s"
UNIT_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Result",
    "NRestarts",
    "MainPID",
    "ExecMainStatus",
    "ExecMainCode",
    "ActiveEnterTimestampMonotonic",
)
CONFIG, CONFIG_FOLDER = "/etc/rancher/k3s/config.yaml", "/etc/rancher/k3s/config.yaml.d"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", "HOME": "/root"}


def main() -> None:
    request = json.load(sys.stdin)
    problems: list[str] = []
    trimmed: list[str] = []
    units: list[str] = request["units"]
    log_lines = str(int(request["log_lines"]))
    shown = start([SYSTEMCTL, "show", "--no-pager", "-p", ",".join(UNIT_PROPERTIES), "--", *[unit_name(unit) for unit in units]])
    logs = {unit: start([JOURNALCTL, "-q", "--no-pager", "-o", "cat", "-n", log_lines, "-u", unit_name(unit)]) for unit in units}
    version = start([K3S, "--version"]) if os.path.exists(K3S) else None
    configs = [CONFIG, *sorted(glob.glob(CONFIG_FOLDER + "/*.yaml") + glob.glob(CONFIG_FOLDER + "/*.yml"))[:50]]
    document: dict[str, Any] = {
        "nonce": request["nonce"],
        "untrusted": untrusted(),
        "hostname": socket.gethostname(),
        "files": {path: file_state(path) for path in request["files"]},
        "configs": {path: file_state(path) for path in configs},
        "ports": ports(),
        "sysctls": {name: sysctl(name) for name in request["sysctls"]},
    }
    deadline = time.monotonic() + DEADLINE_S
    text = finish(shown, deadline, problems, "systemctl")
    document["units"] = parse_units(units, text)
    for unit, process in logs.items():
        if unit in document["units"]:
            lines = finish(process, deadline, problems, "journalctl").splitlines()
            document["units"][unit]["log"] = [line[:LINE_LIMIT] for line in lines]
            if any(len(line) > LINE_LIMIT for line in lines):
                trimmed.append("log lines of unit " + unit)
    document["k3s_version"] = finish(version, deadline, problems, "k3s --version")[:300] if version else ""
    document["k3s_installed"] = version is not None
    trimmed += ["names in folder " + path for path, state in document["files"].items() if len(state.get("names", [])) == NAMES_LIMIT]
    trimmed += ["file " + path for path, state in document["files"].items() if state.get("cut")]
    trimmed += ["listening ports"] if len(document["ports"]) == PORTS_LIMIT else []
    document["problems"], document["trimmed"] = problems, trimmed
    document["time"] = time.time()
    json.dump(document, sys.stdout)


def unit_name(unit: str) -> str:
    return unit if "." in unit else unit + ".service"


def start(argv: list[str]) -> Process:
    try:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT, cwd="/")
    except OSError:
        return None


def finish(process: Process, deadline: float, problems: list[str], name: str) -> str:
    """What the program printed, at most PROGRAM_LIMIT; at the deadline it is killed."""
    if process is None or process.stdout is None:
        problems.append(name + " could not be started")
        return ""
    os.set_blocking(process.stdout.fileno(), False)
    data = b""
    while len(data) < PROGRAM_LIMIT:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            problems.append(name + " did not answer in time")
            break
        chunk = process.stdout.read(65536)
        if chunk is None:
            continue
        if not chunk:
            break
        data += chunk
    process.kill()
    process.stdout.close()
    process.wait()
    return data.decode("utf-8", "replace")


def parse_units(units: list[str], text: str) -> dict[str, dict[str, Any]]:
    """`systemctl show` prints one block of KEY=VALUE lines per unit, in the order asked, with an empty line between."""
    found: dict[str, dict[str, Any]] = {}
    now, boot = time.time(), time.clock_gettime(time.CLOCK_MONOTONIC)
    for unit, block in zip(units, text.split("\n\n")):  # noqa: B905 `strict` came with Python 3.10
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        entered = number(values.get("ActiveEnterTimestampMonotonic")) / 1e6
        found[unit] = {
            "load": values.get("LoadState", ""),
            "active": values.get("ActiveState", ""),
            "sub": values.get("SubState", ""),
            "enabled": values.get("UnitFileState", ""),
            "result": values.get("Result", ""),
            "restarts": number(values.get("NRestarts")),
            "pid": number(values.get("MainPID")),
            "since": now - (boot - entered) if entered else None,
            "exit_code": number(values.get("ExecMainStatus")) if number(values.get("ExecMainCode")) else None,
        }
    return found


def number(text: str | None) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0


def file_state(path: str) -> dict[str, Any]:
    try:
        info = os.lstat(path)
    except FileNotFoundError:
        return {"exists": False}
    except OSError as error:
        return {"exists": False, "problem": error.strerror}
    state: dict[str, Any] = {"exists": True}
    if stat.S_ISLNK(info.st_mode):
        state["target"] = os.readlink(path)
        try:
            info = os.stat(path)
        except OSError as error:
            state.update(kind="link", problem=error.strerror)
            return state
    state.update(
        kind="file" if stat.S_ISREG(info.st_mode) else "folder" if stat.S_ISDIR(info.st_mode) else "other",
        size=info.st_size,
        mode=format(stat.S_IMODE(info.st_mode), "o"),
        owner=name_of(pwd.getpwuid, info.st_uid),
        group=name_of(grp.getgrgid, info.st_gid),
        modified=info.st_mtime,
    )
    try:
        if state["kind"] == "folder":
            state["names"] = sorted(os.listdir(path))[:NAMES_LIMIT]
        elif state["kind"] == "file":
            state.update(read_text(path))
    except OSError as error:
        state["problem"] = error.strerror
    return state


def read_text(path: str) -> dict[str, Any]:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        data = file.read(TEXT_LIMIT + 1)
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))  # what Windows PowerShell writes with >
    if b"\0" in data and not wide:
        return {"problem": "it is not a text"}
    return {"text": data[:TEXT_LIMIT].decode("utf-16" if wide else "utf-8", "replace"), "cut": len(data) > TEXT_LIMIT}


def name_of(look_up: Callable[[int], Any], number: int) -> str:
    try:
        return look_up(number)[0]
    except KeyError:
        return str(number)


def sysctl(name: str) -> str | None:
    path = "/proc/sys/" + name.replace(".", "/")
    if ".." in name or not os.path.isfile(path):
        return None
    with contextlib.suppress(OSError), open(path) as file:
        return file.read(4096).strip()
    return None


def ports() -> list[dict[str, Any]]:
    """Listening sockets of this machine's network namespace: state 0A is LISTEN for TCP, 07 is an unconnected UDP socket."""
    found: set[tuple[int, str, str]] = set()
    for protocol, wanted in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        with contextlib.suppress(OSError), open("/proc/net/" + protocol) as file:
            for line in file.readlines()[1:20000]:
                fields = line.split()
                if len(fields) > 3 and fields[3] == wanted:
                    address, port = fields[1].rsplit(":", 1)
                    found.add((int(port, 16), readable(address), protocol[:3]))
    return [{"port": port, "address": address, "protocol": protocol} for port, address, protocol in sorted(found)[:PORTS_LIMIT]]


def readable(address: str) -> str:
    # The kernel prints addresses as 32-bit words in the machine's byte order.
    words = [bytes.fromhex(address[i : i + 8]) for i in range(0, len(address), 8)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def untrusted() -> dict[str, str]:
    """Programs and modules that this answer rests on and that are not what the system brought; of each, how it differs."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        if os.path.getsize(PRELOAD):
            found[PRELOAD] = "puts code of its own into every program"
    sums = recorded_sums()
    modules = sorted(filter(None, (getattr(module, "__file__", "") for module in list(sys.modules.values()))))
    for path in (SYSTEMCTL, JOURNALCTL, sys.executable, *modules):
        if why := difference(path, sums):
            found[path] = why
    return found


def recorded_sums() -> dict[str, str]:
    """The MD5 sums that dpkg keeps of the files of these packages; empty where there is no dpkg."""
    sums: dict[str, str] = {}
    for package in PACKAGES:
        for path in glob.glob(RECORDS + package + ".md5sums") + glob.glob(RECORDS + package + ":*.md5sums"):
            with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
                sums.update((name.strip(), known) for known, _, name in (line.partition(" ") for line in file))
    return sums


def difference(path: str, sums: dict[str, str]) -> str:
    """How a file differs from what the system brought; "" if it does not."""
    real = os.path.realpath(path)
    try:
        info = os.stat(real)
        with open(real, "rb") as file:
            data = file.read()
    except OSError as error:
        return "cannot be read: " + str(error.strerror)
    if info.st_uid != 0 or info.st_mode & 0o022:
        return "can be changed by others than root"
    names = (real[1:], path[1:], path[1:].replace("usr/", "", 1))  # packages older than the merged /usr call it bin/systemctl
    known = next((sums[name] for name in names if name in sums), "")
    if known:
        return "" if hashlib.md5(data).hexdigest() == known else "is not the one that its package brought"  # noqa: S324 dpkg keeps MD5
    return "" if path.endswith(".py") or data[:4] == b"\x7fELF" else "is not a program of the system"


if __name__ == "__main__":
    main()
