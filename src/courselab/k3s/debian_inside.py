"""Debian packages for hosts that have no apt, as macOS and Windows: a lab's machine, which is an Ubuntu, fetches them for its own processor."""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from courselab.errors import LabError
from courselab.k3s import debian
from courselab.machines import Machine

_SCRATCH = PurePosixPath("/var/tmp/courselab-packages")  # noqa: S108 in the machine, by root
_LIMIT_BYTES = 256 * 1024 * 1024
_LINKS = 20
_PREPARE = 'rm -rf "$1" && mkdir -p "$1/lists/partial" "$1/archives/partial" "$1/root" && : > "$1/status"'
_UNPACK = 'cd "$1" && for deb in archives/*.deb; do dpkg-deb --extract "$deb" root || exit 1; done && tar -C root -cf packages.tar .'
_FIX = "Check that the machine reaches the internet: `lab shell`, then `sudo apt-get update`. Then run the command again."


class ArchivedPackages(debian.Packages):
    """Packages unpacked into a tar, which may hold links that this host cannot have as files."""

    def __init__(self, tar: tarfile.TarFile, arch: str) -> None:
        super().__init__(Path(), arch)
        self._tar = tar
        self._members = {_merged(posixpath.normpath(f"/{member.name}")): member for member in tar}

    def read(self, path: str) -> bytes:
        member = self._follow(_merged(path), _LINKS)
        content = self._tar.extractfile(member) if member is not None and member.isfile() else None
        if content is None:
            raise debian.missing(path)
        return content.read()

    def below(self, folder: str) -> list[str]:
        return sorted(path for path, member in self._members.items() if path.startswith(f"{folder}/") and member.isfile())

    def _follow(self, place: str, links: int) -> tarfile.TarInfo | None:
        member = self._members.get(place)
        if links and member is not None and (member.issym() or member.islnk()):
            base = posixpath.dirname(place) if member.issym() else "/"
            return self._follow(_merged(posixpath.normpath(posixpath.join(base, member.linkname))), links - 1)
        return member


def download_inside(machine: Machine, packages: Iterable[str], arch: str) -> debian.Packages:
    """Fetch `packages` with all they depend on through the apt of a running machine, whose installed packages stay as they are.

    Raises LabError if they cannot be had.
    """
    what = "The programs for the lab images could not be downloaded"
    apt = debian.private_apt(_SCRATCH, arch)
    try:
        machine.run(["sh", "-c", _PREPARE, "sh", str(_SCRATCH)], timeout_s=60).check(what, fix=_FIX)
        machine.run([*apt, "update"], timeout_s=debian.DOWNLOAD_S).check(what, fix=_FIX)
        machine.run([*apt, *debian.INSTALL, *packages], timeout_s=debian.DOWNLOAD_S).check(what, fix=_FIX)
        machine.run(["sh", "-c", _UNPACK, "sh", str(_SCRATCH)], timeout_s=debian.DOWNLOAD_S).check(what, fix=_FIX)
        data = machine.get(str(_SCRATCH / "packages.tar"), limit_bytes=_LIMIT_BYTES)
    finally:
        machine.run(["rm", "-rf", str(_SCRATCH)], timeout_s=60)
    try:
        return ArchivedPackages(tarfile.open(fileobj=io.BytesIO(data)), arch)
    except (tarfile.TarError, OSError) as broken:
        raise LabError(what, why=f"What the machine sent is no archive: {broken}", fix=_FIX) from broken


def _merged(path: str) -> str:
    """`path` where /bin, /sbin and /lib are links into /usr."""
    return re.sub(r"^/(bin|sbin|lib|lib64)/", r"/usr/\1/", path)
