"""Refusing early, with numbers, when this computer cannot hold a lab."""

from __future__ import annotations

from courselab.course import Lab
from courselab.errors import LabError
from courselab.machines.capacity import Need, measure
from courselab.session.context import Context


def need_of(lab: Lab, provider: str) -> Need:
    """What the lab's machines take of this computer."""
    return Need.of(provider, [(need.cpus, need.memory_mib) for need in lab.file.machines.values()])


def refuse_if_too_small(context: Context, lab: Lab) -> None:
    """Raise LabError if the lab's machines do not fit. Machines that are there already are not counted again."""
    if context.provider.name not in ("local", "multipass") or context.provider.list(lab.chapter):
        return
    missing = need_of(lab, context.provider.name).missing_from(measure(context.paths.state))
    if missing:
        raise LabError(
            f"Lab {lab.chapter} does not fit on this computer",
            why=f"With machines from {context.provider.name}: {'; '.join(missing)}.",
            fix="Stop or delete other labs (`lab status`), free some disk, or use a larger computer.",
        )
