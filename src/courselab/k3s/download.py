"""Fetching K3s release files: resumable, verified against the release's own checksum file, kept for the next time."""

from __future__ import annotations

import hashlib
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from courselab.errors import LabError
from courselab.files import read_json, write_json
from courselab.locks import try_lock, wait_lock
from courselab.progress import Progress, Stage

_CONNECT_S = 4.0
_STALL_S = 60.0
_CHUNK = 1 << 20
_CHECKSUM_LIMIT_BYTES = 1 << 20
_REMEMBER_S = 600.0


class Unavailable(LabError):
    """A release file cannot be had from here now."""


def reachable(url: str, *, timeout_s: float) -> bool:
    """Whether a server answers at `url`, with anything."""
    try:
        with _open(url, timeout_s=timeout_s):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, HTTPException):
        return False


def fetch_release_file(base: str, name: str, folder: Path, progress: Progress, *, checksums: str, pin: str = "") -> Path:
    """`name` from the release at URL `base`, kept in `folder`; fetched only if it is not there yet.

    The hash comes from the release's `checksums` file, fetched the same way and kept beside it; `pin` must agree with it when given.
    An interrupted download goes on where it stopped. Raises Unavailable if the server cannot be reached or lacks the file, LabError if the
    content is not what the checksum says.
    """
    if _is_kept(folder, name):
        return folder / name
    with _alone(folder, progress):
        if not _is_kept(folder, name):  # by who was before us
            _fetch(base, name, folder, progress, checksums=checksums, pin=pin)
    return folder / name


def _is_kept(folder: Path, name: str) -> bool:
    target = folder / name
    return target.is_file() and read_json(folder / f"{name}.json").get("size") == target.stat().st_size


@contextmanager
def _alone(folder: Path, progress: Progress) -> Generator[None]:
    """One command after the other: two that write the same part spoil it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("a") as lock:
        if not try_lock(lock.fileno()):
            with progress.stage("Waiting for another download of K3s"):
                wait_lock(lock.fileno())
        yield


def _fetch(base: str, name: str, folder: Path, progress: Progress, *, checksums: str, pin: str) -> None:
    _refuse_while_remembered(folder, base)
    try:
        expected = _expected_hash(f"{base}/{checksums}", name, pin)
        _download(f"{base}/{name}", folder / f"{name}.part", progress, name)
    except (OSError, HTTPException) as missing:
        write_json(folder / "unreachable.json", {"base": base, "at": time.time(), "why": _say(missing)})
        raise _unavailable(base, _say(missing)) from missing
    part = folder / f"{name}.part"
    actual = _sha256(part)
    if actual != expected:
        part.unlink()
        raise LabError(
            f"{name} is not what the K3s release says it should be",
            why=f"Its SHA-256 is {actual}, the release's checksum file says {expected}.",
            fix="Run the command again to fetch it anew; if it happens again, do not trust that server.",
        )
    part.chmod(0o755)
    size = part.stat().st_size
    part.replace(folder / name)
    write_json(folder / f"{name}.json", {"sha256": actual, "size": size, "from": base})


def _open(url: str, *, timeout_s: float, offset: int = 0) -> Any:
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise LabError("Only https addresses are fetched", why=f"{url[:80]!r} is not one.", fix="Set LAB_K3S_MIRROR to an https address.")
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout_s)  # noqa: S310 checked above


def _expected_hash(url: str, name: str, pin: str) -> str:
    with _open(url, timeout_s=_CONNECT_S) as answer:
        text = answer.read(_CHECKSUM_LIMIT_BYTES).decode("ascii", "replace")
    said = {words[1].lstrip("*"): words[0].lower() for line in text.splitlines() if len(words := line.split()) == 2}
    if name not in said:
        raise _unavailable(url, f"its checksum file does not list {name}")
    if pin and pin.lower() != said[name]:
        raise LabError(
            f"The hash of {name} in infra/k3s.toml is not the release's",
            why=f"Pinned is {pin}, the release says {said[name]}.",
            fix="Mend infra/k3s.toml, or do not trust that server.",
        )
    return said[name]


def _download(url: str, part: Path, progress: Progress, name: str) -> None:
    offset = part.stat().st_size if part.exists() else 0
    with progress.stage(f"Fetching {name}") as stage:
        try:
            answer = _open(url, timeout_s=_STALL_S, offset=offset)
        except urllib.error.HTTPError as refused:
            if refused.code == 416:  # the part is the whole file already
                return
            raise
        with answer, part.open("ab" if answer.status == 206 else "wb") as file:
            _copy(answer, file, stage)


def _copy(source: Any, target: IO[bytes], stage: Stage) -> None:
    whole = source.length or 0
    done = 0
    while chunk := source.read(_CHUNK):
        target.write(chunk)
        done += len(chunk)
        stage.update(f"{done >> 20} of {whole >> 20} MiB", done / whole if whole else None)
    if done < whole:
        raise ConnectionError("the connection was cut")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_while_remembered(folder: Path, base: str) -> None:
    """A server that could not be reached minutes ago is not asked again, so that an offline start does not wait for it each time."""
    memory = read_json(folder / "unreachable.json")
    if memory.get("base") == base and 0 <= time.time() - float(memory.get("at", 0)) < _REMEMBER_S:
        raise _unavailable(base, str(memory.get("why", "")))


def _unavailable(base: str, why: str) -> Unavailable:
    return Unavailable(
        "The K3s release cannot be fetched",
        why=f"{base}: {why}",
        fix="Check the internet connection, or set LAB_K3S_MIRROR or LAB_K3S_BINARY.",
    )


def _say(problem: Exception) -> str:
    reason = getattr(problem, "reason", problem)
    return str(getattr(reason, "strerror", None) or reason) or type(problem).__name__
