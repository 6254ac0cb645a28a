"""Builds and downloads in the cache that were cut off and that nobody goes on with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from courselab.locks import held_if_free

STALE_S = 2 * 3600.0  # longer than any builder works on what has no lock of its own


def half_made(cache: Path) -> Iterator[Path]:
    """Folders that were never finished. A download that `lab` goes on with is none; nor is what somebody makes, who waits meanwhile."""
    with held_if_free(cache / "standin" / "build.lock") as nobody:
        if nobody:
            yield from sorted((cache / "standin").glob(".*.new"))
            yield from sorted((cache / "standin" / "parts").glob(".*.new"))
    unlocked = [*(cache / "images").glob("*/.making-*"), *(cache / "go").glob("*.new")]
    yield from sorted(path for path in unlocked if _is_stale(path))


def temporary_files(folder: Path) -> Iterator[Path]:
    """What an atomic write leaves beside its file when it is killed: ".lab.json.ab12cd34"."""
    yield from sorted(path for path in folder.glob(".*.*") if path.is_file() and not path.is_symlink() and _is_stale(path))


def _is_stale(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > STALE_S
    except OSError:
        return False
