"""Checking a bundle, and putting its parts where `lab` looks for them: nothing before all of it was found good."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from courselab.bundle import archive
from courselab.bundle.manifest import END, LIMIT_BYTES, NAME, Entry, Manifest, decode, digest, refuse_unless_fit
from courselab.course import Catalog
from courselab.errors import LabError, UsageError
from courselab.locks import locked
from courselab.machines.local.image import find_image, host_suite
from courselab.paths import Paths
from courselab.progress import Progress, Stage
from courselab.session.context import Context

_STAGED = ("cache", "machine", "debs")  # the others are for `./lab` and the installer


def verify(path: Path, progress: Progress) -> tuple[Manifest, str]:
    """Read all of a bundle. Returns what is in it and its fingerprint; raises LabError if anything is not as it was made."""
    with _opened(path) as file:
        manifest, fingerprint = _manifest(file)
        with progress.stage("Checking the bundle", path.name, eta_s=10) as stage:
            _read_all(file, manifest, fingerprint, None, stage)
    return manifest, fingerprint


def load(context: Context, path: Path, *, expect: str = "") -> tuple[Manifest, str]:
    """Check a bundle, then put its parts in place. What was checked before an interruption is not copied again.

    `expect`: its fingerprint, as whoever made it told; raises LabError if it is another.
    """
    paths = context.paths
    with _opened(path) as file:
        manifest, fingerprint = _manifest(file)
        if expect and not fingerprint.startswith(expect.lower()):
            raise LabError("It is another bundle", why=f"Its fingerprint is {fingerprint[:16]}, not {expect[:16]}.", fix="Do not use it.")
        refuse_unless_fit(manifest, system=host_suite())
        _refuse_another_course(paths, manifest)
        staging = paths.cache / "bundle" / f"loading-{fingerprint[:16]}"
        staging.mkdir(parents=True, exist_ok=True)
        with locked(staging.parent / "load.lock"):
            _refuse_without_room(manifest, staging)
            with context.progress.stage("Checking and copying", path.name, eta_s=15) as stage:
                _read_all(file, manifest, fingerprint, staging, stage)
            _install(context, staging)
            shutil.rmtree(staging)
    return manifest, fingerprint


@contextmanager
def _opened(path: Path) -> Generator[IO[bytes]]:
    if not path.is_file():
        raise UsageError(f"{path} is no bundle", why="There is no such file.", fix="Name the .lab file.")
    with path.open("rb") as file:
        yield file


def _manifest(file: IO[bytes]) -> tuple[Manifest, str]:
    first = next(archive.members(file), None)
    if first is None or first[0].name != NAME or first[0].size > LIMIT_BYTES:
        raise archive.broken("It does not begin with a list of its files: it is no bundle.")
    data = b"".join(first[1]())
    return decode(data), digest(data)


def _read_all(file: IO[bytes], manifest: Manifest, fingerprint: str, staging: Path | None, stage: Stage) -> None:
    """Compare every file with the list, which has them in order. With `staging`, those that are to be put in place are copied there."""
    expected = iter(manifest.files)
    done = 0
    for member, content, skip in archive.members(file):
        entry = next(expected, None)
        if entry is None and (member.name, member.size) == (END, len(fingerprint)) and b"".join(content()).decode("latin-1") == fingerprint:
            return
        if entry is None or (member.name, member.size) != (entry.path, entry.size):
            raise archive.broken(f"{member.name[:100]!r} in it is not what its list says comes there.")
        stage.update(f"{done >> 20} of {manifest.size >> 20} MiB", done / max(1, manifest.size))
        target = staging / entry.path if staging and entry.path.split("/")[0] in _STAGED else None
        if target and target.is_file() and target.stat().st_size == entry.size:
            skip()  # it was checked before it got this name
        else:
            _take(entry, content(), target)
        done += entry.size
    raise archive.broken("Files are missing at its end.")


def _take(entry: Entry, content: Iterator[bytes], target: Path | None) -> None:
    """Read one file, and keep it if it is what it should be."""
    sha256 = hashlib.sha256()
    part = target.with_name(f".{target.name}.part") if target else None
    if part:
        part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") if part else open(os.devnull, "wb") as out:
            for chunk in content:
                sha256.update(chunk)
                out.write(chunk)
        if sha256.hexdigest() != entry.sha256:
            raise archive.broken(f"{entry.path[:100]!r} in it was changed.")
        if part and target:
            part.chmod(0o755 if entry.mode & 0o100 else 0o644)
            os.utime(part, ns=(entry.mtime_ns, entry.mtime_ns))
            os.replace(part, target)
    finally:
        if part:
            part.unlink(missing_ok=True)


def _refuse_another_course(paths: Paths, manifest: Manifest) -> None:
    """Machine image and lab images are named by what they are made of: another name means another course."""
    names = {entry.path for entry in manifest.files}
    machine = find_image(paths.infra / "machine", paths.cache, host_suite()).key
    if f"machine/{machine}.tar" not in names or not any(name.startswith("cache/") for name in names):
        raise _another("Its machine image is not the one that this course makes.")
    catalog = Catalog(paths.course)
    for chapter in manifest.chapters:
        if chapter not in catalog.chapters():
            raise _another(f"It has chapter {chapter[:10]}, which is not here.")


def _another(why: str) -> LabError:
    return LabError("The bundle is of another version of the course", why=why, fix="Use the course that is in it: run its install-lab.")


def _refuse_without_room(manifest: Manifest, staging: Path) -> None:
    need = sum(entry.size for entry in manifest.files if entry.path.split("/")[0] in _STAGED and not (staging / entry.path).is_file())
    need += sum(2 * entry.size for entry in manifest.files if entry.path.startswith("machine/"))  # it is unpacked beside
    free = shutil.disk_usage(staging).free
    if need > free:
        why = f"It takes {need / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free in {staging.parent}."
        raise LabError("There is not enough room to load the bundle", why=why, fix="Free some, then run the command again; it goes on.")


def _install(context: Context, staging: Path) -> None:
    """Move everything into place, each unit in one step: folders that are named by their content, then single files."""
    cache = context.paths.cache
    for folder in staging.rglob("*/"):
        folder.chmod(0o755)  # whatever our umask is: machines' own users read what is in them
    for whole in ("standin", "site"):
        for folder in sorted((staging / "cache" / whole).glob("*/")):
            if not _is_there(folder, cache / whole / folder.name):  # machines that run have it mounted
                _move(folder, cache / whole / folder.name)
    for single in ("images", "k3s"):
        for file in sorted(path for path in (staging / "cache" / single).rglob("*") if path.is_file()):
            _move(file, cache / PurePosixPath(file.relative_to(staging / "cache")))
    if (staging / "debs").is_dir():
        _move(staging / "debs", cache / "debs")
    for image in sorted((staging / "machine").glob("*.tar")):
        with context.progress.stage("Unpacking the machine image", eta_s=10):
            context.provider.unpack(image)


def _is_there(source: Path, target: Path) -> bool:
    """Whether `target`, which is named by its content, has all of it."""
    files = [path for path in source.rglob("*") if path.is_file()]
    kept = [target / path.relative_to(source) for path in files]
    return all(ours.is_file() and ours.stat().st_size == path.stat().st_size for ours, path in zip(kept, files, strict=True))


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        old = target.with_name(f".{target.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
        source.rename(target)
        shutil.rmtree(old)
    else:
        os.replace(source, target)
