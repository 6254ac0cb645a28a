"""`lab list`: the chapters and how far this learner is."""

from __future__ import annotations

import json

import click

from courselab.cli.app import App, debug_option, json_option
from courselab.points import plain_number
from courselab.session.progress_record import ProgressRecord


@click.command("list", epilog="Example:  lab list --json")
@json_option
@debug_option
def command(as_json: bool) -> None:
    """Show the chapters, which labs are started, and your best result in each."""
    app = App.here()
    best = ProgressRecord(app.paths.state).best()
    rows: list[dict[str, object]] = []
    for lab in app.catalog.all():
        state = app.store.load(lab.chapter)
        earned = best[lab.chapter].earned if lab.chapter in best else 0
        rows.append(
            {
                "chapter": lab.chapter,
                "title": lab.title,
                "state": state.phase.value if state else "not started",
                "earned": plain_number(earned),
                "possible": lab.possible,
            }
        )
    if as_json:
        print(json.dumps({"schema": 1, "chapters": rows}, ensure_ascii=False))
        return
    width = max((len(str(row["title"])) for row in rows), default=0)
    for row in rows:
        print(f"{row['chapter']}  {row['title']!s:<{width}}  {row['state']!s:<11}  {row['earned']}/{row['possible']} points")
