"""The learner's own folder of a lab, work/NN on the host: made with the starter files, never overwritten, never deleted by us."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from courselab.course import Lab
from courselab.machines import Mount
from courselab.paths import Paths

IN_MACHINE = "/home/student/work"
_ROOT_LEARNER_UID = 1000


def prepare_work_folder(paths: Paths, lab: Lab) -> Mount:
    """Make work/NN if it is not there, add starter files that are missing, and say how machines see it."""
    folder = paths.work / lab.chapter
    folder.mkdir(parents=True, exist_ok=True)
    add_starter_files(paths, lab, lab)
    return Mount(folder, IN_MACHINE, writable=True)


def add_starter_files(paths: Paths, of: Lab, to: Lab) -> None:
    """Add the starter files of a chapter, as far as they are missing, to the learner's folder of a lab: its own, or one that builds on it."""
    folder = paths.work / to.chapter
    if of.starter_folder.is_dir():
        for source in sorted(of.starter_folder.rglob("*")):
            _add(source, folder / source.relative_to(of.starter_folder))
    if _own_uid() == 0:
        _give_to_student(folder)


def learner_uid() -> int:
    """The user number that `student` gets in machines: the learner's own, so that files in work/ stay theirs; 1000 for root."""
    return _own_uid() or _ROOT_LEARNER_UID


def _own_uid() -> int:
    """This user's number; Windows has none."""
    return _ROOT_LEARNER_UID if sys.platform == "win32" else os.getuid()


def _add(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(exist_ok=True)
    elif not target.exists() and not target.is_symlink():
        shutil.copyfile(source, target)


def _give_to_student(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            os.chown(path, _ROOT_LEARNER_UID, _ROOT_LEARNER_UID)
