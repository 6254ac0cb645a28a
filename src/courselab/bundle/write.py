"""Writing a bundle: whole or not at all, with what installs it beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from courselab.bundle import archive
from courselab.bundle.gather import Gathered, gather, refuse_without_linux
from courselab.bundle.manifest import END, NAME, Entry, Manifest, digest, is_allowed, python
from courselab.course import Lab
from courselab.errors import LabError, UsageError
from courselab.files import write_atomic
from courselab.k3s.release import architecture
from courselab.k3s.standin.parts import digest_of
from courselab.machines.local.image import host_suite
from courselab.session.context import Context

INSTALLER = "install-lab"


def create(context: Context, labs: Sequence[Lab], target: Path) -> tuple[Manifest, str]:
    """Write the bundle of `labs` to `target`, and the installer beside it. Returns what is in it, and its fingerprint."""
    refuse_without_linux()
    if not target.parent.is_dir():
        raise UsageError(f"{target.parent} is no folder", why="The bundle goes there.", fix="Make it first, or name another place.")
    scratches = context.paths.cache / "bundle"
    scratches.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratches, prefix=".packing-") as scratch:
        gathered = gather(context, labs, Path(scratch))
        manifest = _manifest(context, labs, gathered)
        _refuse_without_room(manifest, target)
        data = manifest.encode()
        part = target.with_name(f".{target.name}.part")
        try:
            _write(context, part, gathered, manifest, data)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    installer = (context.paths.infra / "bundle" / INSTALLER).read_bytes()
    write_atomic(target.parent / INSTALLER, installer, mode=0o755)
    return manifest, digest(data)


def _manifest(context: Context, labs: Sequence[Lab], gathered: Gathered) -> Manifest:
    entries: list[Entry] = []
    with context.progress.stage("Reading all files", eta_s=10) as stage:
        for number, source in enumerate(gathered.sources):
            stage.update(Path(source.path).name[:40], number / len(gathered.sources))
            if not is_allowed(source.path):
                raise LabError(
                    f"{source.path} cannot be in a bundle", why="Its name has a character that is not allowed.", fix="Rename it."
                )
            there = source.file.stat()
            mode = 0o755 if there.st_mode & 0o100 else 0o644
            entries.append(Entry(source.path, there.st_size, digest_of(source.file), mode, there.st_mtime_ns))
    return Manifest(
        architecture=architecture(),
        system=host_suite(),
        python=python(),
        chapters=[lab.chapter for lab in labs],
        k3s=gathered.k3s,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        files=entries,
    )


def _write(context: Context, part: Path, gathered: Gathered, manifest: Manifest, data: bytes) -> None:
    with context.progress.stage("Writing the bundle", eta_s=10) as stage, part.open("wb") as file:
        writer = archive.Writer(file)
        writer.add_bytes(NAME, data, mtime_s=0)
        done = 0
        for source, entry in zip(gathered.sources, manifest.files, strict=True):
            stage.update(f"{done >> 20} of {manifest.size >> 20} MiB", done / max(1, manifest.size))
            with source.file.open("rb") as content:
                writer.add(entry.path, entry.size, content, mode=entry.mode, mtime_s=entry.mtime_ns / 1e9)
            done += entry.size
        writer.add_bytes(END, digest(data).encode(), mtime_s=0)
        writer.close()
        file.flush()
        os.fsync(file.fileno())


def _refuse_without_room(manifest: Manifest, target: Path) -> None:
    free = shutil.disk_usage(target.parent).free
    if manifest.size > free:
        why = f"The bundle takes {manifest.size / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free in {target.parent}."
        raise LabError("There is not enough room for the bundle", why=why, fix="Free some, or choose fewer chapters.")
