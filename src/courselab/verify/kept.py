"""The Evidence of a chapter's cases, kept in tests/evidence/NN: unit tests judge it again without a cluster.

`verified.json` beside it says of which files it is: a chapter that was changed since is told by that. It also says how long each case took.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from courselab.course import Lab
from courselab.files import read_json, write_json
from courselab.grade.checker import checker_path
from courselab.grade.dig import table
from courselab.grade.evidence import Evidence, save
from courselab.grade.world import World, uid_of
from courselab.verify.cases import Case

SCHEMA = 1
_SEAL = "verified.json"
EVENTS_OF_AN_OBJECT = 8


def folder_of(course: Path, chapter: str) -> Path:
    """Where the Evidence of a chapter's cases is kept."""
    return course / "tests" / "evidence" / chapter


def path_of(folder: Path, case: Case) -> Path:
    """The file of one case."""
    return folder / f"{case.name}.json.gz"


def fingerprint(lab: Lab, course: Path) -> str:
    """A hash of everything that decides what comes of a chapter's cases: the lab's folder and its checker."""
    digest = hashlib.sha256()
    files = [path for path in lab.folder.rglob("*") if path.is_file()]
    for path in [*sorted(files), checker_path(course, lab.chapter)]:
        data = path.read_bytes()
        digest.update(f"{path.relative_to(course).as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def is_current(lab: Lab, course: Path) -> bool:
    """Whether the chapter was verified as it is now."""
    return read_json(folder_of(course, lab.chapter) / _SEAL).get("fingerprint") == fingerprint(lab, course)


def seconds_of(lab: Lab, course: Path) -> dict[str, float]:
    """How long each case took when the chapter was last verified, by its name; those that are not known are left out."""
    kept = table(read_json(folder_of(course, lab.chapter) / _SEAL), "seconds")
    return {name: float(took) for name, took in kept.items() if isinstance(took, (int, float))}


class Keeper:
    """Keeps a verification's Evidence. What was not as expected goes to another folder: kept Evidence is always of a chapter that holds."""

    def __init__(self, folder: Path, failed: Path) -> None:
        self.folder = folder
        self.failed = failed

    def keep(self, case: Case, evidence: Evidence, expected: bool) -> None:
        """Write one case's Evidence."""
        folder = self.folder if expected else self.failed
        folder.mkdir(parents=True, exist_ok=True)
        save(small(evidence), path_of(folder, case))
        path_of(folder, case).chmod(0o644)

    def seal(self, lab: Lab, course: Path, cases: Iterable[Case], about: dict[str, Any]) -> None:
        """All cases held: remove files of cases that are no more, and note what was verified."""
        names = {path_of(self.folder, case) for case in cases}
        for path in set(self.folder.glob("*.json.gz")) - names:
            path.unlink()
        write_json(self.folder / _SEAL, {"schema": SCHEMA, "fingerprint": fingerprint(lab, course), **about})
        (self.folder / _SEAL).chmod(0o644)


def small(evidence: Evidence) -> Evidence:
    """The Evidence with the newest events of each object that is there, and none of objects that are gone: events are most of it."""
    kinds, world = evidence.cluster.kinds, World(evidence)
    if "Event" not in kinds:
        return evidence
    objects = (obj for name, found in kinds.items() if name != "Event" for obj in found.items)
    events = {uid_of(event): event for obj in objects for event in world.events_of(obj)[:EVENTS_OF_AN_OBJECT]}
    found = msgspec.structs.replace(kinds["Event"], items=list(events.values()))
    return msgspec.structs.replace(evidence, cluster=msgspec.structs.replace(evidence.cluster, kinds={**kinds, "Event": found}))


def forget(case: Case, evidence: Evidence, expected: bool) -> None:
    """Keep nothing."""
