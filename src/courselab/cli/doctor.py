"""`lab doctor`: what this computer can run, what is missing, and the command that mends it."""

from __future__ import annotations

import json
import os

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option
from courselab.machines.capacity import gib, measure
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
    rows: list[dict[str, object]] = []
    contexts: list[Context] = []
    for name, make in providers(app.paths, app.progress, ask=app.agree).items():
        provider = make()
        seen = provider.available()
        rows.append({"provider": name, "usable": seen.usable, "why": seen.why, "fix": seen.fix})
        contexts += [app.context(provider)] if seen.usable else []
    left = _leftovers(app, contexts, remove=fix)
    usable = [str(row["provider"]) for row in rows if row["usable"]]
    has = measure(app.paths.cache)
    lab = app.catalog.find(chapter) if chapter else None
    wish = os.environ.get("LAB_PROVIDER") or configured(app.paths)
    chosen = next((name for name in usable if wish in ("", name)), None)
    missing = need_of(lab, chosen).missing_from(has) if lab and chosen else []
    well = bool(chosen) and not missing
    if as_json:
        host = {"cpus": has.cpus, "memory_mib": has.memory_mib, "virtualisation": has.virtualisation}
        answer = {"providers": rows, "chosen": chosen, "free_disk_gib": round(has.free_disk_gib, 1), "host": host, "missing": missing}
        answer |= {"leftovers": left, "removed": fix}
        print(json.dumps({"schema": 1, **answer}))
        return 0 if well else 4
    for row in rows:
        _line(bool(row["usable"]), f"{row['provider']}{'  (used by default)' if chosen == row['provider'] else ''}")
        for label, text in (("why", row["why"]), ("fix", row["fix"])):
            if text:
                print(f"    {label}: {text}")
    if wish and not chosen:
        _line(False, f"{wish}, which config.toml or LAB_PROVIDER asks for, cannot be used")
    print(f"  {has.cpus} CPUs, {gib(has.memory_mib)} of memory, virtualisation {_VIRTUALISATION[has.virtualisation]}")
    enough = has.free_disk_gib >= _NEEDED_GIB
    needed = "" if enough else f"; {_NEEDED_GIB} GiB are needed"
    _line(enough, f"{has.free_disk_gib:.0f} GiB free for images and machines{needed}")
    if lab and chosen:
        need = need_of(lab, chosen)
        _line(not missing, f"lab {lab.chapter} needs {gib(need.memory_mib)} of memory and {need.disk_gib:.0f} GiB of disk on {chosen}")
        for text in missing:
            print(f"    why: {text}")
    for text in left:
        _line(fix, f"{'removed' if fix else 'left over'}: {text}")
    if left and not fix:
        print("    fix: `lab doctor --fix` removes what is left over")
    elif fix and not left:
        print("✓ nothing is left over")
    return 0 if well else 4


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
