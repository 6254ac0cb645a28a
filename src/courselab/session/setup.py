"""Running a lab's scripts on its machines, as a learner would; what prepares the lab is part of `lab start`."""

from __future__ import annotations

from collections.abc import Mapping

from courselab.course import Lab, Params
from courselab.course.scripts import Part, Script, read_scripts, read_setup
from courselab.errors import LabError
from courselab.machines import Machine
from courselab.progress import Progress

_SCRIPT_S = 300.0


class ScriptFailed(Exception):
    """A script of the chapter did not end with 0."""


def run_part(part: Part, machine: Machine) -> str:
    """Run one part of a script in a login shell of its user. Returns "" if it ended with 0, else its exit code and last words.

    Raises CommandTimeout after 300 s.
    """
    done = machine.run(["/bin/sh", "-elc", part.text], timeout_s=_SCRIPT_S, user=part.user)
    last = " / ".join((done.error_text or done.text.strip()).splitlines()[-3:])
    return f"{done.code}: {last[:500]}" if done.code else ""


def run_script(script: Script, machines: Mapping[str, Machine]) -> None:
    """Run a script, part by part. Raises ScriptFailed with its last words, CommandTimeout when one takes more than 300 s."""
    for part in script.parts:
        if failed := run_part(part, machines[part.on]):
            raise ScriptFailed(f"{script.path.parent.name}/{script.path.name} on {part.on} ended with {failed}")


def set_up(lab: Lab, params: Params, machines: Mapping[str, Machine], progress: Progress) -> None:
    """Run the lab's setup.sh, if it has one; where tasks are drawn, then take back each that was, the last first. Raises LabError."""
    setup = read_setup(lab)
    scripts = [*([setup] if setup else []), *(reversed(_of_drawn(lab, params)) if lab.drawn else ())]
    if not scripts:
        return
    with progress.stage("Preparing the lab", eta_s=5):
        try:
            for script in scripts:
                run_script(script, machines)
        except ScriptFailed as failed:
            raise LabError(f"Lab {lab.chapter} could not be prepared", why=str(failed), fix=f"lab reset {lab.chapter}") from failed


def _of_drawn(lab: Lab, params: Params) -> list[Script]:
    """The undo scripts of this student's tasks, in the order of lab.yaml."""
    mine = lab.mine(params)
    return [script for script in read_scripts(lab, "undo") if mine.task(script.task)]
