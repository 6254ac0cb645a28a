"""What is remembered of a virtual machine: one JSON file, written before Multipass is asked for it. Without one it is not ours."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from courselab import files
from courselab.errors import LabError
from courselab.machines.base import MachineSpec

SCHEMA = 1


@dataclass(frozen=True)
class Record:
    """One machine as it was asked for, and how far it is."""

    spec: MachineSpec
    address: str = ""
    ready: bool = False  # launched and set up; before that nothing in it is the learner's
    shared: str = ""  # what the shared folders were like when they were last copied in
    unsaved: bool = False  # files of shared folders may be in it that the host does not have yet


def save(record: Record, folder: Path) -> None:
    """Write it below `folder`."""
    files.write_json(_file(folder, record.spec.name), {**asdict(record), "schema": SCHEMA, "spec": record.spec.to_json()})


def load(folder: Path, name: str) -> Record | None:
    """Read it; None when there is none. Raises LabError if the file is damaged."""
    path = _file(folder, name)
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        spec = MachineSpec.from_json(stored["spec"])
        return Record(spec, str(stored["address"]), bool(stored["ready"]), str(stored["shared"]), bool(stored["unsaved"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as broken:
        why = f"{path}: {broken}"
        fix = f"Remove that file and the machine: `multipass delete --purge {name}`."
        raise LabError(f"What is known of the machine {name} cannot be read", why=why, fix=fix) from broken


def names(folder: Path) -> list[str]:
    """Every machine that is remembered."""
    return sorted(path.stem for path in folder.glob("*.json"))


def remove(folder: Path, name: str) -> None:
    """Forget it."""
    _file(folder, name).unlink(missing_ok=True)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"
