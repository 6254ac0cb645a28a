"""Which K3s a lab runs: a given binary, a kept or fetched release, or, where none can be had, the stand-in."""

from __future__ import annotations

import os
import platform
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from courselab.errors import LabError, UsageError
from courselab.k3s.download import Unavailable, fetch_release_file, reachable
from courselab.machines import Mount
from courselab.paths import Paths
from courselab.progress import Progress

Distribution = Literal["k3s", "stand-in"]
_REACH_S = 3.0


@dataclass(frozen=True)
class Release:
    """Everything an installation needs: the binary, the images that belong to it, folders that machines must see."""

    distribution: Distribution
    version: str  # "v1.36.5+k3s1"; empty for a given binary until it runs
    binary: Path  # becomes /usr/local/bin/k3s
    images: tuple[Path, ...] = ()  # K3s's own images, for machines without internet
    mounts: tuple[Mount, ...] = ()
    why: str = ""  # why this one, for `lab start` to say

    @property
    def label(self) -> str:
        """How a user reads it: "K3s v1.36.5+k3s1" or "stand-in 1.36.3"."""
        return f"K3s {self.version}".strip() if self.distribution == "k3s" else f"stand-in {self.version}"


@dataclass(frozen=True)
class Pins:
    """infra/k3s.toml."""

    version: str
    releases: str
    sha256: Mapping[str, str]


def read_pins(infra: Path) -> Pins:
    """The version the course is written for. Raises LabError if the file is damaged."""
    try:
        data = tomllib.loads((infra / "k3s.toml").read_text(encoding="utf-8"))
        return Pins(str(data["version"]), str(data["releases"]).rstrip("/"), dict(data.get("sha256", {})))
    except (OSError, LookupError, TypeError, ValueError) as broken:
        raise LabError("infra/k3s.toml cannot be used", why=str(broken), fix="Put the file back: git checkout infra/k3s.toml") from broken


def architecture(machine: str = "") -> str:
    """This computer's architecture as K3s names it: amd64, arm64 or arm."""
    name = (machine or platform.machine()).lower()
    return {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm"}.get(name, name)


def find_release(
    paths: Paths, progress: Progress, *, stand_in: Callable[[], Release], environ: Mapping[str, str] = os.environ, arch: str = ""
) -> Release:
    """The first of: LAB_K3S_BINARY, the kept release, the pinned release fetched now, the stand-in (built by `stand_in`).

    `LAB_K3S=stand-in` asks for the stand-in, `LAB_K3S=k3s` refuses it. Raises LabError when what was asked for cannot be had.
    """
    wish = environ.get("LAB_K3S", "")
    if wish not in ("", "k3s", "stand-in"):
        raise UsageError(f"LAB_K3S={wish[:40]!r} is not known", why="It is k3s or stand-in.", fix="Unset LAB_K3S to let lab choose.")
    if environ.get("LAB_K3S_BINARY"):
        return _given(environ)
    if wish == "stand-in":
        return stand_in()
    try:
        return _pinned(paths, progress, environ, architecture(arch))
    except Unavailable as missing:
        if wish == "k3s":
            raise
        found = stand_in()
        return Release(
            found.distribution, found.version, found.binary, found.images, found.mounts, why=f"K3s itself cannot be had: {missing.why}"
        )


def _given(environ: Mapping[str, str]) -> Release:
    binary = Path(environ["LAB_K3S_BINARY"]).expanduser()
    if not binary.is_file():
        raise UsageError(
            "LAB_K3S_BINARY names no file",
            why=f"{binary} is not there.",
            fix="Give the path of a k3s binary as K3s releases it, or unset it.",
        )
    images = _given_images(environ)
    if not images and not reachable("https://get.k3s.io", timeout_s=_REACH_S):
        raise LabError(
            "K3s's own images are missing",
            why="There is no internet, and LAB_K3S_IMAGES does not name a folder with the release's k3s-airgap-images archive.",
            fix="Put that archive into a folder and set LAB_K3S_IMAGES to it.",
        )
    return Release("k3s", "", binary.resolve(), images, why="LAB_K3S_BINARY is set")


def _given_images(environ: Mapping[str, str]) -> tuple[Path, ...]:
    if not environ.get("LAB_K3S_IMAGES"):
        return ()
    folder = Path(environ["LAB_K3S_IMAGES"]).expanduser()
    found = sorted(file for file in folder.glob("*") if file.name.endswith((".tar", ".tar.gz", ".tar.zst", ".tgz")))
    if not found:
        raise UsageError(
            "LAB_K3S_IMAGES holds no images", why=f"No .tar, .tar.gz or .tar.zst in {folder}.", fix="Put K3s's airgap archive there."
        )
    return tuple(found)


def _pinned(paths: Paths, progress: Progress, environ: Mapping[str, str], arch: str) -> Release:
    pins = read_pins(paths.infra)
    base = environ.get("LAB_K3S_MIRROR", "").rstrip("/") or pins.releases
    folder = paths.cache / "k3s" / pins.version.replace("+", "-") / arch
    binary_name = "k3s" if arch == "amd64" else f"k3s-{'armhf' if arch == 'arm' else arch}"
    names = [binary_name]
    given = _given_images(environ)
    if not given:
        names.append(f"k3s-airgap-images-{arch}.tar.zst")
    url = f"{base}/{pins.version.replace('+', '%2B')}"
    binary, *images = [
        fetch_release_file(url, name, folder, progress, checksums=f"sha256sum-{arch}.txt", pin=pins.sha256.get(name, "")) for name in names
    ]
    return Release("k3s", pins.version, binary, given or tuple(images), why="the version this course is written for")
