"""What machines of every provider are asked in the same words: a user's environment, a login shell, a file written or read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from courselab.errors import LabError, UsageError
from courselab.process import Completed

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# $1 path, $3 owner. Makes the file's folder, $folder; those that have to be made belong to the owner.
MAKE_FOLDER = """
folder=$(dirname -- "$1"); made=; above=$folder
while [ ! -e "$above" ]; do made=$above; above=$(dirname -- "$above"); done
mkdir -p -- "$folder" && { [ -z "$made" ] || chown -R -- "$3:" "$made"; } || exit 1
"""
# $1 path, $2 mode, $3 owner. The file appears whole or not at all.
_PUT = f"""{MAKE_FOLDER}
new=$(mktemp -- "$folder/.put.XXXXXX") || exit 1
cat > "$new" && chmod -- "$2" "$new" && chown -- "$3:" "$new" && mv -T -- "$new" "$1" || {{ rm -f -- "$new"; exit 1; }}
"""
_NOT_THERE = 66
_GET = f'[ -f "$1" ] || exit {_NOT_THERE}; exec head -c "$2" -- "$1"'


def home_and_environment(user: str) -> tuple[str, list[str]]:
    """A user's home and what `env` is given for a program of theirs. Raises UsageError if that is not a user name."""
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", user):
        raise UsageError(f"{user!r} is not a user name", why="It has characters that no user name has.", fix="Use root or student.")
    home = "/root" if user == "root" else f"/home/{user}"
    return home, [f"HOME={home}", f"USER={user}", f"LOGNAME={user}", f"PATH={PATH}", "LANG=C.UTF-8", "SHELL=/bin/bash"]


def login_shell(argv: Sequence[str] = ()) -> list[str]:
    """A login shell, or `argv` started by one."""
    return ["/bin/bash", "--login", *(["-c", 'exec "$@"', "bash", *argv] if argv else [])]


def put_argv(path: str, mode: int, owner: str) -> list[str]:
    """Writes its standard input to a file."""
    return ["/bin/sh", "-c", _PUT, "sh", path, f"{mode:o}", owner]


def get_argv(path: str, limit_bytes: int) -> list[str]:
    """Prints a file, one byte more than the limit at most; `content` makes of it what was asked for."""
    return ["/bin/sh", "-c", _GET, "sh", path, str(limit_bytes + 1)]


def content(done: Completed, what: str, limit_bytes: int) -> bytes:
    """The file that `get_argv` has printed. Raises LabError, of which `what` is the sentence, if there is none or it is too large."""
    if done.code == _NOT_THERE:
        raise LabError(what, why="There is no such file.", fix="Check its name.")
    if len(done.check(what).stdout) > limit_bytes:
        raise LabError(what, why=f"It has more than {limit_bytes} bytes.", fix="Make it smaller.")
    return done.stdout
