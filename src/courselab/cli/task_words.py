"""The task that a word on the command line means: `deploy`, or `02.deploy`."""

from __future__ import annotations

from courselab.course import Lab, Task
from courselab.errors import UsageError


def chapter_in(task: str | None, chapter: str | None) -> str | None:
    """The chapter that is meant: the one that is named, else the one in front of the task's dot."""
    return task.partition(".")[0] if task and "." in task and not chapter else chapter


def find_task(lab: Lab, task: str, verb: str) -> Task:
    """The lab's task of this name. Raises UsageError with the names that there are."""
    found = lab.task(task)
    if not found:
        names = ", ".join(one.name for one in lab.tasks)
        raise UsageError(
            f"Lab {lab.chapter} has no task {task[:40]!r}", why=f"Its tasks are: {names}.", fix=f"lab {verb} {lab.tasks[0].name}"
        )
    return found
