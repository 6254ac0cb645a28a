"""`lab lint`: are all labs well-formed?"""

from __future__ import annotations

import click

from courselab.cli.app import App, debug_option
from courselab.course.lint import lint_lab
from courselab.errors import UsageError


@click.command("lint", epilog="Example:  lab lint")
@click.argument("chapter", required=False)
@debug_option
def command(chapter: str | None) -> int:
    """Check lab.yaml, checkers, solutions, undos and mistakes of one chapter or all."""
    app = App.here()
    findings: list[str] = []
    chapters = [app.catalog.find(chapter).chapter] if chapter else app.catalog.chapters()
    for number in chapters:
        try:
            findings += lint_lab(app.catalog.find(number), app.paths.course)
        except UsageError as wrong:
            findings.append(f"{wrong.what}: {wrong.why} {wrong.fix}")
    for finding in findings:
        print(finding)
    print(f"{len(chapters)} labs, {len(findings)} findings.")
    return 1 if findings else 0
