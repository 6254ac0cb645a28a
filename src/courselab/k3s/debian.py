"""Programs out of Debian packages, with the libraries they need and nothing else, for any architecture and without running any of them."""

from __future__ import annotations

import posixpath
import re
import shutil
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from courselab.errors import LabError
from courselab.k3s.oci import File
from courselab.process import run

DOWNLOAD_S = 300
WRITABLE = ("lists/partial", "archives/partial")
INSTALL = ("install", "--yes", "--download-only", "--no-install-recommends")
_UNPACK_S = 60
_FIX = "Check the network and this computer's apt sources (`apt-get update`), then run the command again."
_LINK_LIMIT = 20
_TOP_FOLDERS = re.compile(r"^/(bin|sbin|lib|lib64)/")
_LIBRARIES = {"amd64": "/usr/lib/x86_64-linux-gnu", "arm64": "/usr/lib/aarch64-linux-gnu"}
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB = 1, 5


def can_download() -> bool:
    """Whether this computer has the programs that `download` uses: every Debian and Ubuntu, no other system."""
    return all(shutil.which(program) for program in ("apt-get", "dpkg-deb"))


def download(packages: Iterable[str], arch: str, scratch: Path) -> Packages:
    """Fetch `packages` with all they depend on for `arch`, from where this computer's apt gets its own, and unpack them in `scratch`.

    Needs no root and changes nothing of this computer's. Raises LabError if a package cannot be had.
    """
    fetch(packages, arch, scratch)
    root = scratch / "root"
    for archive in sorted((scratch / "archives").glob("*.deb")):
        run(["dpkg-deb", "--extract", str(archive), str(root)], timeout_s=_UNPACK_S).check(
            f"{archive.name} could not be unpacked", fix=_FIX
        )
    return Packages(root, arch)


def fetch(packages: Iterable[str], arch: str, scratch: Path) -> None:
    """Fetch `packages` with all they depend on into `scratch`/archives. Raises LabError if one cannot be had."""
    for folder in WRITABLE:
        (scratch / folder).mkdir(parents=True)
    (scratch / "status").touch()
    apt = private_apt(scratch, arch)
    run([*apt, "update"], timeout_s=DOWNLOAD_S).check("The list of Debian packages could not be fetched", fix=_FIX)
    run([*apt, *INSTALL, *packages], timeout_s=DOWNLOAD_S).check("The Debian packages could not be downloaded", fix=_FIX)


def private_apt(scratch: PurePath, arch: str) -> Sequence[str]:
    """An apt-get with its computer's sources that writes only in `scratch`, where WRITABLE and an empty file `status` must be.

    Empty, because then nothing is installed and every dependency is fetched.
    """
    options = {
        "Dir::State::lists": scratch / "lists",
        "Dir::State::status": scratch / "status",
        "Dir::State::extended_states": scratch / "extended_states",
        "Dir::Cache::archives": scratch / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Debug::NoLocking": "true",
        "APT::Sandbox::User": "",
        "APT::Architecture": arch,
        "APT::Architectures": arch,
        "APT::Keep-Downloaded-Packages": "true",
        "Acquire::Languages": "none",
    }
    return ["apt-get", "-qq", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]


class Packages:
    """The files of unpacked packages below `root`, found as the running system would find them: through their links."""

    def __init__(self, root: Path, arch: str) -> None:
        self._root = root
        self.libraries = _LIBRARIES[arch]  # the folder where this architecture's libraries are

    def read(self, path: str) -> bytes:
        """What the file at `path` holds. Raises LabError if no package brought it."""
        file = self._find(path)
        if file is None:
            raise missing(path)
        return file.read_bytes()

    def below(self, folder: str) -> list[str]:
        """The plain files below `folder`, sorted."""
        found = (path for path in (self._root / folder.lstrip("/")).rglob("*") if path.is_file() and not path.is_symlink())
        return sorted(f"/{path.relative_to(self._root)}" for path in found)

    def _find(self, path: str) -> Path | None:
        for _ in range(_LINK_LIMIT):
            linked_to = ""
            for spelt in (_merged(path), _unmerged(path)):
                file = self._root / spelt.lstrip("/")
                if file.is_symlink():
                    linked_to = posixpath.normpath(posixpath.join(posixpath.dirname(spelt), file.readlink()))
                elif file.is_file():
                    return file
            if not linked_to:
                return None
            path = linked_to
        return None


def missing(path: str) -> LabError:
    """The error for a file that should have been in a package."""
    return LabError(
        f"No package brought {path}",
        why="The packages of this Debian or Ubuntu are not as this course expects.",
        fix="Report this, with the name and version of your system.",
    )


def program_files(packages: Packages, programs: Iterable[str]) -> Iterator[File]:
    """The `programs` and the libraries they load, each as a file of an image."""
    waiting = list(programs)
    seen: set[str] = set()
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
        waiting.extend(f"{packages.libraries}/{name}" for name in libraries)


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


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()


def _merged(path: str) -> str:
    """`path` on a system whose /bin, /sbin and /lib are links into /usr, as they are in our images."""
    return _TOP_FOLDERS.sub(r"/usr/\1/", path)


def _unmerged(path: str) -> str:
    """`path` as packages of a release before merged /usr spell it."""
    return path.removeprefix("/usr") if _TOP_FOLDERS.match(path.removeprefix("/usr")) else path
