"""`lab site`: build the course's pages and what in them is made from the source."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from courselab.cli.app import App, debug_option
from courselab.files import write_atomic


@click.group("site", epilog="Example:  lab site build     lab site reference")
def command() -> None:
    """Build the course site, and the pages and pictures in it that are made by a command."""


@command.command("build", epilog="Example:  lab site build --out public")
@click.option("--out", metavar="FOLDER", type=click.Path(file_okay=False), default="site", show_default=True, help="Where it goes.")
@debug_option
def build(out: str) -> None:
    """Build the site as plain files, for any web server. Warnings are errors."""
    from courselab.site.build import build_site

    app = App.here()
    began = time.monotonic()
    build_site(app.paths.course, Path(out).absolute())
    print(f"The site is in {out}, built in {time.monotonic() - began:.1f} s.", file=sys.stderr)


@command.command("reference", epilog="Example:  lab site reference --check")
@click.option("--check", is_flag=True, help="Only say what is out of date.")
@debug_option
def reference(check: bool) -> int:
    """Write the reference pages anew: commands, lab.yaml, checkers."""
    app = App.here()
    stale = 0
    for name, text in reference_pages().items():
        path = app.paths.course / "docs" / "reference" / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        print(f"docs/reference/{name}{' is out of date' if check else ''}")
        if not check:
            write_atomic(path, text.encode(), mode=0o644)
    return 1 if check and stale else 0


def reference_pages() -> dict[str, str]:
    """File name → what it must hold."""
    from courselab.cli.reference import commands_page
    from courselab.site.reference import checkers_page, evidence_json_schema, lab_yaml_page, lab_yaml_schema

    return {
        "commands.md": commands_page(),
        "lab-yaml.md": lab_yaml_page(),
        "lab.schema.json": lab_yaml_schema(),
        "evidence.schema.json": evidence_json_schema(),
        "checkers.md": checkers_page(),
    }
