"""A bug report: what our own checker did when it broke, in a file that can be sent to the course's authors."""

from __future__ import annotations

import platform
import sys
import time
import traceback
from pathlib import Path

import courselab
from courselab.errors import LabError
from courselab.files import write_atomic
from courselab.grade.evidence import Evidence


def write_bug(folder: Path, name: str, error: BaseException, evidence: Evidence) -> Path | None:
    """Write the report and return its path; None if it cannot be written. It holds no Evidence, and so nothing of the student."""
    trace = "".join(traceback.format_exception(error))
    text = (
        f"{name} broke at {time.strftime('%Y-%m-%d %H:%M:%S %z')}\n"
        f"course {courselab.__version__}, Python {platform.python_version()}, {sys.platform}\n"
        f"lab {evidence.lab}, provider {evidence.provider}, {evidence.k3s.distribution} {evidence.k3s.version}\n\n{trace}"
    )
    path = folder / f"bug-{name.replace('/', '-')}-{time.strftime('%Y%m%d-%H%M%S')}.txt"
    try:
        write_atomic(path, text.encode("utf-8", "replace"))
    except OSError:
        return None
    return path


def in_one_line(error: BaseException, path: Path) -> str:
    """What broke, with the line of the checker file in which it did."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    where = f" ({path.name}:{frames[-1].lineno})" if frames else ""
    said = error.what if isinstance(error, LabError) else str(error)
    return f"{type(error).__name__}: {said}{where}"
