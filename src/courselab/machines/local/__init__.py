"""The provider `local`: systemd-nspawn machines on this Linux host. Not a security boundary: a learner is trusted not to break out."""

from __future__ import annotations

import os

from courselab.machines.base import Provider
from courselab.paths import Paths
from courselab.progress import Ask, Progress


def local_provider(paths: Paths, progress: Progress, ask: Ask) -> Provider:
    """The provider for whoever runs this: root does everything directly, anybody else through sudo.

    `ask` is asked before packages are installed.
    """
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        from courselab.machines.local.remote import Client, RemoteProvider

        return RemoteProvider(paths, Client(paths, progress, ask))
    from courselab.machines.local.provider import LocalProvider

    return LocalProvider(paths, progress, ask)
