"""Parts of the stand-in, each made once, kept under a key of all that goes into it, and verified.

<cache>/standin/parts/NAME-KEY/NAME        the file
<cache>/standin/parts/NAME-KEY/part.json   its SHA-256, size and time, and how long it took to make
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from courselab import files


@dataclass(frozen=True)
class Part:
    """A finished part."""

    path: Path
    sha256: str
    size: int
    mtime_ns: int
    seconds: float

    def intact(self, *, fully: bool = False) -> bool:
        """Whether the file is still what was made: by size and time, or `fully` by its content."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        if (there.st_size, there.st_mtime_ns) != (self.size, self.mtime_ns) or fully:
            return there.st_size == self.size and digest_of(self.path) == self.sha256
        return True


@dataclass(frozen=True)
class Store:
    """Where parts are kept."""

    folder: Path

    def find(self, name: str, key: str, *, fully: bool = False) -> Part | None:
        """The part, if it is there and intact."""
        folder = self.folder / f"{name}-{key}"
        try:
            noted = json.loads((folder / "part.json").read_text(encoding="utf-8"))
            part = Part(folder / name, **noted)
        except (OSError, ValueError, TypeError):
            return None
        return part if part.intact(fully=fully) else None

    def make(self, name: str, key: str, maker: Callable[[Path], None]) -> Part:
        """Let `maker` write the part to the path it is given, and keep it. What it leaves when it fails is removed."""
        folder = self.folder / f"{name}-{key}"
        making = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        try:
            started = time.monotonic()
            maker(making / name)
            seconds = time.monotonic() - started
            there = (making / name).stat()
            part = Part(folder / name, digest_of(making / name), there.st_size, there.st_mtime_ns, round(seconds, 1))
            noted = {field: value for field, value in asdict(part).items() if field != "path"}
            files.write_json(making / "part.json", noted, mode=0o644)
            shutil.rmtree(folder, ignore_errors=True)
            making.rename(folder)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return part


def key_of(*ingredients: str | bytes | Path) -> str:
    """A short key that changes whenever an ingredient does: a text, or a file or folder by names and contents (texts about it left out)."""
    digest = hashlib.sha256()
    for ingredient in ingredients:
        if isinstance(ingredient, Path):
            for path in sorted(path for path in ingredient.rglob("*") if _counts(path)) if ingredient.is_dir() else [ingredient]:
                name = str(path.relative_to(ingredient)) if ingredient.is_dir() else path.name
                content = path.read_bytes()
                digest.update(f"{name}\0{path.stat().st_mode & 0o100:o}\0{len(content)}\0".encode() + content)
        else:
            data = ingredient.encode() if isinstance(ingredient, str) else ingredient
            digest.update(f"{len(data)}\0".encode() + data)
    return digest.hexdigest()[:16]


def digest_of(path: Path) -> str:
    """A file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _counts(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md"
