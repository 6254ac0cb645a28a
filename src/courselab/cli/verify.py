"""`lab verify`: does a chapter grade right? Tried in a lab of its own."""

from __future__ import annotations

import json

import click

from courselab.cli.app import App, debug_option, json_option, on_option, yes_option
from courselab.cli.console import seconds
from courselab.cli.failure import clean
from courselab.errors import UsageError
from courselab.verify.prove import Proof, prove


@click.command("verify", epilog="Example:  lab verify 02     lab verify 02 --task image --no-disturb")
@click.argument("chapter", metavar="NN")
@click.option("--task", metavar="TASK", help="Only the cases about this task.")
@click.option("--no-disturb", is_flag=True, help="Leave out experiments that change the lab for a moment; then no Evidence is kept.")
@click.option(
    "--labs",
    type=click.IntRange(1),
    metavar="N",
    help="How many labs share the cases. Usual: one for each processor, 4 at most, as memory and disk allow.",
)
@on_option
@json_option
@yes_option
@debug_option
def command(*, chapter: str, task: str | None, no_disturb: bool, labs: int | None, provider: str | None, as_json: bool, yes: bool) -> int:
    """Prove a chapter: untouched nothing passes, solved all passes, also after a restart; every undo, right answer and mistake is tried.

    It makes labs of its own and removes them; yours of the same chapter is not touched. What was seen is kept in tests/evidence/NN.
    """
    app = App.here(yes=yes)
    lab = app.catalog.find(chapter)
    name = ""
    if task:
        found = lab.task(task)
        if not found:
            names = ", ".join(one.name for one in lab.tasks)
            raise UsageError(f"Lab {lab.chapter} has no task {task[:40]!r}", why=f"Its tasks are: {names}.", fix="Use one of these names.")
        name = found.name
    if task and labs and labs > 1:
        raise UsageError("One task needs one lab", why="What is about a task is tried in one lab, in its order.", fix="Leave --labs out.")

    proof = Proof(lab)
    try:
        prove(
            proof,
            app.paths,
            app.progress,
            lambda own, recorded: app.provider_at(own, recorded or provider),
            task=name,
            disturb=not no_disturb,
            labs=labs or 0,
        )
    finally:
        print(json.dumps(proof.to_json(), ensure_ascii=False) if as_json else _table(proof))
    return proof.exit_code


def _table(proof: Proof) -> str:
    """A line for each case, then what was not as expected in full."""
    rows = [("case", "expected", "got", "seconds")]
    rows += [(one.case, one.expected, one.got, f"{one.seconds:.1f}") for one in proof.results]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    marks = [" ", *("✓" if one.ok else "✗" for one in proof.results)]
    lines = [
        f"{mark} {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:>7}"
        for mark, row in zip(marks, rows, strict=True)
    ]
    for one in proof.results:
        if not one.ok or one.note:
            lines += ["", f"{one.case}: {one.note}".rstrip(": "), *(f"  {line}" for line in one.details)]
    where = f"{proof.k3s.distribution} {proof.k3s.version}".strip() + f" on {proof.provider}, " if proof.provider else ""
    held = len(proof.results) - len(proof.wrong)
    lines += ["", f"{held} of {len(proof.results)} cases as expected, {where}in {seconds(proof.seconds)}."]
    return "\n".join(clean(line) for line in lines)
