"""Starting a machine: what the host prepares in its folder, and the command line that boots it.

    <state>/machines/NAME/
      machine.json    what it is: spec, image, address; written first
      disk disks/     what it changed compared with the image, see disk.py
      snapshots/      earlier states of its disk
      boot/           what its init reads at every start: network, resolv.conf
      ready           a fifo: the machine says there that units can be started
      wanted          it runs, or is about to, in the boot of the host named there
      leader.json     its init process, as it was last seen
      console.log     what it printed while starting

The overlay is mounted, and shared folders are bound, only inside a mount namespace of the machine's own: the host never sees
them, they end with the machine, and removing the folder above cannot reach a learner's files.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Sequence
from pathlib import Path

from courselab import files, process
from courselab.errors import LabError
from courselab.machines.base import MachineSpec
from courselab.machines.local.disk import DATA
from courselab.machines.local.enter import DROPPED_CAPABILITIES, JOIN

MARK = "/run/courselab-up"  # made by courselab-ready.service inside
REFUSED_CALLS = "~kexec_load kexec_file_load swapon swapoff @clock @module"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1"}
START_TIMEOUT_S = 90.0
# Runs in a mount namespace of its own, in the machine's folder: relative names keep colons and commas out of the options.
# systemd-nspawn ends with 133 when the machine wants to be started again (`reboot`). On cgroup v2 a group that passes controllers
# on holds no process itself, so we and each boot get one below.
BOOT = """
mount -t overlay overlay -o "lowerdir=image,upperdir=disk/upper,workdir=disk/work" root || exit 1
top=
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    top=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)
    mkdir "$top/waiting" && echo 0 > "$top/waiting/cgroup.procs" || exit 1
    for name in $(cat "$top/cgroup.controllers"); do echo "+$name" > "$top/cgroup.subtree_control"; done
fi
while :; do
    if [ -n "$top" ]; then
        mkdir "$top/machine" || exit 1
        /bin/sh -c 'echo 0 > "$0/cgroup.procs" && exec "$@"' "$top/machine" "$@"
    else
        "$@"
    fi
    [ $? -eq 133 ] || exit
    [ -z "$top" ] || find "$top/machine" -depth -type d -exec rmdir {} +
done
"""
# Its arguments: JOIN and JOIN's arguments. Prints the number of the process that becomes systemd-nspawn, and leaves it alone.
DETACH = 'join=$1; shift; setsid /bin/sh -c "$join" sh "$@" > console.log 2>&1 < /dev/null & echo $!'


def write_boot_files(folder: Path, *, address: str, gateway: str, mtu: int, nameservers: Sequence[str]) -> None:
    """What the machine's init reads at every start."""
    network = f"ADDRESS={address}/24\nGATEWAY={gateway}\nMTU={mtu}\n"
    files.write_atomic(folder / "boot/network", network.encode(), mode=0o644)
    write_resolvers(folder, nameservers)
    (folder / "ready").unlink(missing_ok=True)
    os.mkfifo(folder / "ready", 0o600)


def write_resolvers(folder: Path, nameservers: Sequence[str]) -> bool:
    """The machine's resolv.conf, which its init copies; returns whether it changed."""
    path, text = folder / "boot/resolv.conf", "".join(f"nameserver {server}\n" for server in nameservers)
    if path.exists() and path.read_text() == text:
        return False
    files.write_atomic(path, text.encode(), mode=0o644)
    return True


def nspawn_argv(folder: Path, spec: MachineSpec, *, machine: str, bridge: str) -> list[str]:
    """The command line that boots the machine in `folder`."""
    binds = [f"--bind={_escape(folder / 'disk/data' / name)}:{target}" for name, target in DATA.items()]
    for mount in spec.mounts:
        binds.append(f"--bind{'' if mount.writable else '-ro'}={_escape(mount.source)}:{_escape(mount.target)}")
    return [
        "systemd-nspawn", "--quiet", f"--directory={folder / 'root'}", "--register=no", "--keep-unit", "--console=pipe",
        "--private-network", f"--network-bridge={bridge}", f"--hostname={spec.hostname}", f"--machine={machine}",
        "--capability=all", f"--drop-capability={','.join(f'CAP_{name.upper()}' for name in DROPPED_CAPABILITIES)}",
        "--system-call-filter=@known", f"--system-call-filter={REFUSED_CALLS}",
        "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--kill-signal=SIGRTMIN+3",
        "--bind=/dev/kmsg", f"--bind-ro={_escape(folder / 'boot')}:/run/courselab",
        f"--bind={_escape(folder / 'ready')}:/run/courselab-ready",
        *binds, "/usr/lib/courselab/init",
    ]  # fmt: skip


def link_image(folder: Path, image: Path) -> None:
    """Say which image is below the machine's own disk, and make the place where both appear as one."""
    if not image.is_dir():
        raise LabError(
            f"The machine {folder.name} cannot start", why="The image it was made from was removed from the cache.", fix="Run `lab reset`."
        )
    (folder / "image.new").unlink(missing_ok=True)
    (folder / "image.new").symlink_to(image)
    os.replace(folder / "image.new", folder / "image")
    (folder / "root").mkdir(exist_ok=True)


def refuse_without_shared(spec: MachineSpec) -> None:
    """Say which of the folders that the machine shares is not there any more: systemd-nspawn does not start without."""
    for mount in spec.mounts:
        if not mount.source.exists():
            raise LabError(
                f"The machine {spec.name} cannot start",
                why=f"It shares {mount.source} with this computer, and that is not there any more.",
                fix=f"Put it back where it was, or run `lab reset {spec.lab}`.",
            )


def boot(folder: Path, argv: Sequence[str], *, entry: Sequence[str], groups: Sequence[Path]) -> None:
    """Boot a machine with the command line `argv` and return as soon as units can be started inside.

    `entry`: what puts a program into the machine's control group by way of systemd; `groups`: the files that do it without.
    Raises LabError with the machine's last words if it does not come up.
    """
    ready = os.open(folder / "ready", os.O_RDONLY | os.O_NONBLOCK)
    try:
        command = [*entry, "unshare", "--mount", "--propagation=private", "/bin/sh", "-c", BOOT, "sh", *argv]
        started = process.run(
            ["/bin/sh", "-c", DETACH, "sh", JOIN, *map(str, groups), "--", *command],
            timeout_s=10,
            cwd=folder,
            env=ENVIRONMENT,
        ).check("The machine could not be started")
        _wait_until_ready(folder, ready, int(started.text))
    finally:
        os.close(ready)


def _wait_until_ready(folder: Path, ready: int, pid: int) -> None:
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError as gone:
        raise _did_not_start(folder) from gone
    try:
        poll = select.poll()
        poll.register(ready, select.POLLIN)
        poll.register(ended, select.POLLIN)
        deadline = time.monotonic() + START_TIMEOUT_S
        while (left := deadline - time.monotonic()) > 0:
            events = dict(poll.poll(left * 1000))
            if events.get(ready, 0) & select.POLLIN:
                return
            if ended in events:
                break
            if ready in events:  # hang-up: a writer came and went without a word
                poll.unregister(ready)
        raise _did_not_start(folder)
    finally:
        os.close(ended)


def _did_not_start(folder: Path) -> LabError:
    log = folder / "console.log"
    text = log.read_bytes()[-4000:].decode("utf-8", "replace") if log.exists() else ""
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it printed nothing")
    return LabError(
        f"The machine {folder.name} did not start",
        why=f"Its last words: {last[:300]}",
        fix="Run `lab doctor`; then try again.",
        detail=text,
    )


def _escape(path: Path | str) -> str:
    """For systemd-nspawn, which separates with colons and escapes with backslashes."""
    return str(path).replace("\\", "\\\\").replace(":", "\\:")
