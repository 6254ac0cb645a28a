"""The Debian packages that the host needs for machines: which are missing, and installing them once the user agrees."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from courselab import process
from courselab.errors import LabError
from courselab.machines.commands import PATH
from courselab.progress import Ask, Progress

INSTALL_TIMEOUT_S = 900.0
SEARCH_PATH = PATH  # a user's own may lack the sbin folders
MAKES_IMAGE = "mmdebstrap"  # not needed where the image was carried here


@dataclass(frozen=True)
class Need:
    """A program that is run on the host, the package that has it, and what it is for."""

    program: str
    package: str
    purpose: str


NEEDS = (
    Need("systemd-nspawn", "systemd-container", "runs the machines"),
    Need(MAKES_IMAGE, "mmdebstrap", "makes the machine image"),
    Need("nft", "nftables", "keeps the labs' networks apart"),
    Need("ip", "iproute2", "makes the labs' networks"),
    Need("nsenter", "util-linux", "runs commands in machines"),
    Need("setpriv", "util-linux", "keeps the host's powers out of machines"),
)


def find_program(name: str) -> str | None:
    """The path of a program, also where only root looks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SEARCH_PATH}")


def missing(find: Callable[[str], str | None] = find_program) -> list[Need]:
    """What is needed and not there."""
    return [need for need in NEEDS if not find(need.program)]


def install(
    needs: list[Need], ask: Ask, progress: Progress, find: Callable[[str], str | None] = find_program, *, carried: Path | None = None
) -> None:
    """Install packages with apt after saying which and why. Needs root. `carried`: a folder with packages that a bundle brought.

    Raises LabError that names them if the user says no or this is not a Debian or Ubuntu.
    """
    names = sorted({need.package for need in needs})
    if not names:
        return
    command = f"apt-get install {' '.join(names)}"
    reasons = ", ".join(dict.fromkeys(f"{need.package} ({need.purpose})" for need in needs))
    if not find("apt-get"):
        raise LabError(
            "Programs that machines need are not installed", why=f"Missing: {reasons}.", fix="Install them the way your system does."
        )
    progress.say(f"Machines on this computer need: {reasons}.")
    if not ask(f"Install {', '.join(names)} now?"):
        raise LabError("Programs that machines need are not installed", why=f"Missing: {reasons}.", fix=f"Run `{command}` as root.")
    with progress.stage("Installing packages", ", ".join(names), eta_s=20):
        install = ["install", "--yes", "--no-install-recommends", *names]
        if carried and (carried / "Packages").is_file() and _from_folder(carried, install):
            return
        done = _apt(install)
        if done.code != 0:  # the lists may be old, or never fetched
            _apt(["update"]).check("The package lists could not be fetched", fix="Check the network, then try again.")
            done = _apt(install)
        done.check("Packages could not be installed", fix=f"Run `{command}` as root and see what it says.")


def _from_folder(carried: Path, install: list[str]) -> bool:
    """Install from a folder alone, with package lists of its own; returns whether that went well."""
    with tempfile.TemporaryDirectory(prefix="courselab-apt-") as scratch:
        sources = Path(scratch) / "sources.list"
        sources.write_text(
            f"deb [trusted=yes] copy:{quote(str(carried.resolve()))} ./\n"
        )  # each file was checked when the bundle was loaded
        (Path(scratch) / "lists" / "partial").mkdir(parents=True)
        options = {
            "Dir::Etc::sourcelist": sources, "Dir::Etc::sourceparts": "/dev/null", "Dir::State::lists": Path(scratch) / "lists",
            "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": "", "APT::Sandbox::User": "root",
        }  # fmt: skip
        alone = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        return _apt([*alone, "update"]).code == 0 and _apt([*alone, *install]).code == 0


def _apt(words: list[str]) -> process.Completed:
    environment = {"PATH": SEARCH_PATH, "DEBIAN_FRONTEND": "noninteractive", "LANG": "C.UTF-8"}
    return process.run(["apt-get", "--quiet", *words], timeout_s=INSTALL_TIMEOUT_S, env={**os.environ, **environment})
