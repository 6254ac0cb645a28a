"""What stands in front of every bundle: which computer and course it is for, and name, size and SHA-256 of each file in it."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import PurePosixPath

import msgspec

from courselab import __version__
from courselab.errors import LabError
from courselab.k3s.release import architecture

NAME = "manifest.json"  # comes first
END = "fingerprint"  # comes last, and has the fingerprint of the list
FORMAT = 1
LIMIT_BYTES = 32 << 20
# What a bundle may hold, by where it goes. Anything else is refused.
FOLDERS = ("course", "wheels", "debs", "cache", "machine")
CACHES = ("standin", "images", "k3s", "site")
_PATH = re.compile(r"[\w.+@~:= -]+(/[\w.+@~:= -]+)*", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a bundle."""

    path: str  # "cache/standin/0123/bin/k3s"
    size: int
    sha256: str
    mode: int = 0o644
    mtime_ns: int = 0


class _Any(msgspec.Struct):
    """A manifest of whatever format."""

    format: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of manifest.json."""

    format: int = FORMAT
    version: str = __version__  # of the course's program
    architecture: str
    system: str  # the distribution's code name, "bookworm": its packages and the machines are made of it
    python: str  # "3.11": the wheels are for it
    chapters: list[str]
    k3s: str  # how a user reads it: "stand-in 1.36.3"
    made_at: str
    files: list[Entry]

    @property
    def size(self) -> int:
        """What all files take, in bytes."""
        return sum(entry.size for entry in self.files)

    def encode(self) -> bytes:
        return msgspec.json.encode(self)


def digest(data: bytes) -> str:
    """A bundle's own fingerprint: that of its manifest, which has those of all files."""
    return hashlib.sha256(data).hexdigest()


def decode(data: bytes) -> Manifest:
    """Read a manifest. Raises LabError if it is none, or names a file that may not be in a bundle."""
    try:
        known = msgspec.json.decode(data, type=_Any).format
        if known != FORMAT:
            raise _refused(
                f"It has format {known}; this version of the course reads {FORMAT}.", "Use the course that the bundle was made with."
            )
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as damaged:
        raise _refused(f"Its list of files is damaged: {damaged}.", "Copy the bundle anew.") from damaged
    seen: set[str] = set()
    for entry in manifest.files:
        if not is_allowed(entry.path) or entry.path in seen or entry.size < 0 or not _SHA256.fullmatch(entry.sha256):
            raise _refused(f"It has a file that no bundle has: {entry.path[:100]!r}.", "Do not use it.")
        seen.add(entry.path)
    return manifest


def is_allowed(path: str) -> bool:
    """Whether a file of this name may be in a bundle: plain relative names only, below the folders that bundles have."""
    parts = PurePosixPath(path).parts
    plain = bool(_PATH.fullmatch(path)) and "/".join(parts) == path and not any(part in (".", "..") for part in parts)
    below = len(parts) > 1 and parts[0] in FOLDERS and (parts[0] != "cache" or (len(parts) > 2 and parts[1] in CACHES))
    return plain and below


def refuse_unless_fit(manifest: Manifest, *, system: str) -> None:
    """Raise LabError if the bundle is for another kind of computer or another version of the course."""
    here = {
        "version": (manifest.version, __version__, "version of the course"),
        "architecture": (manifest.architecture, architecture(), "processor"),
        "system": (manifest.system, system, "Linux distribution"),
        "python": (manifest.python, python(), "Python"),
    }
    for its, ours, what in here.values():
        if its != ours:
            fix = (
                "Use the course that it was made with."
                if what.startswith("version")
                else "Make one on a computer like this: lab bundle create"
            )
            raise LabError("The bundle does not fit this computer", why=f"It is for another {what}: {its[:40]}, here is {ours}.", fix=fix)


def python() -> str:
    """This Python's version as wheels name it."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _refused(why: str, fix: str) -> LabError:
    return LabError("The bundle is refused", why=why, fix=fix)
