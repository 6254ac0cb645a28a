"""The file itself: a tar as GNU writes it, which any `tar` can take apart, and a reader that takes plain files and nothing else."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from courselab.errors import LabError

BLOCK = 512
CHUNK = 1 << 20
NAME_LIMIT = 512  # bytes; a name of more than 100 stands in a block of its own, in front of its file
_END = b"\0" * BLOCK
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


@dataclass(frozen=True)
class Member:
    """One file in an archive that is being read."""

    name: str
    size: int


class Writer:
    """Writes files one after the other."""

    def __init__(self, target: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT)  # noqa: SIM115 closed by close()

    def add(self, name: str, size: int, source: IO[bytes], *, mode: int, mtime_s: float) -> None:
        """Add one file. Raises LabError if its name is too long."""
        if len(name.encode()) >= NAME_LIMIT:
            raise LabError(f"…{name[-60:]} does not fit into a bundle", why="Its name is too long.", fix="Give it a shorter one.")
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, mode, int(mtime_s)
        self._tar.addfile(info, source)

    def add_bytes(self, name: str, data: bytes, *, mtime_s: float) -> None:
        """Add a file that is in memory."""
        self.add(name, len(data), io.BytesIO(data), mode=0o644, mtime_s=mtime_s)

    def close(self) -> None:
        """Write the end."""
        self._tar.close()


def members(file: IO[bytes]) -> Iterator[tuple[Member, Callable[[], Iterator[bytes]], Callable[[], None]]]:
    """Each member with a function that gives its content and one that passes over it; one of them must be called before the next.

    Raises LabError for anything but plain files, and for a file that ends too early.
    """
    while (info := _header(file)) is not None:
        name = info.name
        if info.type == tarfile.GNUTYPE_LONGNAME and 0 < info.size <= NAME_LIMIT:
            name = file.read(BLOCK)[: info.size].rstrip(b"\0").decode("utf-8", "replace")
            info = _header(file)
        if info is None or info.type not in _PLAIN or info.size < 0:
            raise broken(f"{name[:100]!r} in it is no plain file.")
        rest = -info.size % BLOCK

        def content(size: int = info.size, rest: int = rest) -> Iterator[bytes]:
            left = size
            while left:
                chunk = file.read(min(CHUNK, left))
                if not chunk:
                    raise broken("It was not copied to its end.")
                left -= len(chunk)
                yield chunk
            file.read(rest)

        def skip(size: int = info.size, rest: int = rest) -> None:
            file.seek(size + rest, io.SEEK_CUR)

        yield Member(name, info.size), content, skip


def _header(file: IO[bytes]) -> tarfile.TarInfo | None:
    """The next file's header; None at the end."""
    header = file.read(BLOCK)
    if header == _END:
        return None
    try:
        return tarfile.TarInfo.frombuf(header, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as damaged:
        raise broken("It is damaged, or was not copied to its end.") from damaged


def broken(why: str) -> LabError:
    """The bundle is not as it was made."""
    return LabError("The bundle is refused", why=why, fix="Copy it anew from where it was made.")
