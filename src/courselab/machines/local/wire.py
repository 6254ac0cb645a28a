"""How `lab` and its helper under sudo talk: messages of JSON with raw bytes behind, each with its lengths in front."""

from __future__ import annotations

import json
import struct
import threading
from dataclasses import dataclass
from typing import IO, Any

from courselab import errors, process
from courselab.errors import LabError

_LENGTHS = struct.Struct(">II")
LIMIT_BYTES = 1 << 30
_ERRORS: dict[str, type[LabError]] = {
    kind.__name__: kind for kind in (LabError, errors.UsageError, errors.Unreachable, process.CommandMissing, process.CommandTimeout)
}


@dataclass(frozen=True)
class Message:
    """One message: JSON values, and bytes that need no quoting."""

    head: dict[str, Any]
    body: bytes = b""


class Channel:
    """Two pipes to the other side. Many threads may send; one reads."""

    def __init__(self, reading: IO[bytes], writing: IO[bytes]) -> None:
        self._reading = reading
        self._writing = writing
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Send one message. Raises OSError or ValueError when the other side is gone."""
        head = json.dumps(message.head).encode()
        with self._lock:
            self._writing.write(_LENGTHS.pack(len(head), len(message.body)) + head)
            self._writing.write(message.body)
            self._writing.flush()

    def receive(self) -> Message | None:
        """The next message; None when the other side ended."""
        lengths = self._read(_LENGTHS.size)
        if lengths is None:
            return None
        head_size, body_size = _LENGTHS.unpack(lengths)
        if head_size > LIMIT_BYTES or body_size > LIMIT_BYTES:
            return None
        head, body = self._read(head_size), self._read(body_size)
        return None if head is None or body is None else Message(json.loads(head), body)

    def _read(self, size: int) -> bytes | None:
        data = self._reading.read(size)
        return data if len(data) == size else None

    def close(self) -> None:
        """Tell the other side that nothing more comes."""
        try:
            self._writing.close()
        except OSError:
            pass


def error_to_json(error: LabError) -> dict[str, str]:
    """A LabError as values."""
    kind = next(name for name in (base.__name__ for base in type(error).__mro__) if name in _ERRORS)
    return {"kind": kind, "what": error.what, "why": error.why, "fix": error.fix, "docs": error.docs, "detail": error.detail}


def error_from_json(stored: dict[str, str]) -> LabError:
    """The LabError that the other side raised."""
    kind = _ERRORS.get(stored["kind"], LabError)
    return kind(stored["what"], why=stored["why"], fix=stored["fix"], docs=stored["docs"], detail=stored["detail"])
