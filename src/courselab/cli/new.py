"""`lab new`: a chapter's skeleton for authors."""

from __future__ import annotations

import click

from courselab.cli.app import App, debug_option
from courselab.course.new import make_chapter


@click.command("new", epilog='Example:  lab new 17 greetings --title "Greetings"')
@click.argument("number", metavar="NN")
@click.argument("slug")
@click.option("--title", default="", help="What the chapter is called; else it is made from SLUG.")
@debug_option
def command(number: str, slug: str, title: str) -> None:
    """Make a new chapter: a small lab that works, with checker, solution, mistake, tests and text, to be made your own."""
    app = App.here()
    made = make_chapter(app.paths.course, number, slug, title)
    for path in made:
        print(path.relative_to(app.paths.course))
    nn = number.zfill(2)
    print(f"\nNext: `lab lint {nn}`, then `lab verify {nn}` tries it on a cluster. docs/authors/hour.md goes on from here.")
