"""Command lines that run a program inside a machine: in its namespaces, its control groups, and with a login's environment."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from courselab.machines.commands import home_and_environment, login_shell

# What could change or harm the one kernel that host and machines share: its clock, its modules, its hardware, its security rules.
# Neither a machine nor a program that is sent into it has these; the latter would otherwise bring along all that the host's root may do.
DROPPED_CAPABILITIES = (
    "sys_time", "sys_module", "sys_rawio", "wake_alarm", "block_suspend", "sys_pacct", "mac_admin", "mac_override", "audit_control",
    "audit_read",
)  # fmt: skip
# Its arguments: files to write itself into, `--`, the command. A group is joined before the namespaces, while the files can be seen.
JOIN = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 125; shift; done; shift; exec "$@"'


def joining(files: Sequence[Path], argv: Sequence[str]) -> list[str]:
    """`argv`, started inside the control groups whose cgroup.procs files these are."""
    return ["/bin/sh", "-c", JOIN, "sh", *map(str, files), "--", *argv]


def groups_of(leader: int, tops: Sequence[tuple[Path, str]]) -> list[Path]:
    """The cgroup.procs files of the groups that process `leader` is in.

    `tops`: where each hierarchy is mounted, and its line's middle field in /proc/PID/cgroup ("" on v2).
    """
    membership = dict[str, str]()
    for line in Path(f"/proc/{leader}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        membership[controllers] = path
    return [top / membership[key].lstrip("/") / "cgroup.procs" for top, key in tops if key in membership]


def entering(leader: int, argv: Sequence[str], *, user: str, extra_env: Sequence[str] = ()) -> list[str]:
    """`argv` as `user` inside the namespaces of the machine whose init is `leader`."""
    home, environment = home_and_environment(user)
    become = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]
    return [
        "setpriv", f"--bounding-set={','.join(f'-{name}' for name in (*DROPPED_CAPABILITIES, 'sys_boot'))}", "--",
        "nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--",
        "/usr/bin/env", "-i", "-C", home, *environment, *extra_env, *become, *argv,
    ]  # fmt: skip


def shell(leader: int, argv: Sequence[str], *, user: str, terminal: bool) -> list[str]:
    """A login shell, or `argv` in its environment.

    On a terminal it gets one of the machine's own, so that job control and the window's size work. Without one, what it prints
    and what it complains about stay two streams.
    """
    login = login_shell(argv)
    if not terminal:
        return entering(leader, login, user=user)
    own_terminal = ["script", "--quiet", "--flush", "--return", "--command", f"exec {shlex.join(login)}", "/dev/null"]
    return entering(leader, own_terminal, user=user, extra_env=[f"TERM={os.environ.get('TERM', 'xterm')}"])
