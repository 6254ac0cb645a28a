"""`lab bundle`: the course for a classroom without internet, in one file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from courselab.bundle.manifest import Manifest
from courselab.cli.app import App, debug_option, json_option, on_option, yes_option
from courselab.session.ages import size


@click.group("bundle", epilog="Example:  lab bundle create /media/usb/course.lab     then, in the classroom:  sh /media/usb/install-lab")
def command() -> None:
    """Carry the course to where there is no internet: make, check and load a file with everything that chapters need."""


@command.command("create", epilog="Example:  lab bundle create /media/usb/course.lab --chapters 02,03")
@click.argument("out", type=click.Path(dir_okay=False))
@click.option("--chapters", metavar="NN,…", help="Only these; without it, all.")
@on_option
@json_option
@yes_option
@debug_option
def create(out: str, chapters: str | None, provider: str | None, as_json: bool, yes: bool) -> None:
    """Make a bundle for computers like this one, and `install-lab` beside it, which installs it there."""
    from courselab.bundle.write import INSTALLER
    from courselab.bundle.write import create as write

    app = App.here(yes=yes)
    labs = [app.catalog.find(name.strip()) for name in chapters.split(",")] if chapters is not None else app.catalog.all()
    target = Path(out).absolute()
    manifest, fingerprint = write(app.context(app.provider(provider or "local")), labs, target)
    _show(manifest, fingerprint, as_json=as_json)
    if not as_json:
        print(f"Take {target.name} and {INSTALLER} along. In the classroom:  sh {INSTALLER}", file=sys.stderr)


@command.command("verify", epilog="Example:  lab bundle verify /media/usb/course.lab")
@click.argument("file", type=click.Path(dir_okay=False))
@json_option
@debug_option
def verify(file: str, as_json: bool) -> None:
    """Read a whole bundle and say whether every file in it is as it was made."""
    from courselab.bundle.load import verify as read

    app = App.here()
    _show(*read(Path(file), app.progress), as_json=as_json)


@command.command("load", epilog="Example:  lab bundle load /media/usb/course.lab")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--expect", metavar="FINGERPRINT", default="", help="Refuse a bundle that has another one.")
@json_option
@yes_option
@debug_option
def load(file: str, expect: str, as_json: bool, yes: bool) -> None:
    """Take everything in a bundle for use here; nothing before all of it was found good. Only from somebody you trust: machines run it."""
    from courselab.bundle.load import load as take

    app = App.here(yes=yes)
    _show(*take(app.context(app.provider("local")), Path(file), expect=expect), as_json=as_json)
    if not as_json:
        print("Everything is in place. `lab list` shows the chapters.", file=sys.stderr)


def _show(manifest: Manifest, fingerprint: str, *, as_json: bool) -> None:
    if as_json:
        about = {
            "fingerprint": fingerprint, "chapters": manifest.chapters, "k3s": manifest.k3s, "architecture": manifest.architecture,
            "system": manifest.system, "python": manifest.python, "files": len(manifest.files), "bytes": manifest.size,
        }  # fmt: skip
        print(json.dumps({"schema": 1, **about}))
        return
    print(
        f"Chapters {', '.join(manifest.chapters)} with {manifest.k3s}, for {manifest.architecture}, {manifest.system}, Python {manifest.python}"
    )
    print(f"{len(manifest.files)} files, {size(manifest.size)}, all as they were made on {manifest.made_at}")
    print(f"Fingerprint {fingerprint[:32]}")
