"""`lab doctor`: what this computer can run, what is missing, and the command that mends it."""

from __future__ import annotations

import json

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option
from courselab.machines.capacity import gib, measure
from courselab.machines.choose import providers
from courselab.session.room import need_of

_NEEDED_GIB = 12
_VIRTUALISATION = {True: "can be used", False: "is not there or off", None: "cannot be told"}


@click.command("doctor", epilog="Example:  lab doctor        lab doctor 03     (what chapter 03 needs)")
@chapter_argument
@json_option
@debug_option
def command(chapter: str | None, as_json: bool) -> int:
    """See which machines can be had on this computer, what to do about the others, and whether a chapter's lab fits."""
    app = App.here()
    rows: list[dict[str, object]] = []
    for name, make in providers(app.paths, app.progress, ask=app.agree).items():
        seen = make().available()
        rows.append({"provider": name, "usable": seen.usable, "why": seen.why, "fix": seen.fix})
    usable = [str(row["provider"]) for row in rows if row["usable"]]
    has = measure(app.paths.cache)
    lab = app.catalog.find(chapter) if chapter else None
    chosen = usable[0] if usable else None
    missing = need_of(lab, chosen).missing_from(has) if lab and chosen else []
    well = bool(usable) and not missing
    if as_json:
        host = {"cpus": has.cpus, "memory_mib": has.memory_mib, "virtualisation": has.virtualisation}
        answer = {"providers": rows, "chosen": chosen, "free_disk_gib": round(has.free_disk_gib, 1), "host": host, "missing": missing}
        print(json.dumps({"schema": 1, **answer}))
        return 0 if well else 4
    for row in rows:
        _line(bool(row["usable"]), f"{row['provider']}{'  (used by default)' if chosen == row['provider'] else ''}")
        for label, text in (("why", row["why"]), ("fix", row["fix"])):
            if text:
                print(f"    {label}: {text}")
    print(f"  {has.cpus} CPUs, {gib(has.memory_mib)} of memory, virtualisation {_VIRTUALISATION[has.virtualisation]}")
    enough = has.free_disk_gib >= _NEEDED_GIB
    needed = "" if enough else f"; {_NEEDED_GIB} GiB are needed"
    _line(enough, f"{has.free_disk_gib:.0f} GiB free for images and machines{needed}")
    if lab and chosen:
        need = need_of(lab, chosen)
        _line(not missing, f"lab {lab.chapter} needs {gib(need.memory_mib)} of memory and {need.disk_gib:.0f} GiB of disk on {chosen}")
        for text in missing:
            print(f"    why: {text}")
    return 0 if well else 4


def _line(well: bool, text: str) -> None:
    print(f"{'✓' if well else '✗'} {text}")
