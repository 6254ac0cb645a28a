"""Building the stand-in: what is missing of it, then all of it in one folder named by its content."""

from __future__ import annotations

import compileall
import json
import os
import py_compile
import re
import shutil
import tempfile
import threading
from collections.abc import Generator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from courselab import files
from courselab.errors import LabError
from courselab.k3s import debian
from courselab.k3s.oci import write_image
from courselab.k3s.release import architecture
from courselab.k3s.standin import recipe
from courselab.k3s.standin.charts import pack_charts
from courselab.k3s.standin.parts import Part, Store, digest_of, key_of
from courselab.k3s.standin.recipe import IN_PODS, PROGRAMS, PodImage, Program
from courselab.k3s.standin.toolchain import Runner, Toolchain, find_toolchain
from courselab.k3s.standin.unused import note_use, remove_unused
from courselab.locks import try_lock, wait_lock
from courselab.paths import Paths
from courselab.process import run, tied
from courselab.progress import Progress

COMPILE_S = 3600.0
ROOMY_MIB = 6000  # with less memory, one program is built at a time: linking the largest takes 2 GB
GO_FLAGS = "-modcacherw -buildvcs=false -trimpath"
NO_SPACE = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
NO_NETWORK = re.compile(
    r"dial tcp|no such host|i/o timeout|connection (?:refused|reset)|network is unreachable|proxyconnect|TLS handshake|unexpected EOF"
    r"|server misbehaving|reading https?://|module lookup disabled",
    re.IGNORECASE,
)
TRY_AGAIN = "Try again: what was compiled already is kept."


@dataclass(frozen=True)
class StandIn:
    """A finished stand-in: the folder that machines see as /opt/k3s-standin, and the Kubernetes version in it."""

    folder: Path
    version: str  # "1.36.3"


def standin(paths: Paths, progress: Progress, *, without: Set[str] = frozenset(), runner: Runner = run) -> StandIn:
    """The stand-in of this checkout; what is missing of it is built, each part once. Raises LabError.

    `without` names components that need not be in it; those that take long to compile are left out unless they are there already.
    Two builders wait for each other. Interrupted anywhere, the next call goes on: Go keeps every package it compiled.
    """
    source = paths.infra / "standin"
    if not (source / "modules").is_dir():
        raise LabError("The stand-in cannot be built", why=f"{source} is not there.", fix="Run lab from a whole checkout of the course.")
    builder = Builder(paths, progress, runner, recipe.OPTIONAL & without)
    found = builder.finished()
    if not found:
        with _lock(paths.cache / "standin", progress):
            try:
                found = builder.finished() or builder.build()
            except OSError as error:
                raise _failure("The stand-in could not be built", str(error)) from error
    note_use(found.folder, paths.state)
    return found


def broken_parts(paths: Paths) -> list[str]:
    """Names of kept files whose content is no longer what was made; reads them all (for `lab doctor`)."""
    store = Store(paths.cache / "standin" / "parts")
    found: list[str] = []
    for note in sorted(store.folder.glob("*/part.json")):
        name, _, key = note.parent.name.rpartition("-")
        if store.find(name, key, fully=True) is None:
            found.append(note.parent.name)
    return found


@dataclass
class Builder:
    """Builds the stand-in of one checkout."""

    paths: Paths
    progress: Progress
    runner: Runner
    without: Set[str] = frozenset()
    _toolchain: Toolchain | None = None
    _choosing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def source(self) -> Path:
        return self.paths.infra / "standin"

    @property
    def modules(self) -> Path:
        return self.source / "modules"

    @property
    def store(self) -> Store:
        return Store(self.paths.cache / "standin" / "parts")

    @property
    def version(self) -> str:
        """The Kubernetes version: "1.36.3"."""
        return recipe.module_version(self.modules / "kube", recipe.KUBERNETES).removeprefix("v")

    @cached_property
    def _key(self) -> str:
        """Changes with the content of anything the stand-in is made from."""
        code = Path(__file__).parent
        return key_of(self.source, code / "recipe.py", code / "build.py", architecture())

    @property
    def folder(self) -> Path:
        """Where this stand-in is or will be."""
        return self._folder(self.without)

    def _folder(self, without: Set[str]) -> Path:
        return self.paths.cache / "standin" / "-without-".join((self._key, *sorted(without)))

    def finished(self) -> StandIn | None:
        """The stand-in, or one with more in it, if it is there and every file of it has the size and time it was made with."""
        found = (_finished(folder) for folder in dict.fromkeys((self._folder(frozenset()), self.folder)))
        return next((one for one in found if one), None)

    def build(self) -> StandIn:
        """Make what is missing and lay it all in place."""
        with ThreadPoolExecutor(2 if _memory_mib() >= ROOMY_MIB else 1, thread_name_prefix="standin") as pool:
            debian_programs = pool.submit(self._debian_programs)
            programs = pool.map(self._program, self._wanted)
            parts = {program.name: part for program, part in zip(self._wanted, programs, strict=True)} | debian_programs.result()
            images = [self._image(image, parts[image.program]) for image in recipe.pod_images(self.modules) if image.program in parts]
        found = self._assemble(parts, images)
        remove_unused(self.folder.parent, [*parts.values(), *images])
        return found

    @cached_property
    def _wanted(self) -> list[Program]:
        return [program for program in PROGRAMS if program.name not in self.without]

    def _program(self, program: Program) -> Part:
        toolchain = self._go()
        flags = recipe.linker_flags(program, self.modules)
        key = key_of(self.modules / program.module, program.package, program.tags, flags, GO_FLAGS, toolchain.minor, architecture())
        found = self.store.find(program.name, key)
        if found:
            return found
        usual = self._durations().get(program.name, program.seconds)
        number = f"{self._wanted.index(program) + 1} of {len(self._wanted)}"
        with self.progress.stage(f"stand-in: {program.name}", f"{number}, compiled once", eta_s=usual):
            part = self.store.make(program.name, key, lambda target: self._compile(program, flags, toolchain.go, target))
        self._note_duration(program.name, part.seconds)
        return part

    def _compile(self, program: Program, flags: str, go: Path, target: Path) -> None:
        cache = self.paths.cache / "go"
        environment = {
            **os.environ,
            "CGO_ENABLED": "0",
            "GOCACHE": str(cache / "build"),
            "GOMODCACHE": str(cache / "mod"),
            "GOPATH": str(cache),
            "GOFLAGS": GO_FLAGS,
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "GOGC": "400",  # a compiler that collects less garbage is quicker
        }
        argv = [str(go), "build", "-tags", program.tags, "-ldflags", flags, "-o", str(target), program.package]
        done = self.runner(tied(argv), timeout_s=COMPILE_S, env=environment, cwd=self.modules / program.module)
        if done.code != 0:
            raise _failure(f"{program.name} of the stand-in could not be built", done.error_text)

    def _debian_programs(self) -> dict[str, Part]:
        """runc and busybox, from this computer's own Debian or Ubuntu."""
        wanted = {"runc": recipe.RUNC, "busybox": recipe.BUSYBOX}
        key = key_of(" ".join(recipe.DEBIAN_PACKAGES), architecture(), _os_release())
        found = {name: part for name in wanted if (part := self.store.find(name, key))}
        if len(found) == len(wanted):
            return found
        with (
            self.progress.stage("stand-in: runc, busybox", "from this computer's Linux distribution", eta_s=10.0),
            tempfile.TemporaryDirectory(prefix="courselab-") as scratch,
        ):
            packages = debian.download(recipe.DEBIAN_PACKAGES, architecture(), Path(scratch))

            def copy(path: str, target: Path) -> None:
                target.write_bytes(packages.read(path))
                target.chmod(0o755)

            return {name: self.store.make(name, key, lambda target, path=path: copy(path, target)) for name, path in wanted.items()}

    def _image(self, image: PodImage, binary: Part) -> Part:
        name = f"{image.program}.tar"
        key = key_of(binary.sha256, image.name, repr(image.config), " ".join(recipe.APPLETS))
        return self.store.find(name, key) or self.store.make(
            name, key, lambda target: write_image(target, image.name, image.entries(binary.path), image.config, arch=architecture())
        )

    def _assemble(self, parts: dict[str, Part], images: list[Part]) -> StandIn:
        making = self.folder.with_name(f".{self.folder.name}.new")
        shutil.rmtree(making, ignore_errors=True)
        (making / "bin").mkdir(parents=True)
        (making / "images").mkdir()
        for name, part in parts.items():
            if name not in IN_PODS | {"busybox"}:
                _link(part.path, making / "bin" / name)
        for part in images:
            _link(part.path, making / "images" / part.path.name)
        shutil.copy2(self.source / "bin" / "k3s", making / "bin" / "k3s")
        for name in ("supervisor", "manifests"):
            shutil.copytree(self.source / name, making / name, ignore=shutil.ignore_patterns("__pycache__"))
        pack_charts(self.source / "charts", making / "static" / "charts")
        # Machines see it read-only: without this their Python would compile it at every start.
        compileall.compile_dir(making / "supervisor", quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        (making / "VERSION").write_text(f"{self.version}\n", encoding="utf-8")
        _readable_by_all(making)
        files.write_json(making / "manifest.json", {"version": self.version, "files": _inventory(making, parts, images)}, mode=0o644)
        shutil.rmtree(self.folder, ignore_errors=True)
        making.rename(self.folder)
        return StandIn(self.folder, self.version)

    def _go(self) -> Toolchain:
        with self._choosing:
            self._toolchain = self._toolchain or find_toolchain(self.paths, self.progress, runner=self.runner)
            return self._toolchain

    @property
    def _durations_file(self) -> Path:
        return self.paths.cache / "standin" / "durations.json"

    def _durations(self) -> dict[str, float]:
        """How long each program took here last time."""
        try:
            return {str(name): float(value) for name, value in json.loads(self._durations_file.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _note_duration(self, name: str, seconds: float) -> None:
        with self._choosing:
            files.write_json(self._durations_file, {**self._durations(), name: seconds}, mode=0o644)


def _finished(folder: Path) -> StandIn | None:
    try:
        noted = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        whole = all(Part(folder / name, **about, seconds=0.0).intact() for name, about in noted["files"].items())
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return StandIn(folder, noted["version"]) if whole else None


@contextmanager
def _lock(folder: Path, progress: Progress) -> Generator[None]:
    """Hold the lock of all builders; it ends with the process that holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "build.lock").open("w") as lock:
        if not try_lock(lock.fileno()):
            with progress.stage("stand-in", "another lab command builds it; waiting for that"):
                wait_lock(lock.fileno())
        yield


def _failure(what: str, said: str) -> LabError:
    """The error for what a compiler or the system said."""
    if NO_SPACE.search(said):
        return LabError(
            what, why="The disk is full.", fix=f"Make room (the first build needs about 8 GB in the cache). {TRY_AGAIN}", detail=said
        )
    if NO_NETWORK.search(said):
        why = f"A Go module could not be downloaded: {_last_line(said)}"
        return LabError(what, why=why, fix=f"Check the network, and GOPROXY if you use a mirror. {TRY_AGAIN}", detail=said)
    return LabError(what, why=_last_line(said), fix=f"{TRY_AGAIN} If it fails again, report it with what --debug prints.", detail=said)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "It printed nothing."


def _link(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _readable_by_all(folder: Path) -> None:
    """Whatever our umask was: in the machine, a learner runs kubectl from here."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
        else:
            path.chmod(0o755 if path.parent.name == "bin" else 0o644)


def _inventory(folder: Path, parts: dict[str, Part], images: list[Part]) -> dict[str, dict[str, int | str]]:
    """Size, time and SHA-256 of every file; what was digested when it was made is not digested again."""
    known = {part.path.name: part.sha256 for part in (*parts.values(), *images)}
    inventory: dict[str, dict[str, int | str]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        there = path.stat()
        sha256 = known.get(path.name) if path.parent.name in {"bin", "images"} else None
        inventory[str(path.relative_to(folder))] = {
            "sha256": sha256 or digest_of(path), "size": there.st_size, "mtime_ns": there.st_mtime_ns,
        }  # fmt: skip
    return inventory


def _memory_mib() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (1024 * 1024)
    except (ValueError, OSError):
        return 0


def _os_release() -> str:
    try:
        return Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return ""
