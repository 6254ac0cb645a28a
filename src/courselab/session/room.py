"""Room for a lab on this computer: refused early, with numbers, and named when it ran out on the way."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from courselab.course import Lab
from courselab.errors import LabError
from courselab.machines.capacity import Need, available_mib, gib, measure
from courselab.session.context import Context
from courselab.session.store import Phase

_FULL_MIB = 100  # K3s's database, its containers and their logs fail in many ways with less


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


def labs_that_fit(context: Context, lab: Lab, at_most: int) -> int:
    """How many labs like this one there is memory and disk for, up to `at_most`; one where that cannot be told."""
    need = need_of(lab, context.provider.name)
    if not need.memory_mib or not need.disk_gib:
        return 1
    disk = int(measure(context.paths.state).free_disk_gib / need.disk_gib)
    return max(1, min(at_most, available_mib() // need.memory_mib, disk))


def warn_before_swapping(context: Context, lab: Lab) -> None:
    """Say, with numbers, when there is less memory free than the lab is going to take: it starts, but everything gets slow."""
    need, free = need_of(lab, context.provider.name).memory_mib, available_mib()
    if not free or need <= free:
        return
    others = [f"lab stop {name}" for name in context.store.chapters() if name != lab.chapter and _runs(context, name)]
    way_out = f" `{others[0]}` frees some." if others else " Close other programs first, if you can."
    context.progress.say(
        f"Lab {lab.chapter} takes about {gib(need)} of memory, and {gib(free)} are free: this computer may swap and get slow.{way_out}"
    )


def _runs(context: Context, chapter: str) -> bool:
    try:
        state = context.store.load(chapter)
    except LabError:
        return False
    return state is not None and state.phase is Phase.READY


def refuse_when_full(context: Context) -> None:
    """Raise LabError if there is no disk left: nothing that is waited for gets ready then."""
    if _free_mib(context) < _FULL_MIB:
        raise LabError("The cluster did not get ready", why="Its images and pods need disk.")


@contextmanager
def naming_a_full_disk(context: Context) -> Generator[None]:
    """Whatever fails within while the disk is full is told as a full disk: K3s, its database and containerd each say it in other words."""
    try:
        yield
    except LabError as error:
        free = _free_mib(context)
        if free >= _FULL_MIB or "disk is full" in f"{error.what} {error.why}":
            raise
        raise LabError(
            "The disk is full",
            why=f"{free:.0f} MiB are free where labs are kept ({context.paths.state}). What it stopped: {error.what}.",
            fix="Free some disk, then run the command again. It goes on where it stopped.",
            detail=f"{error.why}\n{error.detail}",
        ) from error


def _free_mib(context: Context) -> float:
    return measure(context.paths.state).free_disk_gib * 1024
