"""What is remembered of a machine: machine.json in its folder, written before anything else of it exists."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from courselab import files
from courselab.machines.base import MachineSpec, Mount

SCHEMA = 1


@dataclass(frozen=True)
class Record:
    """One machine as it was asked for, with what was chosen for it."""

    spec: MachineSpec
    address: str
    image: Path  # the root of the image below it


def save(record: Record, folder: Path) -> None:
    """Write machine.json."""
    spec = asdict(record.spec)
    spec["mounts"] = [{**mount, "source": str(mount["source"])} for mount in spec["mounts"]]
    files.write_json(folder / "machine.json", {"schema": SCHEMA, "spec": spec, "address": record.address, "image": str(record.image)})


def load(folder: Path) -> Record | None:
    """Read machine.json; None when the folder holds no machine (yet)."""
    try:
        stored: dict[str, Any] = json.loads((folder / "machine.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Record(spec_from(stored["spec"]), stored["address"], Path(stored["image"]))


def spec_from(stored: dict[str, Any]) -> MachineSpec:
    """A MachineSpec from what JSON keeps of it."""
    mounts = tuple(Mount(Path(mount["source"]), mount["target"], mount["writable"]) for mount in stored["mounts"])
    fields: dict[str, Any] = {**stored, "mounts": mounts}
    return MachineSpec(**fields)
