"""What differs between the computers that Multipass runs on, as a value: Linux (often as a snap), macOS, Windows."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath
from typing import Literal

Name = Literal["linux", "macos", "windows"]


@dataclass(frozen=True)
class System:
    """The host's operating system, and whether its Multipass is a confined snap."""

    name: Name
    snap: bool = False

    @classmethod
    def here(cls) -> System:
        """This computer."""
        if sys.platform == "win32":
            return cls("windows")
        if sys.platform == "darwin":
            return cls("macos")
        command = shutil.which("multipass")
        return cls("linux", snap=command is not None and _is_snap(Path(command)))

    @property
    def pipes(self) -> bool:
        """Whether `multipass` can be given standard input, and its standard output can carry any number of bytes.

        Not on Windows: it reads the console there (multipass #3749), and large output hangs (#2079).
        """
        return self.name != "windows"

    def path(self, path: PurePath) -> str:
        """A host path as `multipass transfer` takes it: C:\\… on Windows, where C:/… would mean a machine called C."""
        return str(PureWindowsPath(path)) if self.name == "windows" else str(path)

    @property
    def restart(self) -> str:
        """The command that restarts Multipass's service."""
        return {
            "linux": "sudo snap restart multipass",
            "macos": "sudo launchctl kickstart -k system/com.canonical.multipassd",
            "windows": "Restart-Service Multipass (in PowerShell, as administrator)",
        }[self.name]

    @property
    def install(self) -> str:
        """How Multipass is installed."""
        return {
            "linux": "sudo snap install multipass",
            "macos": "brew install --cask multipass",
            "windows": "winget install Canonical.Multipass",
        }[self.name]


def _is_snap(command: Path) -> bool:
    return "/snap/" in f"{command}" or "/snap/" in f"{command.resolve()}" or command.resolve().name == "snap"
