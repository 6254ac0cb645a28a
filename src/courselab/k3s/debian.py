"""Programs out of Debian packages, with the libraries they need and nothing else, for any architecture and without running any of them."""

from __future__ import annotations

import posixpath
import re
import struct
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from courselab.errors import LabError
from courselab.k3s.oci import File
from courselab.process import run

SUITE = "bookworm"
_DOWNLOAD_S = 300
_LINK_LIMIT = 20
_TOP_FOLDERS = re.compile(r"^/(bin|sbin|lib|lib64)/")
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB = 1, 5


def unpack(packages: Iterable[str], arch: str, target: Path, *, as_root: Sequence[str] = ()) -> None:
    """Download `packages` with all they depend on and unpack them, not configured, into the tar file `target`.

    `as_root` is what to put before a command that needs root ("sudo", "-n"). Raises LabError if a package cannot be had.
    """
    argv = [*as_root, "mmdebstrap", "--quiet", "--variant=extract", f"--architectures={arch}", f"--include={','.join(packages)}"]
    run([*argv, SUITE, str(target)], timeout_s=_DOWNLOAD_S).check(
        "The programs for the lab images could not be downloaded",
        fix="Check that this machine reaches a Debian mirror (`lab doctor` tries it), then run the command again: it goes on where it stopped.",
    )


class Packages:
    """The files of unpacked packages, found as the running system would find them: through their links."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._members = {_merged(posixpath.normpath("/" + member.name)): member for member in tar}

    def read(self, path: str) -> bytes:
        """What the file at `path` holds. Raises LabError if no package brought it."""
        member = self._members.get(self._real(path))
        content = self._tar.extractfile(member) if member is not None and member.isfile() else None
        if content is None:
            raise LabError(
                f"No Debian package brought {path}",
                why=f"The packages of {SUITE} are not as this course expects.",
                fix="Run `lab doctor`; if it finds nothing, report this.",
            )
        with content:
            return content.read()

    def below(self, folder: str) -> list[str]:
        """The plain files below `folder`, sorted."""
        return sorted(path for path, member in self._members.items() if path.startswith(f"{folder}/") and member.isfile())

    def has(self, path: str) -> bool:
        """Whether a file is there."""
        return self._real(path) in self._members

    def _real(self, path: str) -> str:
        for _ in range(_LINK_LIMIT):
            path = _merged(path)
            member = self._members.get(path)
            if member is None or not (member.issym() or member.islnk()):
                break
            base = posixpath.dirname(path) if member.issym() else "/"
            path = posixpath.normpath(posixpath.join(base, member.linkname))
        return path


def program_files(packages: Packages, programs: Iterable[str]) -> Iterator[File]:
    """The `programs` and the libraries they load, each as a file of an image."""
    waiting = list(programs)
    seen: set[str] = set()
    folder = ""
    while waiting:
        path = _merged(waiting.pop())
        if path in seen:
            continue
        seen.add(path)
        data = packages.read(path)
        yield File(path, data, mode=0o755)
        loader, libraries = linked(data)
        if loader:
            waiting.append(loader)
            folder = folder or _library_folder(packages)
        waiting.extend(f"{folder}/{name}" for name in libraries)


def linked(data: bytes) -> tuple[str, list[str]]:
    """What a 64-bit little-endian ELF file needs: its loader ("" for none) and the names of its libraries.

    Source: the System V ABI, chapters on program headers and on the dynamic section (also `man 5 elf`).
    """
    if data[:6] != b"\x7fELF\x02\x01":
        return "", []
    start, size, count = struct.unpack_from("<Q", data, 0x20)[0], *struct.unpack_from("<HH", data, 0x36)
    headers = [struct.unpack_from("<IIQQQQ", data, start + place * size) for place in range(count)]
    loader = next((_text(data, offset) for kind, _, offset, *_ in headers if kind == _PT_INTERP), "")
    dynamic = next(((offset, length) for kind, _, offset, _, _, length in headers if kind == _PT_DYNAMIC), (0, 0))
    entries = [struct.unpack_from("<QQ", data, dynamic[0] + place) for place in range(0, dynamic[1], 16)]
    strings = next((value for tag, value in entries if tag == _DT_STRTAB), 0)
    for kind, _, offset, address, _, length in headers:
        if kind == _PT_LOAD and address <= strings < address + length:
            strings = strings - address + offset
            break
    return loader, [_text(data, strings + value) for tag, value in entries if tag == _DT_NEEDED]


def _library_folder(packages: Packages) -> str:
    """Where this architecture's libraries are: /usr/lib/x86_64-linux-gnu."""
    return next(posixpath.dirname(path) for path in packages.below("/usr/lib") if path.endswith("/libc.so.6"))


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()


def _merged(path: str) -> str:
    """`path` on a system whose /bin, /sbin and /lib are links into /usr, as they are in our images."""
    return _TOP_FOLDERS.sub(r"/usr/\1/", path)
