"""What is known of each started lab, on disk: one small JSON file per lab, written atomically."""

from __future__ import annotations

import contextlib
import enum
import json
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from courselab.errors import LabError
from courselab.files import write_atomic
from courselab.paths import Paths
from courselab.session.lock import LabBusy, lab_lock

SCHEMA = 1


class Phase(enum.Enum):
    """Where a lab is in its life, as far as the last finished command knows."""

    STARTING = "starting"  # begun, not finished: start finishes it, delete removes it
    RESETTING = "resetting"  # machines are being made anew: start finishes it, delete removes it
    READY = "ready"
    STOPPED = "stopped"
    RESTORING = "restoring"  # being put back to a snapshot, not finished: any start finishes it


class LabState(msgspec.Struct, frozen=True, kw_only=True):
    """One started lab. Changed only by whole new values, while its lock is held."""

    schema: int = SCHEMA
    chapter: str
    provider: str
    seed: str  # parameters are drawn from it
    phase: Phase
    machines: dict[str, str]  # host name → the provider's machine name
    distribution: str = ""  # "k3s" or "stand-in"
    version: str = ""
    created_at: str = ""
    used_at: str = ""
    restoring: str = ""  # the snapshot that it is being put back to
    keeping: str = ""  # what the lab was just before becomes this snapshot
    addresses: dict[str, str] = {}  # host name → where it was when the lab was ready last: what is written down in the machines
    caught_up: str = ""  # earlier chapters were solved in it: a key of which, and how
    due: str = ""  # why a snapshot is to be taken when it stops

    @property
    def k3s(self) -> str:
        """How a user reads what runs in it: "K3s v1.36.5+k3s1", "stand-in 1.36.3"; "" before that is known."""
        return f"{'K3s' if self.distribution == 'k3s' else self.distribution} {self.version}".strip()

    def to(self, phase: Phase) -> LabState:
        """The same lab in another phase, used just now."""
        return msgspec.structs.replace(self, phase=phase, used_at=now())


def now() -> str:
    """The time as it is written to files: UTC, ISO 8601, seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Store:
    """The labs of this user."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def folder(self, chapter: str) -> Path:
        """Where a lab's own files are: state, kubeconfig, reports."""
        return self._paths.labs / chapter

    def snapshots(self, chapter: str) -> Path:
        """Where the records of a lab's snapshots are, one file each."""
        return self.folder(chapter) / "snapshots"

    def kubeconfig(self, chapter: str) -> Path:
        return self.folder(chapter) / "kubeconfig"

    def load(self, chapter: str) -> LabState | None:
        """The lab's state, None if it was never started. Raises LabError if the file is damaged or from a newer version."""
        path = self.folder(chapter) / "lab.json"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            schema = json.loads(data).get("schema")
            if schema != SCHEMA:
                raise ValueError(f"it has schema {schema}, this version knows {SCHEMA}")
            return msgspec.json.decode(data, type=LabState)
        except (ValueError, AttributeError, msgspec.MsgspecError) as damaged:
            raise LabError(
                f"The state of lab {chapter} cannot be read",
                why=f"{path}: {damaged}",
                fix=f"`lab delete {chapter}` removes the lab; your files in work/{chapter} stay.",
            ) from damaged

    def save(self, state: LabState) -> None:
        write_atomic(self.folder(state.chapter) / "lab.json", msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")

    def touch(self, chapter: str) -> None:
        """Note that a lab was used just now. A command that is changing it notes that itself, and must not be overwritten."""
        with contextlib.suppress(LabBusy), lab_lock(self._paths.state, chapter, "check"):
            if state := self.load(chapter):
                self.save(state.to(state.phase))

    def remove(self, chapter: str) -> None:
        """Forget a lab. Its attempts in the progress record stay."""
        shutil.rmtree(self.folder(chapter), ignore_errors=True)

    def chapters(self) -> list[str]:
        """Chapters that were started and not deleted."""
        return sorted(path.parent.name for path in self._paths.labs.glob("*/lab.json"))

    def student(self) -> str:
        """This learner's own id, made once: the root of all their seeds."""
        path = self._paths.state / "student"
        try:
            return path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            fresh = secrets.token_hex(8)
            write_atomic(path, f"{fresh}\n".encode())
            return fresh
