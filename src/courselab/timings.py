"""How long each stage took the last time on this machine, so that the next one can be announced with it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from courselab.files import write_json

_AT_MOST = 300  # stages that are remembered; the oldest go
_WORTH_S = 0.05


class Timings:
    """A small file in the cache. One that is damaged, or cannot be written, only means that no time is known."""

    def __init__(self, cache: Path) -> None:
        self._path = cache / "stage-times.json"
        self._lock = threading.Lock()

    def last(self, name: str, detail: str = "") -> float | None:
        """How long this stage took last time, in seconds; of one with another detail where there was none with this."""
        known = self._read()
        return known.get(_key(name, detail), known.get(_key(name, "")))

    def note(self, name: str, detail: str, seconds: float) -> None:
        """Remember how long a stage that went well took."""
        if seconds < _WORTH_S:
            return
        with self._lock:
            known = self._read()
            for key in {_key(name, detail), _key(name, "")}:
                known.pop(key, None)
                known[key] = round(seconds, 1)
            try:
                write_json(self._path, dict(list(known.items())[-_AT_MOST:]), durable=False)
            except OSError:
                pass

    def _read(self) -> dict[str, float]:
        try:
            return {str(key): float(value) for key, value in json.loads(self._path.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}


def _key(name: str, detail: str) -> str:
    return f"{name}: {detail}"[:120] if detail else name[:120]
