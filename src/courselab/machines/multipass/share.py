"""Folders of the host in a virtual machine, by copying: Multipass's own mounts need a download in the machine and are off on Windows.

A read-only folder goes in once, when the machine is made. A writable one is the learner's work: it goes in when the machine starts and
before a shell if it changed, and comes back before a shell, a stop and a deletion. Of two versions of a file the newer one wins; nothing
is deleted on either side.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

from courselab import files
from courselab.errors import LabError
from courselab.machines.base import Mount
from courselab.machines.multipass.inside import Inside

LIMIT_BYTES = 32 * 1024 * 1024  # of a learner's files in one machine; more is not exchanged
_TAR_BYTES = LIMIT_BYTES + 4 * 1024 * 1024
_FILES = 2000
_TIMEOUT_S = 60.0
_UNPACK_S = 600.0
_NEWER_S = 1.0  # file systems and tar keep times with different precision
# $1: folder. Prints a tar of its plain files, or fails when they are more than $2 bytes. A folder that was removed has none.
_PACK = (
    '[ -e "$1" ] || exec tar -cf - -T /dev/null; cd "$1" || exit 1; size=$(find . -type f -printf "%s\\n" | awk "{s+=\\$1} END {print s+0}"); '
    '[ "$size" -le "$2" ] || { echo "the files have $size bytes, more than $2" >&2; exit 1; }; '
    "find . -type f -print0 | tar --null --no-recursion --format=posix -cf - -T -"
)
_UNPACK = 'mkdir -p "$1" && tar -x --keep-newer-files --warning=no-ignore-newer --no-same-owner -f - -C "$1"'
_UNPACK_FILE = 'mkdir -p "$1" && tar -x --same-owner -f "$2" -C "$1"; code=$?; rm -f "$2"; exit "$code"'


def fill(inside: Inside, mount: Mount, cache: Path) -> None:
    """Copy a read-only folder of the host to where the machine shall see it."""
    archive = _archive(mount.source, cache)
    there = f"/tmp/courselab-{archive.stem}.tar"  # noqa: S108 in the machine
    inside.send(archive, there)
    done = inside.run(["sh", "-c", _UNPACK_FILE, "sh", mount.target, there], user="root", timeout_s=_UNPACK_S)
    done.check(f"{mount.source} could not be copied to {inside.name}")


def push(inside: Inside, mount: Mount) -> None:
    """Bring the learner's files into the machine, except those that are newer there."""
    what, fix = f"Your files could not be copied to {inside.name}", f"See what is in {mount.source}, then run the command again."
    try:
        data = _pack(mount.source)
    except OSError as unreadable:
        raise LabError(what, why=str(unreadable)[:300], fix=fix) from unreadable
    inside.run(["sh", "-c", _UNPACK, "sh", mount.target], user="student", timeout_s=_TIMEOUT_S, input=data).check(what, fix=fix)


def pull(inside: Inside, mount: Mount) -> None:
    """Bring files from the machine to the learner's folder, except those that are newer there."""
    pack = ["sh", "-c", _PACK, "sh", mount.target, str(LIMIT_BYTES)]
    # As root: what the learner put there with sudo is theirs, too.
    done = inside.run(pack, user="root", timeout_s=_TIMEOUT_S, output_limit=_TAR_BYTES)
    fix = f"Remove large files from {mount.target} on the machine, then run the command again."
    what = f"Your files on {inside.name} could not be copied to this computer"
    done.check(what, fix=fix)
    try:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
            odd = _unpack(tar, mount.source, windows=inside.command.system.name == "windows")
    except (tarfile.TarError, OSError, ValueError) as broken:
        raise LabError(what, why=str(broken)[:300], fix=fix) from broken
    if odd:
        why = f"Windows has no files with such names: {', '.join(odd)[:200]}. All others are copied."
        raise LabError(what, why=why, fix=f"Rename them in {mount.target} on the machine, then run the command again.")


def _unpack(tar: tarfile.TarFile, folder: Path, *, windows: bool) -> list[str]:
    """Take plain files out of an archive that a student's machine made: never outside `folder`, never through a link, never too much.
    Returns those whose names this host does not allow."""
    left = LIMIT_BYTES
    odd: list[str] = []
    for count, member in enumerate(tar):
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        left -= member.size
        if count >= _FILES or left < 0:
            raise ValueError("there are too many files, or they are too large")
        if not member.isfile() or not parts or any(not _is_plain(part) for part in parts):
            continue
        if windows and not all(_is_for_windows(part) for part in parts):
            odd.append("/".join(parts))
            continue
        target = folder.joinpath(*parts)
        through_link = any(parent.is_symlink() for parent in (target, *target.parents) if folder in parent.parents)
        if through_link or target.is_dir() or (target.exists() and target.stat().st_mtime + _NEWER_S >= member.mtime):
            continue
        source = tar.extractfile(member)
        if source is None:
            continue
        owner = folder.stat()
        files.write_atomic(target, source.read(), mode=0o755 if member.mode & 0o100 else 0o644)
        os.utime(target, (member.mtime, member.mtime))
        _give(target, folder, owner)
    return odd


def _give(target: Path, folder: Path, owner: os.stat_result) -> None:
    """Files that root brings in belong to whom the folder belongs."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        for path in (target, *(parent for parent in target.parents if folder in parent.parents)):
            os.chown(path, owner.st_uid, owner.st_gid)


def _is_plain(part: str) -> bool:
    """Whether a name is a file's in its folder: no way up, no control characters."""
    return part != ".." and not re.search(r"[\x00-\x1f]", part)


def _is_for_windows(part: str) -> bool:
    """Whether it can be one on Windows: no device, no way to another drive or folder."""
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", part)
    return not reserved and not re.search(r'[\\:*?"<>|]', part) and not part.endswith((" ", "."))


def _pack(folder: Path) -> bytes:
    packed = io.BytesIO()
    left = LIMIT_BYTES
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            left -= path.stat().st_size
            if left < 0:
                why = f"{folder} holds more than {LIMIT_BYTES >> 20} MiB."
                raise LabError("Your files are too large for the machine", why=why, fix="Move large files out of that folder.")
            info = tar.gettarinfo(path, path.relative_to(folder).as_posix())
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            info.mode = 0o755 if info.mode & 0o100 else 0o644
            with path.open("rb") as file:
                tar.addfile(info, file)
    return packed.getvalue()


def fingerprint(folder: Path) -> str:
    """Changes whenever a file in the folder does."""
    digest = hashlib.sha256(str(folder).encode())
    for name, status in _entries(folder):
        digest.update(f"\0{name} {status.st_size} {status.st_mtime_ns} {status.st_mode}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:24]


def _archive(folder: Path, cache: Path) -> Path:
    """A tar of a read-only folder, made once for all machines."""
    target = cache / "multipass" / "folders" / f"{fingerprint(folder)}.tar"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, making = tempfile.mkstemp(dir=target.parent, prefix=".making-")
        try:
            with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                tar.add(folder, ".", filter=_for_everyone)
            os.replace(making, target)
        except BaseException:
            Path(making).unlink(missing_ok=True)
            raise
    return target


def _for_everyone(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    return info


def _entries(folder: Path) -> Generator[tuple[str, os.stat_result]]:
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError):  # an editor's file that is gone again
            yield path.relative_to(folder).as_posix(), path.lstat()
