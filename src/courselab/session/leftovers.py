"""Leftovers of crashed runs: what no lab needs, found in one pass and, if wanted, removed. Nothing that is in use is touched."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

from courselab.errors import LabError
from courselab.k3s.leftovers import half_made, temporary_files
from courselab.machines import Provider
from courselab.paths import Paths
from courselab.session import kept
from courselab.session.context import Context
from courselab.session.lock import lab_lock
from courselab.session.store import LabState, Store


def clean_up(contexts: Sequence[Context], chapters: Iterable[str], *, remove: bool) -> list[str]:
    """Everything that is left over, in words, for each usable provider's context; removed with `remove`.

    A lab that another command works on is left out; so is one whose state cannot be read. Raises LabError when something could not be
    removed, after all else was.
    """
    if not contexts:
        return []
    paths, store = contexts[0].paths, contexts[0].store
    machines = {machine.spec.lab for context in contexts for machine in context.provider.list()}
    said: list[str] = []
    failed: list[LabError] = []
    with _held(paths, {*chapters, *store.chapters(), *machines}) as busy:
        states = _readable(store, busy)
        for context in contexts:
            for find in (_machines_of_no_lab, _snapshots_of_no_lab, _of_provider):
                try:
                    said += find(context.provider, store, states, busy, remove=remove)
                except LabError as error:
                    failed.append(error)
        for path in chain(half_made(paths.cache), _half_removed(paths, busy), _temporary(paths, busy)):
            said.append(f"{_kind(paths, path)} {path.name}")
            if remove:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if failed:
        raise failed[0]
    return said


@contextmanager
def _held(paths: Paths, chapters: Iterable[str]) -> Generator[set[str]]:
    """Hold the locks of all labs that nobody works on; gives the others. Where no lab was ever locked, nothing is made for it."""
    busy: set[str] = set()
    with ExitStack() as locks:
        for chapter in sorted(chapters):
            if paths.state.exists():
                try:
                    locks.enter_context(lab_lock(paths.state, chapter, "doctor"))
                except LabError:
                    busy.add(chapter)
        yield busy


def _readable(store: Store, busy: set[str]) -> dict[str, LabState]:
    """The states of all labs. A lab whose state is damaged counts as busy: its machines may be all that is left of somebody's work."""
    states: dict[str, LabState] = {}
    for chapter in store.chapters():
        try:
            if state := store.load(chapter):
                states[chapter] = state
        except LabError:
            busy.add(chapter)
    return states


def _machines_of_no_lab(provider: Provider, store: Store, states: dict[str, LabState], busy: set[str], *, remove: bool) -> list[str]:
    said: list[str] = []
    for machine in provider.list():
        chapter = machine.spec.lab
        state = states.get(chapter)
        mine = set(state.machines.values()) if state and state.provider == provider.name else set[str]()
        if chapter not in busy and machine.name not in mine | (kept.machines_in_snapshots(store, chapter) if mine else set[str]()):
            said.append(f"machine {machine.name}, which belongs to no lab")
            machine.delete() if remove else None
    return said


def _snapshots_of_no_lab(provider: Provider, store: Store, states: dict[str, LabState], busy: set[str], *, remove: bool) -> list[str]:
    said: list[str] = []
    for chapter, state in states.items():
        if chapter in busy or state.provider != provider.name:
            continue
        known = {(name, one.name) for one in kept.all_of(store, chapter) for name in one.machines.values()}
        going_on = {state.keeping, state.restoring}
        for machine in provider.list(chapter):
            for name in machine.snapshots():
                if (machine.name, name) not in known and name not in going_on:
                    said.append(f"unfinished snapshot {name} of machine {machine.name}")
                    machine.delete_snapshot(name) if remove else None
    return said


def _of_provider(provider: Provider, store: Store, states: dict[str, LabState], busy: set[str], *, remove: bool) -> list[str]:
    del store, states
    return provider.leftovers(busy, remove=remove)


def _half_removed(paths: Paths, busy: set[str]) -> Iterator[Path]:
    """Folders of labs without the file that makes them one: their removal was cut off."""
    for folder in sorted(paths.labs.glob("*/")):
        if folder.name not in busy and not (folder / "lab.json").exists():
            yield folder


def _temporary(paths: Paths, busy: set[str]) -> Iterator[Path]:
    folders = [paths.state, paths.cache, *(folder for folder in paths.labs.glob("*/") if folder.name not in busy)]
    for folder in (*folders, *(folder / "snapshots" for folder in folders)):
        yield from temporary_files(folder)


def _kind(paths: Paths, path: Path) -> str:
    if path.is_relative_to(paths.labs) and path.is_dir():
        return "what is left of lab"
    return "half-made build" if path.is_dir() else "half-written file"
