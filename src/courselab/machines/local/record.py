"""What is remembered of a machine: machine.json in its folder, written before anything else of it exists."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courselab import files
from courselab.machines.base import MachineSpec

SCHEMA = 1
FILE = "machine.json"


@dataclass(frozen=True)
class Record:
    """One machine as it was asked for, with what was chosen for it."""

    spec: MachineSpec
    address: str
    image: Path  # the root of the image below it


def save(record: Record, folder: Path) -> None:
    """Write machine.json."""
    files.write_json(folder / FILE, to_json(record), mode=0o644)
    folder.chmod(0o755)  # who may enter the state folder may read what machines there are


def load(folder: Path) -> Record | None:
    """Read machine.json; None when the folder holds no machine (yet)."""
    try:
        return from_json(json.loads((folder / FILE).read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None


def all_below(machines: Path) -> list[Record]:
    """Every machine kept in the folder `machines`, whole or half-made."""
    folders = sorted(path.parent for path in machines.glob(f"[!.]*/{FILE}"))
    return [found for folder in folders if (found := load(folder))]


def images_below(machines: Path) -> set[Path]:
    """The images that machines, or snapshots of them, need."""
    kept = [load(path.parent) for path in machines.glob(f"[!.]*/snapshots/[!.]*/{FILE}")]
    return {one.image for one in (*all_below(machines), *kept) if one}


def to_json(record: Record) -> dict[str, Any]:
    """A Record as values."""
    return {"schema": SCHEMA, "spec": record.spec.to_json(), "address": record.address, "image": str(record.image)}


def from_json(stored: dict[str, Any]) -> Record:
    """A Record from what JSON keeps of it."""
    return Record(MachineSpec.from_json(stored["spec"]), stored["address"], Path(stored["image"]))
