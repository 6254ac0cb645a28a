"""`lab lint`: are all labs well-formed?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from courselab.cli.app import App, debug_option, json_option
from courselab.course import Catalog
from courselab.course.finding import Finding
from courselab.course.lint import lint_files, not_utf8
from courselab.course.load import lint_lab_yaml
from courselab.errors import UsageError
from courselab.grade.lint import lint_checker


@click.command("lint", epilog="Example:  lab lint       lab lint 03")
@click.argument("chapter", required=False, metavar="[NN]")
@json_option
@debug_option
def command(chapter: str | None, as_json: bool) -> int:
    """Find what is missing or does not fit in one chapter or all: lab.yaml, checker, scripts, manifests, text; with file and line."""
    app = App.here()
    folders = _folders(app.catalog, chapter)
    findings = [finding for folder in folders for finding in _lint(folder, app.paths.course)]
    if as_json:
        rows = [{"file": str(one.path), "line": one.line, "what": one.what} for one in findings]
        print(json.dumps({"schema": 1, "findings": rows}, ensure_ascii=False))
    else:
        for finding in findings:
            print(finding.shown(app.paths.course))
        print(
            f"{len(folders)} {'lab' if len(folders) == 1 else 'labs'}, {len(findings)} {'finding' if len(findings) == 1 else 'findings'}."
        )
    return 1 if findings else 0


def _folders(catalog: Catalog, chapter: str | None) -> list[Path]:
    """The folders that are meant; a lab.yaml that cannot be read is no reason not to look at it."""
    numbers = catalog.chapters()
    if not chapter:
        return [catalog.folder(number) for number in numbers]
    number = chapter.zfill(2) if chapter.isdigit() else chapter.partition("-")[0]
    if number in numbers:
        return [catalog.folder(number)]
    try:
        return [catalog.find(chapter).folder]
    except UsageError as wrong:
        raise UsageError(wrong.what, why=wrong.why, fix="`lab list` shows them all.") from wrong


def _lint(folder: Path, course: Path) -> list[Finding]:
    lab, findings = lint_lab_yaml(folder)
    if lab is None or findings:
        return findings  # the rest would only repeat it
    return not_utf8(lab, course) or sorted([*lint_files(lab, course), *lint_checker(lab, course)])
