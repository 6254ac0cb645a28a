"""What is remembered of a lab's snapshots: one small file each, written when the snapshot is whole and removed before any of it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from courselab.errors import UsageError
from courselab.files import write_atomic
from courselab.paths import Paths
from courselab.session.store import Store

NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
BUDGET_GIB = 10.0  # of all labs' snapshots together, unless config.toml says otherwise: [snapshots] budget_gib = 5
AUTOMATIC_PER_LAB = 3
CAUGHT_UP = "earlier chapters are solved in it"  # why a snapshot was taken that new labs are made of


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot of a lab: of all its machines, taken at one moment."""

    schema: int = 1
    name: str
    chapter: str
    why: str  # "you asked for it", "before a reset"
    automatic: bool  # removed when there is no room for it
    at: str  # UTC, ISO 8601, to the microsecond: several may be taken in a second
    machines: dict[str, str]  # host name → the provider's machine name; each has a snapshot of this name
    addresses: dict[str, str] = {}  # host name → where it was then
    caught_up: str = ""  # as in the lab's state
    distribution: str = ""
    version: str = ""
    size_bytes: int = -1  # on this computer's disk; -1: not yet measured

    @property
    def age_s(self) -> float:
        """How long ago it was taken, in seconds."""
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(self.at)).total_seconds())


def all_of(store: Store, chapter: str) -> list[Snapshot]:
    """A lab's snapshots, oldest first. A record that cannot be read is none."""
    found: list[Snapshot] = []
    for path in store.snapshots(chapter).glob("[!.]*.json"):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Snapshot))
        except (OSError, msgspec.MsgspecError):
            continue
    return sorted(found, key=lambda one: (one.at, one.name))


def newest(store: Store, chapter: str) -> Snapshot | None:
    """The snapshot taken last."""
    return next(reversed(all_of(store, chapter)), None)


def find(store: Store, chapter: str, name: str) -> Snapshot:
    """The snapshot called `name`. Raises UsageError that names those there are."""
    there = all_of(store, chapter)
    for one in there:
        if one.name == name:
            return one
    names = ", ".join(one.name for one in there) or "none"
    fix = "Choose one of them." if there else f"`lab snapshot --lab {chapter}` takes one."
    raise UsageError(f"Lab {chapter} has no snapshot {name[:40]!r}", why=f"It has: {names}.", fix=fix)


def remember(store: Store, snapshot: Snapshot) -> None:
    """From here on the snapshot is there."""
    data = msgspec.json.format(msgspec.json.encode(snapshot), indent=1) + b"\n"
    write_atomic(store.snapshots(snapshot.chapter) / f"{snapshot.name}.json", data)


def note_size(store: Store, snapshot: Snapshot) -> None:
    """Remember a snapshot that was measured, unless it was removed meanwhile: measuring takes seconds, and holds no lock."""
    if (store.snapshots(snapshot.chapter) / f"{snapshot.name}.json").exists():
        remember(store, snapshot)


def forget(store: Store, snapshot: Snapshot) -> None:
    """From here on the snapshot is not there any more."""
    (store.snapshots(snapshot.chapter) / f"{snapshot.name}.json").unlink(missing_ok=True)


def free_name(store: Store, chapter: str, wish: str) -> str:
    """`wish`, or `wish-2` and so on: always a higher number than there is, so that names tell the order."""
    pattern = re.compile(rf"{re.escape(wish)}(?:-(\d+))?")
    numbers = [int(found[1] or 1) for one in all_of(store, chapter) if (found := pattern.fullmatch(one.name))]
    return f"{wish}-{max(numbers) + 1}" if numbers else wish


def check_name(store: Store, chapter: str, name: str) -> str:
    """A name that a learner gave. Raises UsageError if it is none, or taken."""
    if not NAME.fullmatch(name):
        why = "It begins with a small letter, then small letters, digits and dashes, 41 at most."
        raise UsageError(f"{name[:60]!r} is no name for a snapshot", why=why, fix="Choose another.")
    if any(one.name == name for one in all_of(store, chapter)):
        fix = f"Choose another, or remove it: lab snapshots {chapter} --delete {name}"
        raise UsageError(f"Lab {chapter} already has a snapshot {name!r}", why="It is not overwritten.", fix=fix)
    return name


def machines_in_snapshots(store: Store, chapter: str) -> set[str]:
    """The provider's names of all machines that snapshots of the lab are kept in."""
    return {name for one in all_of(store, chapter) for name in one.machines.values()}


def budget_bytes(paths: Paths) -> float:
    """How much all snapshots may take. Raises UsageError if config.toml is damaged."""
    settings = paths.settings()
    try:
        return float(settings.get("snapshots", {}).get("budget_gib", BUDGET_GIB)) * 2**30
    except (ValueError, TypeError, AttributeError) as broken:
        raise paths.bad_settings(broken) from broken


def over_budget(kept: Sequence[Snapshot], budget: float) -> list[Snapshot]:
    """The automatic snapshots that have to go: the oldest first, until the rest fits and no lab has more than a few.

    What catching up goes back to is not among the few: the newest of these stays beside them.
    """
    going: list[Snapshot] = []
    automatic = sorted((one for one in kept if one.automatic), key=lambda one: (one.at, one.name))
    for one in automatic:
        staying = [other for other in kept if other not in going]
        total = sum(max(0, other.size_bytes) for other in staying)
        alike = [other for other in staying if other.automatic and _kind(other) == _kind(one)]
        if total > budget or len(alike) > (1 if one.why == CAUGHT_UP else AUTOMATIC_PER_LAB):
            going.append(one)
    return going


def _kind(one: Snapshot) -> tuple[str, bool]:
    return one.chapter, one.why == CAUGHT_UP
