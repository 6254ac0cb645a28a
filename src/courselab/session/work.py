"""The learner's own folder of a lab, work/NN on the host: made with the starter files, never overwritten, never deleted by us."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from courselab.course import Lab
from courselab.errors import LabError
from courselab.files import write_atomic
from courselab.machines import Mount
from courselab.paths import Paths

IN_MACHINE = "/home/student/work"
_ROOT_LEARNER_UID = 1000


def prepare_work_folder(paths: Paths, lab: Lab) -> Mount:
    """Make work/NN if it is not there, add starter files that are missing, and say how machines see it."""
    add_starter_files(paths, lab, lab)
    return Mount(paths.work / lab.chapter, IN_MACHINE, writable=True)


def add_starter_files(paths: Paths, of: Lab, to: Lab) -> None:
    """Add the starter files of a chapter, as far as they are missing, to the learner's folder of a lab: its own, or one that builds on it."""
    folder = paths.work / to.chapter
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in sorted(of.starter_folder.rglob("*")):
            _add(source, folder / source.relative_to(of.starter_folder))
        if _own_uid() == 0:
            _give_to_student(folder)
    except OSError as failed:  # a course that somebody else put here, say
        if failed.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # a full disk is told in the same words wherever it is met
        raise LabError(
            f"Your folder {folder} cannot be used", why=str(failed), fix="Make it your own, or set LAB_HOME to a folder of yours."
        ) from failed


def learner_uid() -> int:
    """The user number that `student` gets in machines: the learner's own, so that files in work/ stay theirs; 1000 for root."""
    return _own_uid() or _ROOT_LEARNER_UID


def _own_uid() -> int:
    """This user's number; Windows has none."""
    return _ROOT_LEARNER_UID if sys.platform == "win32" else os.getuid()


def _add(source: Path, target: Path) -> None:
    if target.exists() or target.is_symlink() or not target.parent.is_dir():
        return  # the learner's own, or in the place of a file of theirs
    if source.is_dir():
        target.mkdir()
    else:
        write_atomic(target, source.read_bytes(), mode=0o644)


def _give_to_student(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            os.chown(path, _ROOT_LEARNER_UID, _ROOT_LEARNER_UID)
