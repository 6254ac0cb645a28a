"""`lab doctor`: what this computer can run, what is missing, and the command that mends it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option
from courselab.course import Lab
from courselab.machines import Availability
from courselab.machines.capacity import Capacity, Need, gib, measure
from courselab.machines.choose import configured, providers
from courselab.session.context import Context
from courselab.session.leftovers import clean_up
from courselab.session.room import need_of
from courselab.verify.own_lab import leftovers as verifications
from courselab.verify.own_lab import remove_leftover

_NEEDED_GIB = 12
_VIRTUALISATION = {True: "can be used", False: "is not there or off", None: "cannot be told"}


@click.command("doctor", epilog="Example:  lab doctor     lab doctor 03     (what chapter 03 needs)     lab doctor --fix")
@chapter_argument
@click.option("--fix", is_flag=True, help="Remove what crashed runs have left, and nothing else.")
@json_option
@debug_option
def command(chapter: str | None, fix: bool, as_json: bool) -> int:
    """See which machines can be had on this computer, what to do about the others, whether a chapter's lab fits, and what crashed runs left."""
    app = App.here()
    seen = _look(app, app.catalog.find(chapter) if chapter else None, remove=fix)
    if as_json:
        print(json.dumps({"schema": 1, **seen.to_json()}))
    else:
        seen.show()
    return 0 if seen.well else 4


@dataclass(frozen=True)
class _Seen:
    """What there is to say of this computer."""

    providers: dict[str, Availability]
    wish: str  # the provider that the user asks for; "" for none
    has: Capacity
    lab: Lab | None  # the one that is to run here
    leftovers: list[str]
    removed: bool  # the leftovers were

    @property
    def chosen(self) -> str | None:
        """The provider that would be used."""
        return next((name for name, seen in self.providers.items() if seen.usable and self.wish in ("", name)), None)

    @property
    def need(self) -> Need | None:
        """What the lab takes of this computer, where that can be told."""
        return need_of(self.lab, self.chosen) if self.lab and self.chosen else None

    @property
    def missing(self) -> list[str]:
        """What the lab lacks here."""
        return self.need.missing_from(self.has) if self.need else []

    @property
    def well(self) -> bool:
        return bool(self.chosen) and not self.missing

    def to_json(self) -> dict[str, Any]:
        host = {"cpus": self.has.cpus, "memory_mib": self.has.memory_mib, "virtualisation": self.has.virtualisation}
        return {
            "providers": [
                {"provider": name, "usable": seen.usable, "why": seen.why, "fix": seen.fix} for name, seen in self.providers.items()
            ],
            "chosen": self.chosen,
            "free_disk_gib": round(self.has.free_disk_gib, 1),
            "host": host,
            "missing": self.missing,
            "leftovers": self.leftovers,
            "removed": self.removed,
        }

    def show(self) -> None:
        self._show_providers()
        self._show_room()
        self._show_leftovers()

    def _show_providers(self) -> None:
        for name, seen in self.providers.items():
            _line(seen.usable, f"{name}{'  (used by default)' if self.chosen == name else ''}")
            for label, text in (("why", seen.why), ("fix", seen.fix)):
                if text:
                    print(f"    {label}: {text}")
        if self.wish and not self.chosen:
            _line(False, f"{self.wish}, which config.toml or LAB_PROVIDER asks for, cannot be used")

    def _show_room(self) -> None:
        has = self.has
        print(f"  {has.cpus} CPUs, {gib(has.memory_mib)} of memory, virtualisation {_VIRTUALISATION[has.virtualisation]}")
        enough = has.free_disk_gib >= _NEEDED_GIB
        needed = "" if enough else f"; {_NEEDED_GIB} GiB are needed"
        _line(enough, f"{has.free_disk_gib:.0f} GiB free for images and machines{needed}")
        if self.lab and self.need:
            takes = f"{gib(self.need.memory_mib)} of memory and {self.need.disk_gib:.0f} GiB of disk on {self.chosen}"
            _line(not self.missing, f"lab {self.lab.chapter} needs {takes}")
            for text in self.missing:
                print(f"    why: {text}")

    def _show_leftovers(self) -> None:
        for text in self.leftovers:
            _line(self.removed, f"{'removed' if self.removed else 'left over'}: {text}")
        if self.leftovers and not self.removed:
            print("    fix: `lab doctor --fix` removes what is left over")
        elif self.removed and not self.leftovers:
            print("✓ nothing is left over")


def _look(app: App, lab: Lab | None, *, remove: bool) -> _Seen:
    """Ask every provider and measure this computer; remove what crashed runs left, if wanted."""
    found: dict[str, Availability] = {}
    contexts: list[Context] = []
    for name, make in providers(app.paths, app.progress, ask=app.agree).items():
        provider = make()
        found[name] = provider.available()
        contexts += [app.context(provider)] if found[name].usable else []
    left = _leftovers(app, contexts, remove=remove)
    wish = os.environ.get("LAB_PROVIDER") or configured(app.paths)
    return _Seen(found, wish, measure(app.paths.cache), lab, left, remove)


def _leftovers(app: App, contexts: list[Context], *, remove: bool) -> list[str]:
    """What crashed runs have left, of labs and of verifications."""
    left = clean_up(contexts, app.catalog.chapters(), remove=remove)
    for chapter in verifications(app.paths):
        left.append(f"lab {chapter} of a `lab verify` that was killed")
        if remove:
            remove_leftover(app.paths, chapter, app.progress, app.provider_at)
    return left


def _line(well: bool, text: str) -> None:
    print(f"{'✓' if well else '✗'} {text}")
