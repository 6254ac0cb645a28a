"""The K3s stand-in, on the host's side: building it from its Go modules and laying it ready for machines.

recipe      what it consists of and how each part is made
toolchain   the Go that builds it
parts       parts made once and kept, each verified
build       all parts, in one folder that machines see as /opt/k3s-standin
unused      removing those of earlier versions that no machine needs
"""

from __future__ import annotations

from collections.abc import Set

from courselab.k3s.release import Release
from courselab.k3s.standin.build import StandIn, standin
from courselab.machines import Mount
from courselab.paths import Paths
from courselab.progress import Progress

__all__ = ["IN_MACHINE", "StandIn", "stand_in_release", "standin"]

IN_MACHINE = "/opt/k3s-standin"


def stand_in_release(paths: Paths, progress: Progress, *, without: Set[str] = frozenset()) -> Release:
    """The stand-in as a release to install; what is missing is built, but not what only the components `without` need. Raises LabError."""
    found = standin(paths, progress, without=without)
    return Release("stand-in", found.version, found.folder / "bin" / "k3s", mounts=(Mount(found.folder, IN_MACHINE),))
