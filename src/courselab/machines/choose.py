"""Which provider: the one asked for, else the first that is usable here."""

from __future__ import annotations

from collections.abc import Callable

from courselab.errors import LabError, UsageError
from courselab.machines.base import Provider
from courselab.paths import Paths
from courselab.progress import Ask, Progress


def providers(paths: Paths, progress: Progress, *, ask: Ask) -> dict[str, Callable[[], Provider]]:
    """How to make each provider, in the order in which they are preferred."""

    def multipass() -> Provider:
        from courselab.machines.multipass.provider import multipass_provider

        return multipass_provider(paths, progress)

    def local() -> Provider:
        from courselab.machines.local import local_provider

        return local_provider(paths, progress, ask)

    return {"multipass": multipass, "local": local}


def choose_provider(paths: Paths, progress: Progress, wish: str, *, ask: Ask) -> Provider:
    """The provider called `wish`, else the one that config.toml names (`provider = "local"`), else the first usable one.

    Raises UsageError or LabError that say what would help.
    """
    known = providers(paths, progress, ask=ask)
    wish = wish or configured(paths)
    if wish:
        if wish not in known:
            raise UsageError(
                f"There is no provider {wish[:40]!r}", why=f"Known are: {', '.join(known)}.", fix="`lab doctor` says what each needs."
            )
        chosen = known[wish]()
        usable = chosen.available()
        if not usable.usable:
            raise LabError(f"Machines of the kind {wish!r} cannot be had here", why=usable.why, fix=usable.fix)
        return chosen
    reasons: list[str] = []
    for name, make in known.items():
        candidate = make()
        usable = candidate.available()
        if usable.usable:
            return candidate
        reasons.append(f"{name}: {usable.why}")
    raise LabError(
        "No machines can be had on this computer",
        why="; ".join(reasons),
        fix="`lab doctor` shows what is missing and the command that mends it.",
    )


def configured(paths: Paths) -> str:
    """The provider that the user's config.toml names; "" when it names none. Raises UsageError if the file is damaged."""
    return str(paths.settings().get("provider", ""))
