"""Small files, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file; folders are made, private ones."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f".{path.name}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), mode)
    new.replace(path)


def public_folder(path: Path) -> None:
    """Make a folder that everybody may enter, and those above it, whatever our umask."""
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)


def link(path: Path, target: Path) -> None:
    """Make `path` a symbolic link to `target`, whatever it was."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)
