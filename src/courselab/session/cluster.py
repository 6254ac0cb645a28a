"""Admin access to a lab's cluster, also where the learner installs K3s."""

from __future__ import annotations

from collections.abc import Mapping

from courselab.course import Lab
from courselab.errors import LabError, Unreachable
from courselab.k3s.kubeconfig import fetch_kubeconfig, save_kubeconfig
from courselab.machines import Machine
from courselab.session.store import Store


def admin_kubeconfig(store: Store, lab: Lab, machines: Mapping[str, Machine]) -> bytes | None:
    """The kubeconfig of the lab's cluster; None if there is no cluster (yet).

    Where the lab starts with a server it is the one kept then. Else the learner may install K3s, remove it and install it again: it is
    the one that the first machine that has one has now.
    """
    kept = store.kubeconfig(lab.chapter)
    if not lab.servers:
        try:
            if text := _first(machines):
                save_kubeconfig(kept, text)
            else:
                kept.unlink(missing_ok=True)
        except Unreachable:
            pass  # then the checks say so; what was known of its cluster stays
    return kept.read_bytes() if kept.exists() else None


def _first(machines: Mapping[str, Machine]) -> str:
    for machine in machines.values():
        try:
            return fetch_kubeconfig(machine)
        except Unreachable:
            raise
        except LabError:
            continue
    return ""
