"""`lab doctor`: what this computer can run, what is missing, and the command that mends it."""

from __future__ import annotations

import json
import shutil

import click

from courselab.cli.app import App, debug_option, json_option
from courselab.machines.choose import providers

_NEEDED_GIB = 12


@click.command("doctor", epilog="Example:  lab doctor")
@json_option
@debug_option
def command(as_json: bool) -> int:
    """See which machines can be had on this computer, and what to do about the others."""
    app = App.here()
    rows: list[dict[str, object]] = []
    for name, make in providers(app.paths, app.progress, ask=app.agree).items():
        seen = make().available()
        rows.append({"provider": name, "usable": seen.usable, "why": seen.why, "fix": seen.fix})
    usable = [str(row["provider"]) for row in rows if row["usable"]]
    free_gib = shutil.disk_usage(_existing(app)).free / 2**30
    if as_json:
        chosen = usable[0] if usable else None
        print(json.dumps({"schema": 1, "providers": rows, "chosen": chosen, "free_disk_gib": round(free_gib, 1)}))
        return 0 if usable else 4
    for row in rows:
        print(f"{'✓' if row['usable'] else '✗'} {row['provider']}{'  (used by default)' if usable[:1] == [row['provider']] else ''}")
        for label, text in (("why", row["why"]), ("fix", row["fix"])):
            if text:
                print(f"    {label}: {text}")
    enough = free_gib >= _NEEDED_GIB
    print(f"{'✓' if enough else '✗'} {free_gib:.0f} GiB free for images and machines{'' if enough else f'; {_NEEDED_GIB} GiB are needed'}")
    return 0 if usable else 4


def _existing(app: App) -> str:
    folder = app.paths.cache
    while not folder.exists():
        folder = folder.parent
    return str(folder)
