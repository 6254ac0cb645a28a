"""The machine image: a Debian (or the host's Ubuntu) made once by mmdebstrap, shared read-only by all machines."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from courselab import files, process
from courselab.errors import LabError
from courselab.locks import locked
from courselab.machines.local.disk import remove_tree
from courselab.progress import Progress, Stage

BUILD_ETA_S = 45.0
BUILD_TIMEOUT_S = 1800.0
FULL_BYTES, FULL_FOR_S = 2 << 20, 10.0  # with less room than this, for so long, nothing more comes of it
RECIPE = 1  # counts up when this file changes what an image is
CNI_PLUGINS = ("bridge", "host-local", "loopback", "portmap")
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/lib/cni/*")
_TAR = ("--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls")
SMALLER = (
    *(f"path-exclude={path}" for path in LEFT_OUT),
    *(f"path-include=/usr/lib/cni/{name}" for name in CNI_PLUGINS),
    "force-unsafe-io",
)


@dataclass(frozen=True)
class Sources:
    """Where packages come from: what this host's apt is set up to use."""

    suite: str
    lines: tuple[str, ...]  # in the one-line format of sources.list
    options: tuple[str, ...]  # apt options of this host that matter (proxy, dates)


@dataclass(frozen=True)
class Image:
    """One image, made or not yet made. Its key names everything that goes into it."""

    key: str
    folder: Path

    @property
    def root(self) -> Path:
        """Its file system."""
        return self.folder / "root"

    @property
    def ready(self) -> bool:
        """Whether it was finished."""
        marker = self.folder / "complete"
        return marker.exists() and marker.read_text().strip() == self.key and self.root.is_dir()


def find_image(recipe: Path, cache: Path, suite: str) -> Image:
    """The image that the files in `recipe` (infra/machine) describe."""
    digest = hashlib.sha256(f"{RECIPE} {suite} {os.uname().machine} {SMALLER}".encode())
    for path in sorted(path for path in recipe.rglob("*") if path.is_file()):
        mode = path.stat().st_mode & 0o100
        digest.update(f"\0{path.relative_to(recipe)} {mode:o}\0".encode() + path.read_bytes())
    key = digest.hexdigest()[:16]
    return Image(key, cache / "machine-image" / key)


def package_list(recipe: Path) -> list[str]:
    """The packages every machine has."""
    lines = (recipe / "packages.txt").read_text().splitlines()
    return [name for line in lines if (name := line.partition("#")[0].strip())]


def build(image: Image, recipe: Path, sources: Sources, progress: Progress) -> None:
    """Make the image unless it is there. Two builders wait for each other; an interrupted build leaves nothing that counts.

    Raises LabError with the last words of mmdebstrap.
    """

    def make(root: Path) -> None:
        with progress.stage("Making the machine image", f"{sources.suite}, 180 MB, only once", eta_s=BUILD_ETA_S) as stage:
            _bootstrap(root, recipe, sources, stage)
            stage.update("setting it up", 0.95)
            _customise(root, recipe)
            os.sync()

    _make_whole(image, make)


def pack(image: Image, folder: Path) -> Path:
    """Write a finished image into `folder`, as one file named by its key that `unpack` takes."""
    target = folder / f"{image.key}.tar"
    argv = ["tar", "--create", "--file", str(target), *_TAR, "--sort=name", "--directory", str(image.root), "."]
    process.run(argv, timeout_s=BUILD_TIMEOUT_S).check("The machine image could not be packed", fix="Check that the disk is not full.")
    target.chmod(0o644)
    return target


def unpack(image: Image, archive: Path) -> None:
    """Make the image out of a file that `pack` wrote, unless it is there. As with `build`, it is there whole or not at all."""

    def make(root: Path) -> None:
        root.mkdir(mode=0o755)
        argv = ["tar", "--extract", "--file", str(archive), *_TAR, "--preserve-permissions", "--same-owner", "--directory", str(root)]
        done = process.run(argv, timeout_s=BUILD_TIMEOUT_S)
        done.check("The machine image could not be unpacked", fix="Check that the disk is not full, then try again.")
        os.sync()

    _make_whole(image, make)


def _make_whole(image: Image, make: Callable[[Path], None]) -> None:
    """Have the image's root made, and written to the disk, by `make` unless it is there. It counts from the last step on, not before."""
    image.folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(image.folder.parent / f"{image.key}.lock"):
        if image.ready:
            return
        making = image.folder.with_suffix(".new")
        for old in (image.folder, making):
            remove_tree(old)
        making.mkdir()
        making.chmod(0o755)  # whatever our umask is
        make(making / "root")
        files.write_atomic(making / "complete", f"{image.key}\n".encode(), mode=0o644)
        making.rename(image.folder)


def _bootstrap(root: Path, recipe: Path, sources: Sources, stage: Stage) -> None:
    """Run mmdebstrap, showing its steps."""
    steps = {"apt-get update": 0.05, "downloading": 0.1, "extracting": 0.3, "installing": 0.5, "cleaning": 0.9}

    def show(text: str) -> None:
        for line in text.splitlines():
            for word, fraction in steps.items():
                if line.startswith("I: ") and word in line:
                    stage.update(line.removeprefix("I: ").rstrip(".")[:60], fraction)

    argv, room = mmdebstrap_argv(root, recipe, sources), _Room(root.parent)
    done = process.run(argv, timeout_s=BUILD_TIMEOUT_S, env=_environment(), on_error_text=show, each_second=room.look)
    if done.code != 0:
        errors = [line.removeprefix("E: ") for line in done.error_text.splitlines() if line.startswith("E: ")] or [done.error_text[-300:]]
        raise LabError(
            "The machine image could not be made",
            why=f"mmdebstrap: {errors[0][:300]}",
            fix="Check the network, the space on the disk and `apt-get update`, then try again.",
            detail=done.error_text,
        )


@dataclass
class _Room:
    """Ends what goes on without any room left: apt may wait for its own helpers for ever then."""

    folder: Path
    _full_since: float | None = None

    def look(self) -> None:
        """Raise LabError once the disk has been full for a while."""
        free = shutil.disk_usage(self.folder).free
        if free >= FULL_BYTES:
            self._full_since = None
            return
        now = time.monotonic()
        self._full_since = now if self._full_since is None else self._full_since
        if now - self._full_since >= FULL_FOR_S:
            raise LabError(
                "The machine image could not be made",
                why=f"The disk is full: {free // 1024} KiB are free in {self.folder.parent}.",
                fix="Free about 1 GiB there, or choose another folder with LAB_CACHE, then try again.",
            )


def _environment() -> dict[str, str]:
    """Nothing of the user's, except how to reach the network."""
    proxies = {name: value for name, value in os.environ.items() if name.lower() in {"http_proxy", "https_proxy", "no_proxy"}}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TMPDIR": "/tmp", **proxies}  # noqa: S108


def mmdebstrap_argv(root: Path, recipe: Path, sources: Sources) -> list[str]:
    """The command line that makes the file system.

    What it mounts there (/proc, /sys, /dev/shm) is in a namespace of its own: if it is killed, nobody who removes the folder meets the host's.
    """
    return [
        "unshare", "--mount", "--propagation=private", "--",
        "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        f"--include={','.join(package_list(recipe))}",
        *(f"--aptopt={option}" for option in sources.options),
        *(f"--dpkgopt={option}" for option in SMALLER),
        sources.suite, str(root), *sources.lines,
    ]  # fmt: skip


def _customise(root: Path, recipe: Path) -> None:
    """Copy the files of infra/machine/rootfs and run its setup inside."""
    base = recipe / "rootfs"
    for source in sorted(base.rglob("*")):
        target = root / source.relative_to(base)
        if source.is_dir():
            if not target.exists():
                target.mkdir()
                target.chmod(0o755)
        else:
            target.write_bytes(source.read_bytes())
            target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)  # whatever umask the checkout was made with
    done = process.run(["chroot", str(root), "/usr/lib/courselab/setup"], timeout_s=120, env=_environment())
    done.check("The machine image could not be set up")


def host_suite(path: Path = Path("/etc/os-release")) -> str:
    """The code name of this host's distribution, or of the Debian or Ubuntu that it is made from; "" when it has none."""
    pairs = {name: value.strip().strip('"') for name, _, value in (line.partition("=") for line in path.read_text().splitlines())}
    return pairs.get("UBUNTU_CODENAME") or pairs.get("DEBIAN_CODENAME") or pairs.get("VERSION_CODENAME") or ""


def host_sources() -> Sources:
    """What this host's apt uses for its own distribution."""
    fields = "$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)"
    shown = process.run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"], timeout_s=60)
    return parse_sources(host_suite(), shown.text, process.run(["apt-config", "dump"], timeout_s=60).text)


def parse_sources(codename: str, targets: str, configuration: str) -> Sources:
    """Keep of apt's package lists those of the distribution itself, and of its configuration what reaching them needs.

    Raises LabError if there are none.
    """
    own = {codename, f"{codename}-updates", f"{codename}-security"}
    found: dict[tuple[str, str], list[str]] = {}
    for line in targets.splitlines():
        uri, suite, real_name, component = line.split("|", 3)
        if (suite in own or real_name in own) and component in {"main", "universe"}:
            components = found.setdefault((uri, suite), [])
            components += [] if component in components else [component]
    if not codename or not found:
        raise LabError(
            "This computer's apt has no source for its own distribution",
            why="The machine image is made from the packages that this computer's apt can reach.",
            fix="Check /etc/apt/sources.list and run `apt-get update`, then try again.",
        )
    lines = tuple(f"deb {uri} {suite} {' '.join(components)}" for (uri, suite), components in found.items())
    wanted = ("Acquire::http::", "Acquire::https::", "Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::Retries")
    options = (line.strip() for line in configuration.splitlines() if line.startswith(wanted) and not line.endswith(' "";'))
    return Sources(codename, lines, tuple(options))


def use(image: Image, key: str, machines: Path) -> None:
    """Note that the state folder called `key`, whose machines are below `machines`, uses this image."""
    note = image.folder / "users" / key
    if not note.exists():
        files.write_atomic(note, f"{machines}\n".encode())


def remove_unused(cache: Path, current: Image, images_below: Callable[[Path], set[Path]]) -> None:
    """Remove older images that no machine of any state folder uses. `images_below`: the image roots that machines in a folder use."""
    for folder in (cache / "machine-image").glob("*/"):
        if folder == current.folder or not (folder / "complete").exists() or not (folder / "users").is_dir():
            continue  # in use, being made, or of somebody who does not say so
        users = [Path(note.read_text().strip()) for note in (folder / "users").glob("*")]
        if not any(folder / "root" in images_below(machines) for machines in users):
            remove_tree(folder)
