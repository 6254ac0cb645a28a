"""Everything that a bundle holds, made or fetched on this computer where it is not there yet."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from courselab import process
from courselab.bundle.manifest import python
from courselab.course import Lab
from courselab.errors import LabError, UsageError
from courselab.k3s import debian
from courselab.k3s.release import Release, architecture
from courselab.k3s.standin.parts import digest_of
from courselab.machines.local.packages import MAKES_IMAGE, NEEDS
from courselab.paths import Paths
from courselab.progress import Progress
from courselab.session.context import Context
from courselab.session.parts import gather_parts
from courselab.site.build import built_site

_PIP_S = 900.0
_GIT_S = 60.0
_ASK_S = 60.0
# Beside what machines need: what `./lab` is started with.
_PYTHON_PACKAGES = ("python3", "python3-venv", "python3-pip-whl", "python3-setuptools-whl")
_NOT_COURSE = {".git", ".venv", "node_modules", "__pycache__", ".pytest_cache", ".ruff_cache"}
_NOT_COURSE_ON_TOP = {"work", "site"}  # further down these are starter files, and a part of the program


@dataclass(frozen=True)
class Source:
    """One file, and where it is in the bundle."""

    path: str
    file: Path


@dataclass(frozen=True)
class Gathered:
    """All of it."""

    k3s: str
    sources: tuple[Source, ...]


def gather(context: Context, labs: Sequence[Lab], scratch: Path) -> Gathered:
    """Collect everything for `labs`; `scratch` may be used for as long as the sources are. Raises LabError if something cannot be had."""
    if context.provider.name != "local":
        why = f"Machines from {context.provider.name} are made of an image that it fetches itself."
        raise UsageError("A bundle is for machines on the computer itself", why=why, fix="lab bundle create … --on local")
    paths, sources = context.paths, list[Source]()
    release: Release | None = None
    for lab in labs:
        parts = gather_parts(context, lab)
        release = parts.release
        sources += [_in_cache(paths, image) for image in parts.images]
    if release is None:
        raise UsageError("No chapter is chosen", why="A bundle is for some.", fix="lab bundle create out.lab --chapters 02,03")
    sources += _of_release(paths, release)
    sources += [_in_cache(paths, file) for file in _files(built_site(paths, context.progress))]
    sources += [Source(f"wheels/{file.name}", file) for file in _wheels(paths, context.progress)]
    sources += [Source(f"debs/{file.name}", file) for file in _packages(scratch / "debs", context.progress)]
    sources += [Source(f"course/{name}", paths.course / name) for name in course_files(paths.course)]
    with context.progress.stage("Packing the machine image", eta_s=10):
        sources += [Source(f"machine/{file.name}", file) for file in context.provider.pack(scratch)]
    return Gathered(release.label, tuple({source.path: source for source in sources}.values()))


def course_files(course: Path) -> list[str]:
    """The files of the course itself: what git knows of, or all that is not made by us."""
    if (course / ".git").exists() and shutil.which("git"):
        listed = process.run(["git", "-C", str(course), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], timeout_s=_GIT_S)
        names = [name for name in listed.text.split("\0") if name]
        if listed.code == 0 and names:
            return sorted(name for name in names if (course / name).is_file() and not (course / name).is_symlink() and not _is_bundle(name))
    found = (path for path in course.rglob("*") if path.is_file() and not path.is_symlink())
    names = [path.relative_to(course) for path in found]
    ours = (name for name in names if not _NOT_COURSE & set(name.parts) and name.parts[0] not in _NOT_COURSE_ON_TOP)
    return sorted(str(name) for name in ours if not name.name.startswith(".venv") and not _is_bundle(str(name)))


def _is_bundle(name: str) -> bool:
    """A bundle that was made here before, and what is beside it."""
    return name.endswith(".lab") or name == "install-lab"


def _of_release(paths: Paths, release: Release) -> Iterator[Source]:
    if release.distribution == "stand-in":
        yield from (_in_cache(paths, file) for file in _files(release.mounts[0].source))
        return
    for file in (release.binary, *release.images):
        record = file.with_name(f"{file.name}.json")
        yield _in_cache(paths, file)
        if record.is_file():
            yield _in_cache(paths, record)


def _in_cache(paths: Paths, file: Path) -> Source:
    try:
        return Source(f"cache/{file.relative_to(paths.cache)}", file)
    except ValueError as elsewhere:
        why = f"{file} was given by LAB_K3S_BINARY or LAB_K3S_IMAGES."
        fix = "Unset these, so that the release is fetched; or give its files to the classroom yourself."
        raise UsageError("A bundle holds only what lab fetched or made itself", why=why, fix=fix) from elsewhere


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _wheels(paths: Paths, progress: Progress) -> list[Path]:
    """The Python packages that `./lab` installs, checked by pip against the hashes in requirements.txt."""
    requirements = paths.course / "requirements.txt"
    folder = paths.cache / "bundle" / f"wheels-{python()}-{digest_of(requirements)[:12]}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "download",
            "--quiet",
            "--only-binary",
            ":all:",
            "--require-hashes",
        ]
        with progress.stage("Fetching Python packages", eta_s=20):
            done = process.run([*pip, "--dest", str(folder), "-r", str(requirements)], timeout_s=_PIP_S)
            done.check("The Python packages could not be fetched", fix="Check the internet connection, then run the command again.")
        (folder / "complete").touch()
    return sorted(folder.glob("*.whl"))


def _packages(folder: Path, progress: Progress) -> list[Path]:
    """The Debian packages that a computer like this one may lack, with all they depend on, and apt's index of them."""
    wanted = sorted({need.package for need in NEEDS if need.program != MAKES_IMAGE} | set(_PYTHON_PACKAGES))
    with progress.stage("Fetching Debian packages", eta_s=20):
        debian.fetch(wanted, architecture(), folder)
        for unused in ("lists", "status"):
            path = folder / unused
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        archives = sorted((folder / "archives").glob("*.deb"))
        for archive in archives:
            archive.rename(folder / _plain(archive.name))
        shutil.rmtree(folder / "archives")
        files = sorted(folder.glob("*.deb"))
        (folder / "Packages").write_text("\n".join(_index_entry(file) for file in files), encoding="utf-8")
    return [*files, folder / "Packages"]


def _plain(name: str) -> str:
    """apt writes the colon of a version as %3a."""
    return name.replace("%3a", ":")


def _index_entry(archive: Path) -> str:
    """What apt's index says of a package: its own description, and where it is."""
    shown = process.run(["dpkg-deb", "--field", str(archive)], timeout_s=_ASK_S).check(f"{archive.name} could not be read")
    sha256, size = digest_of(archive), archive.stat().st_size
    return f"{shown.text.rstrip()}\nFilename: ./{archive.name}\nSize: {size}\nSHA256: {sha256}\n"


def refuse_without_linux() -> None:
    """Raise LabError where the parts cannot be made."""
    if sys.platform != "linux" or not debian.can_download():
        raise LabError(
            "A bundle cannot be made here", why="It takes a Debian or Ubuntu like the classroom's.", fix="Make it on a computer like those."
        )
