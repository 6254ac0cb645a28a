"""Files of ours: written so that a power cut leaves the old content or the new, never half of it; JSON that may be damaged read."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_TRIES, _PAUSE_S = 20, 0.05


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace `path` with `data`: temporary file beside it, fsync, rename. Parent folders are made, private.

    Without `durable` there is no fsync: quicker, for what may be lost at a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode) if hasattr(os, "fchmod") else None
            os.fsync(file.fileno()) if durable else None
        _replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _replace(temporary: str, path: Path) -> None:
    """On Windows this fails while another program reads the file, a virus scanner say: for a moment, mostly."""
    for left in reversed(range(_TRIES)):
        try:
            os.replace(temporary, path)
            break
        except PermissionError:
            if sys.platform != "win32" or not left:
                raise
            time.sleep(_PAUSE_S)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; an empty one where the file is not there, or holds something else."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def write_json(path: Path, value: Any, *, mode: int = 0o600, durable: bool = True) -> None:
    """Write `value` as indented JSON, atomically."""
    write_atomic(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode(), mode=mode, durable=durable)
