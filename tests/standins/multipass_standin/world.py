"""What the stand-in's daemon would keep: instances, one JSON file each, and a journal of all calls."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Snapshot:
    name: str
    parent: str
    comment: str
    created: str


@dataclass(frozen=True)
class Instance:
    name: str
    cpus: int
    memory: int  # bytes
    disk: int  # bytes
    release: str
    state: str = ""  # what is so whatever the machine below does: Starting, Unknown, Deleted, Suspended, Unavailable; else ""
    address: str = ""
    number: int = 0
    snapshots: tuple[Snapshot, ...] = field(default_factory=tuple)
    parent: str = ""  # the snapshot that it was put back to, or that was taken last


class World:
    """The folder MULTIPASS_STANDIN_HOME."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "instances").mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        return sorted(path.stem for path in (self.home / "instances").glob("*.json"))

    def all(self) -> list[Instance]:
        return [found for name in self.names() if (found := self.get(name))]

    def get(self, name: str) -> Instance | None:
        try:
            data: dict[str, Any] = json.loads(self._file(name).read_text())
        except FileNotFoundError:
            return None
        return Instance(**{**data, "snapshots": tuple(Snapshot(**one) for one in data["snapshots"])})

    def save(self, instance: Instance) -> None:
        path = self._file(instance.name)
        new = path.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(asdict(instance)))
        new.replace(path)

    def change(self, name: str, **values: Any) -> None:
        with self.locked():
            found = self.get(name)
            if found:
                self.save(replace(found, **values))

    def remove(self, name: str) -> None:
        self._file(name).unlink(missing_ok=True)

    def folder(self, name: str) -> Path:
        folder = self.home / "files" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        with (self.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def note(self, argv: list[str]) -> None:
        """Write a call into calls.log; tests count them."""
        with (self.home / "calls.log").open("a") as log:
            log.write(json.dumps({"at": time.time(), "argv": argv}) + "\n")

    def _file(self, name: str) -> Path:
        return self.home / "instances" / f"{name}.json"
