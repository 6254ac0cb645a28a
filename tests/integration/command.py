"""The real `./lab` in a home of its own, and what of the host must be as before. What a home leaves is seen by `traces`."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.integration.traces import host_settings

COURSE = Path(__file__).parents[2]
LONG_S = 3600


@dataclass(frozen=True)
class LabCommand:
    """Runs `./lab` with a LAB_HOME of its own; builds are shared with everybody on this computer."""

    home: Path

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(COURSE / "lab"), *words],
            env=self.environment() | environ,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=LONG_S,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        """The variables that `./lab` runs with."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("LAB_", "SUDO_")) or name == "LAB_CACHE"}
        env.setdefault("LAB_CACHE", str(Path.home() / ".cache" / "k3s-course-lab"))
        return env | {"LAB_HOME": str(self.home)}

    def ok(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run and expect success; a failure shows what the command said."""
        done = self.run(*words, **environ)
        assert done.returncode == 0, f"lab {' '.join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


def host_marks() -> dict[str, object]:
    """What no lab may change for anybody: the host's kernel settings, and the user's own kubeconfig."""
    kubeconfig = Path.home() / ".kube" / "config"
    return {"settings": host_settings(), "kubeconfig": kubeconfig.read_bytes() if kubeconfig.exists() else None}
