"""The machine image: a Debian (or the host's Ubuntu) made once by mmdebstrap, shared read-only by all machines."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from courselab import files, process
from courselab.errors import LabError
from courselab.progress import Progress

BUILD_ETA_S = 60.0
BUILD_TIMEOUT_S = 1800.0
RECIPE = 1  # counts up when this file changes what an image is
CNI_PLUGINS = ("bridge", "host-local", "loopback", "portmap")
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/lib/cni/*")
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
    image.folder.parent.mkdir(parents=True, exist_ok=True)
    with (image.folder.parent / f"{image.key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if image.ready:
            return
        with progress.stage("machine image", f"{sources.suite}, about 250 MB, made once", eta_s=BUILD_ETA_S) as stage:
            remove_tree(image.folder)
            making = image.folder.with_suffix(".new")
            remove_tree(making)
            making.mkdir()
            stage.update("downloading and unpacking packages", 0.0)
            process.run(mmdebstrap_argv(making / "root", recipe, sources), timeout_s=BUILD_TIMEOUT_S).check(
                "The machine image could not be built", fix="Check the network and this computer's apt sources, then try again."
            )
            stage.update("setting it up", 0.9)
            _customise(making / "root", recipe)
            os.sync()
            files.write_atomic(making / "complete", f"{image.key}\n".encode(), mode=0o644)
            making.rename(image.folder)


def mmdebstrap_argv(root: Path, recipe: Path, sources: Sources) -> list[str]:
    """The command line that makes the file system."""
    return [
        "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        f"--include={','.join(package_list(recipe))}",
        *(f"--aptopt={option}" for option in sources.options),
        *(f"--dpkgopt={option}" for option in SMALLER),
        sources.suite, str(root), *sources.lines,
    ]  # fmt: skip


def _customise(root: Path, recipe: Path) -> None:
    copy = ["cp", "-R", "--no-preserve=ownership", f"{recipe / 'rootfs'}/.", str(root)]
    process.run(copy, timeout_s=60).check("The machine image could not be filled")
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    process.run(["chroot", str(root), "/usr/lib/courselab/setup"], timeout_s=120, env=env).check("The machine image could not be set up")


def remove_tree(folder: Path) -> None:
    """Remove a folder with everything in it, unless something is mounted below it (never reach into what is not ours)."""
    if not folder.exists() and not folder.is_symlink():
        return
    below = f"{os.path.realpath(folder)}/"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place = line.split()[4].encode().decode("unicode_escape")
        if f"{place}/".startswith(below):
            why, fix = f"Something is mounted at {place}.", f"Run `umount '{place}'`, then try again."
            raise LabError(f"{folder} was not removed", why=why, fix=fix)
    process.run(["rm", "-rf", "--one-file-system", "--", str(folder)], timeout_s=300).check(f"{folder} could not be removed")


def host_suite(path: Path = Path("/etc/os-release")) -> str:
    """The code name of this host's distribution; "" when it has none."""
    pairs = (line.partition("=") for line in path.read_text().splitlines())
    return next((value.strip().strip('"') for name, _, value in pairs if name == "VERSION_CODENAME"), "")


def host_sources() -> Sources:
    """What this host's apt uses for its own distribution."""
    fields = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    shown = process.run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"], timeout_s=60)
    options = process.run(["apt-config", "dump"], timeout_s=60)
    return parse_sources(host_suite(), shown.text, options.text)


def parse_sources(codename: str, targets: str, configuration: str) -> Sources:
    """Keep of apt's package lists those of the distribution itself, and of its configuration what reaching them needs."""
    found: dict[tuple[str, str], list[str]] = {}
    for line in targets.splitlines():
        uri, suite, component = line.split("|", 2)
        own = suite in {codename, f"{codename}-updates", f"{codename}-security"} and component in {"main", "universe"}
        if own and component not in found.setdefault((uri, suite), []):
            found[uri, suite].append(component)
    lines = [f"deb {uri} {suite} {' '.join(components)}" for (uri, suite), components in found.items()]
    if not codename or not lines:
        raise LabError(
            "This computer's apt has no source for its own distribution",
            why="A machine image is made from the packages that this computer's apt can reach.",
            fix="Run `apt-get update`, check /etc/apt/sources.list, then try again.",
        )
    wanted = ("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::https::CA")
    options = [line.strip() for line in configuration.splitlines() if line.startswith(wanted) and not line.endswith(' "";')]
    return Sources(codename, tuple(lines), tuple(options))


def free_old(cache: Path, keep: set[str]) -> None:
    """Remove images that no machine uses and that are not the current one."""
    for folder in (cache / "machine-image").glob("*"):
        if folder.is_dir() and folder.name not in keep:
            shutil.rmtree(folder, ignore_errors=True)
