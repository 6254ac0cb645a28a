"""Stand-ins of earlier versions of the course. State folders that have used one are noted, so that what no machine needs can be removed.

<cache>/standin/users/FOLDER/…    one note for each state folder: where it is; its time is that of the last use
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from courselab.files import write_atomic
from courselab.k3s.standin.parts import Part

LONG_S = 30 * 24 * 3600.0
# Records of machines and of their snapshots, below a state folder. Each names the folders that its machine sees.
_RECORDS = ("machines/[!.]*/machine.json", "machines/[!.]*/snapshots/[!.]*/machine.json", "multipass/*.json")


def note_use(folder: Path, state: Path) -> None:
    """Note that machines of the state folder `state` may come to need this stand-in."""
    note = _notes(folder) / hashlib.sha256(str(state).encode()).hexdigest()[:16]
    if note.exists():
        os.utime(note)
    else:
        write_atomic(note, f"{state}\n".encode(), mode=0o644)


def remove_unused(standins: Path, used: Iterable[Part]) -> None:
    """Remove stand-ins that were not used for long and that no machine needs, running or not; and parts that were in none for long.

    `used`: the parts of the stand-in that was made just now. A stand-in without any note stays: nobody knows who uses it. The caller holds
    the builders' lock.
    """
    for part in used:
        os.utime(part.path.with_name("part.json"))
    for folder in standins.glob("[!.]*/"):
        if (folder / "manifest.json").is_file() and _is_unused(folder):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(_notes(folder), ignore_errors=True)
    for about in (standins / "parts").glob("[!.]*/part.json"):
        if is_old(about):
            shutil.rmtree(about.parent, ignore_errors=True)


def _is_unused(folder: Path) -> bool:
    notes = list(_notes(folder).glob("[!.]*"))
    return bool(notes) and all(is_old(note) and not _is_needed(folder, note) for note in notes)


def _is_needed(folder: Path, note: Path) -> bool:
    """Whether a machine of the noted state folder has it; what cannot be read may well need it."""
    try:
        state = Path(note.read_text(encoding="utf-8").strip())
        return any(folder.name.encode() in record.read_bytes() for pattern in _RECORDS for record in state.glob(pattern))
    except OSError:
        return True


def is_old(path: Path) -> bool:
    """Whether a file has not been used for long; its time is that of the last use."""
    return time.time() - path.stat().st_mtime > LONG_S


def _notes(folder: Path) -> Path:
    return folder.parent / "users" / folder.name
