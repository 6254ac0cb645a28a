"""Catching up: a lab gets what its chapter needs of earlier ones, by running their solutions in it, or from a snapshot of an earlier time."""

from __future__ import annotations

import filecmp
import hashlib
import itertools
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from pathlib import Path

from msgspec.structs import replace

from courselab.course import Catalog, Lab
from courselab.course.scripts import Part, read_scripts
from courselab.errors import LabError
from courselab.session import kept, snapshots
from courselab.session.context import Context, params_of, running_machine
from courselab.session.kept import Snapshot
from courselab.session.lock import lab_lock
from courselab.session.restore import restore
from courselab.session.setup import run_part
from courselab.session.start import fill_cluster
from courselab.session.store import LabState
from courselab.session.work import add_starter_files

CAUGHT_UP, BEFORE = "caught-up", "before-catch-up"
_ETA_S = 10.0


@dataclass(frozen=True)
class Done:
    """What was done: nothing if `how` is "there", else the snapshot that it was put back to, or the chapters whose solutions were run."""

    state: LabState
    how: str  # "there", "snapshot", "solutions"
    snapshot: str = ""
    kept_work: Path | None = None  # the learner's folder as it was before


def needed_chapters(catalog: Catalog, lab: Lab) -> list[Lab]:
    """The labs that `lab` builds on, directly or through others, in the order of their chapters."""
    found: dict[str, Lab] = {}
    waiting = list(lab.file.builds_on)
    while waiting:
        chapter = waiting.pop()
        if chapter not in found:
            found[chapter] = catalog.find(chapter)
            waiting += found[chapter].file.builds_on
    return [found[chapter] for chapter in sorted(found)]


def catch_up(context: Context, lab: Lab, needed: Sequence[Lab], *, fresh: bool) -> Done:
    """Bring a lab that is ready to where the solved chapters `needed` leave it. `fresh`: it was made just now, nobody worked in it.

    A lab that has it already is not touched. What a learner did in it before is kept as a snapshot; what they have in the work folder,
    which is older than a fresh lab may be, as a copy.
    """
    state = _state(context, lab)
    key = _key(needed, state)
    if state.caught_up == key:
        return Done(state, "there")
    old = next(iter(_results(context, lab, key)), None)
    if fresh and old:
        restore(context, lab, state, old)
        return Done(_state(context, lab), "snapshot", snapshot=old.name)
    work = _copy_of_work(context, lab)
    if not fresh:
        snapshots.take(context, lab, state, name=BEFORE, why="before catching up", automatic=True)
    with lab_lock(context.paths.state, lab.chapter, "start --catch-up"):
        for one in needed:
            with context.progress.stage("Catching up", f"chapter {one.chapter}", eta_s=_ETA_S):
                _solve(context, lab, one, state)
        state = replace(_state(context, lab), caught_up=key)
        context.store.save(state)
    return Done(state, "solutions", kept_work=work)


def keep_result(context: Context, lab: Lab) -> None:
    """Once it was found good: a snapshot of it, so that the next time costs nothing. Where snapshots are dear there is none: one that is put
    off until the lab stops has the learner's own work in it."""
    state = _state(context, lab)
    if context.provider.cheap_snapshots and not _results(context, lab, state.caught_up):
        snapshots.take_by_itself(context, lab, state, name=CAUGHT_UP, why=kept.CAUGHT_UP)


def forget_result(context: Context, lab: Lab) -> None:
    """Once it was found wrong: the lab does not count as caught up, and no snapshot of that is put back again."""
    with lab_lock(context.paths.state, lab.chapter, "start --catch-up"):
        state = _state(context, lab)
        for one in _results(context, lab, state.caught_up):
            snapshots.drop(context, one)
        context.store.save(replace(state, caught_up=""))


def _results(context: Context, lab: Lab, key: str) -> list[Snapshot]:
    """Snapshots taken right after catching up. One taken later has the learner's own work in it."""
    return [one for one in kept.all_of(context.store, lab.chapter) if one.caught_up == key and one.why == kept.CAUGHT_UP]


def _state(context: Context, lab: Lab) -> LabState:
    state = context.store.load(lab.chapter)
    if state is None:
        raise LabError(f"Lab {lab.chapter} is gone", why="It was deleted meanwhile.", fix=f"lab start {lab.chapter} --catch-up")
    return state


def _key(needed: Sequence[Lab], state: LabState) -> str:
    """Changes with whatever decides about the result: the chapters' own files, and this student's values."""
    digest = hashlib.sha256(f"{state.seed} {state.distribution} {state.version}".encode())
    for lab in needed:
        for path in sorted(path for part in ("solution", "manifests", "work") for path in (lab.folder / part).rglob("*") if path.is_file()):
            digest.update(f"{lab.chapter}\0{path.relative_to(lab.folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _solve(context: Context, lab: Lab, earlier: Lab, state: LabState) -> None:
    """Run an earlier chapter's solutions on the machines of `lab`, with this student's values of that chapter."""
    add_starter_files(context.paths, earlier, lab)
    if earlier.servers:
        fill_cluster(context, earlier, state, running_machine(context, state, earlier.servers[0]))
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in params_of(earlier, state).environment().items())
    for script in read_scripts(earlier, "solution"):
        for part in script.parts:
            _run(context, state, f"{earlier.chapter}.{script.task}", replaced(part, text=exports + part.text))


def _run(context: Context, state: LabState, task: str, part: Part) -> None:
    if failed := run_part(part, running_machine(context, state, part.on)):
        raise LabError(
            f"Catching up stopped at task {task}",
            why=f"Its solution ended with {failed}",
            fix=f"`lab start {state.chapter} --catch-up` tries again, `lab reset {state.chapter} --catch-up` in a new lab.",
        )


def _copy_of_work(context: Context, lab: Lab) -> Path | None:
    """A copy of the learner's folder, since solutions write files into it; None if nothing of theirs is in it. It is beside the folder,
    where `lab delete` leaves it."""
    work = context.paths.work / lab.chapter
    names = (f"{lab.chapter}-{BEFORE}{f'-{number}' if number > 1 else ''}" for number in itertools.count(1))
    target = next(path for name in names if not (path := work.with_name(name)).exists())
    making = work.with_name(f".{target.name}.new")
    try:
        if not _has_own_files(work, lab):
            return None
        shutil.rmtree(making, ignore_errors=True)
        shutil.copytree(work, making, symlinks=True)
        making.rename(target)  # whole, or not there
    except OSError as failed:  # what root wrote into it in a machine, say
        shutil.rmtree(making, ignore_errors=True)
        why = f"Solutions write into it, and copying it failed: {str(failed)[:300]}"
        raise LabError(
            f"Your folder {work} could not be copied", why=why, fix="Move what is named there elsewhere, or make it your own."
        ) from failed
    return target


def _has_own_files(work: Path, lab: Lab) -> bool:
    """Whether there is anything in it but starter files as they came."""
    for path in work.rglob("*"):
        starter = lab.starter_folder / path.relative_to(work)
        same = starter.is_dir() if path.is_dir() else starter.is_file() and path.is_file() and filecmp.cmp(path, starter, shallow=False)
        if not same:
            return True
    return False
