"""Two labs, random operations, and a model of what must hold: nothing lost, nothing left, every error ours.

Two minutes of it, or all with LAB_FULL=1; LAB_SEED=… repeats a run, operation by operation (what is killed when depends on the clock, too).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from courselab.machines.local.names import HostNames
from courselab.paths import find_paths
from tests.integration.command import COURSE, LabCommand, host_marks
from tests.integration.conftest import FULL, SEED
from tests.integration.test_leftovers import of_this_home
from tests.integration.traces import traces

OPERATIONS = 200
SHORT_S = 120.0
LABS = ("02", "03")
ROOMY = "12g"
OURS = {0, 1, 2, 3, 4}
READ = "k3s kubectl get configmap mark -o jsonpath={.data.mark} 2>/dev/null; echo; cat /root/mark 2>/dev/null; true"
WRITE = "k3s kubectl create configmap mark --from-literal=mark=$0 --dry-run=client -o yaml | k3s kubectl apply -f - >/dev/null; echo $0 > /root/mark"
Done = subprocess.CompletedProcess[str]


@dataclass
class Model:
    """What must be true of one lab. `marks`: what may be written in it; more than one only while nobody has looked."""

    there: bool = False
    running: bool = False
    dead: bool = False  # its machine was killed
    marks: set[str] = field(default_factory=lambda: {""})
    kept: dict[str, set[str]] = field(default_factory=dict)  # snapshot → what may be written in it
    automatic: set[str] = field(default_factory=set)

    @property
    def ready(self) -> bool:
        return self.there and self.running and not self.dead

    def fresh(self, marks: set[str]) -> None:
        self.there, self.running, self.dead, self.marks = True, True, False, marks

    def gone(self) -> None:
        self.there, self.running, self.dead, self.marks = False, False, False, {""}
        self.kept.clear()
        self.automatic.clear()


@dataclass
class World:
    """The command, its disk, and the models of both labs."""

    command: LabCommand
    disk: Path
    draw: random.Random
    models: dict[str, Model]
    attempts: int = 0
    marks: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def story(self) -> str:
        return "\n".join([f"LAB_SEED={SEED}, after:", *self.told])

    @property
    def journals(self) -> str:
        """What K3s said last on each machine: this disk is gone when the test ends."""
        folders = self.machines.glob("*/disk/upper/var/log/journal")
        asked = {folder: ["journalctl", "--directory", str(folder), "--unit", "k3s", "--lines", "80", "--no-pager"] for folder in folders}
        said = {
            folder: subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False).stdout for folder, argv in asked.items()
        }
        return "\n".join(f"{folder.relative_to(self.machines).parts[0]}:\n{text}" for folder, text in said.items())

    @property
    def state(self) -> Path:
        return find_paths({"LAB_HOME": str(self.command.home)}).state

    @property
    def machines(self) -> Path:
        return find_paths({"LAB_HOME": str(self.command.home)}).machines

    def lab(self, *words: str, codes: set[int]) -> Done:
        """Run `lab`; whatever happens, what it says is ours."""
        done = self.command.run(*words)
        self.judge(" ".join(words), done, codes)
        return done

    def judge(self, what: str, done: Done, codes: set[int]) -> None:
        said = f"{what} ended with {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.story}"
        assert done.returncode in codes & OURS, f"{said}\n{self.journals}"
        assert "Traceback" not in done.stdout + done.stderr and "has a bug" not in done.stderr, said
        if done.returncode > 1 and "could not be judged" not in done.stdout:  # a check's report says itself what did not answer
            assert "lab: " in done.stderr, said


# What must hold at any time


def look(world: World, chapter: str) -> None:
    """Compare a lab with its model; what was one of several possibilities is known afterwards."""
    model = world.models[chapter]
    if model.there:
        listed = json.loads(world.lab("snapshots", chapter, "--json", codes={0}).stdout)["snapshots"]
        names = {one["name"]: one["automatic"] for one in listed}
        lost = set(model.kept) - set(names) - model.automatic
        assert not lost, f"snapshots {lost} of lab {chapter} are gone. {world.story}"
        for name, automatic in names.items():
            if name not in model.kept:
                assert automatic, f"nobody asked for snapshot {name} of lab {chapter}"
                model.kept[name] = set(model.marks) | {""}
                model.automatic.add(name)
        for name in set(model.kept) - set(names):  # over the budget
            del model.kept[name]
            model.automatic.discard(name)
    if model.ready:
        marks = read(world, chapter)
        assert marks in model.marks, f"lab {chapter} has {marks!r}, not one of {model.marks}. {world.story}"
        model.marks = {marks}
    assert (world.command.home / "work" / "02" / "mine.txt").read_text() == "my notes"
    with closing(sqlite3.connect(world.state / "progress.db")) as database:
        attempts = database.execute("SELECT COUNT(*) FROM attempts").fetchone()[0] if database_there(database) else 0
    assert attempts >= world.attempts, "an attempt was lost"
    world.attempts = attempts


def database_there(database: sqlite3.Connection) -> bool:
    return bool(database.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'attempts'").fetchone()[0])


def read(world: World, chapter: str) -> str:
    done = world.lab("shell", "--root", "--lab", chapter, "server", "--", "sh", "-c", READ, codes={0})
    cluster, _, file = done.stdout.partition("\n")
    assert cluster.strip() == file.strip(), f"cluster and machine of lab {chapter} are of different times: {done.stdout!r}"
    return file.strip()


# Operations on one lab: (what is typed, what it may answer, what then is true)


def start(world: World, chapter: str) -> None:
    model = world.models[chapter]
    world.lab("start", chapter, codes={0})
    model.fresh(model.marks if model.there else {""})


def resume(world: World, chapter: str) -> None:
    model = world.models[chapter]
    world.lab("resume", chapter, codes={0} if model.there else {2})
    if model.there:
        model.fresh(model.marks)


def stop(world: World, chapter: str) -> None:
    model = world.models[chapter]
    world.lab("stop", chapter, codes={0} if model.there else {2})
    model.running = False


def check(world: World, chapter: str) -> None:
    model = world.models[chapter]
    codes = {0, 1} if model.ready else {3} if model.there else {2}
    world.lab("check", chapter, "--no-wait", codes=codes)
    world.attempts += model.ready


def write(world: World, chapter: str) -> None:
    model = world.models[chapter]
    if model.ready:
        world.marks += 1
        mark = f"mark-{world.marks}"
        world.lab("shell", "--root", "--lab", chapter, "server", "--", "sh", "-c", WRITE, mark, codes={0})
        model.marks = {mark}


def snapshot(world: World, chapter: str) -> None:
    model = world.models[chapter]
    asked = [name for name in model.kept if name not in model.automatic]
    if len(asked) > 2:
        world.lab("snapshots", chapter, "--delete", asked[0], "--yes", codes={0})
        del model.kept[asked[0]]
    name = f"s{len(world.told)}"
    world.lab("snapshot", name, "--lab", chapter, codes={0} if model.there else {2})
    if model.there:
        model.kept[name] = set(model.marks)


def restore(world: World, chapter: str) -> None:
    model = world.models[chapter]
    if not model.kept:
        world.lab("restore", "none-such", "--lab", chapter, "--yes", codes={2})
        return
    name = world.draw.choice(sorted(model.kept))
    world.lab("restore", name, "--lab", chapter, "--yes", codes={0})
    before, marks = set(model.marks), set(model.kept[name])
    model.marks = before  # what it was just before is kept by itself
    remember_automatic(world, chapter)
    model.fresh(marks)


def reset(world: World, chapter: str) -> None:
    model = world.models[chapter]
    world.lab("reset", chapter, "--yes", codes={0} if model.there else {2})
    if model.there:
        remember_automatic(world, chapter)
        model.fresh({""})


def delete(world: World, chapter: str) -> None:
    world.lab("delete", chapter, "--yes", codes={0})
    world.models[chapter].gone()
    assert not list(world.machines.glob(f"k3s-{chapter}-*")), f"machines of lab {chapter} are left"
    if not any(model.there for model in world.models.values()):
        assert traces(world.machines) == {}, "something is left on the host"


def remember_automatic(world: World, chapter: str) -> None:
    model = world.models[chapter]
    for one in json.loads(world.lab("snapshots", chapter, "--json", codes={0}).stdout)["snapshots"]:
        if one["name"] not in model.kept:
            model.kept[one["name"]] = set(model.marks)
            model.automatic.add(one["name"])


# Bad luck


def words_of(verb: str, chapter: str, name: str = "") -> list[str]:
    if verb in ("snapshot", "restore"):
        return [verb, name, "--lab", chapter, *(["--yes"] if verb == "restore" else [])]
    return [verb, chapter, *(["--yes"] if verb in ("reset", "delete") else []), *(["--no-wait"] if verb == "check" else [])]


def possible_after(model: Model, verb: str, name: str) -> set[str]:
    """What may be written in a lab after `verb` was begun, and perhaps finished."""
    marks = set(model.marks)
    if verb in ("reset", "delete"):
        return marks | {""}
    return marks | model.kept.get(name, set()) if verb == "restore" else marks


def begin_something(world: World, chapter: str) -> tuple[str, str, set[str]]:
    """A verb that makes sense now, the snapshot it is about, and what may be true afterwards."""
    model = world.models[chapter]
    verbs = ["start", "delete"] if not model.there else ["start", "stop", "check", "snapshot", "reset", "delete"]
    verb = world.draw.choice([*verbs, *(["restore"] if model.kept else [])])
    name = world.draw.choice(sorted(model.kept)) if verb == "restore" else f"s{len(world.told)}"
    return verb, name, possible_after(model, verb, name)


def settle(world: World, chapter: str, verb: str, name: str, marks: set[str]) -> None:
    """After something was cut off: start finishes it, or delete removes it."""
    model = world.models[chapter]
    if world.draw.random() < 0.25:
        delete(world, chapter)
        return
    world.lab("start", chapter, codes={0})
    listed = {one["name"] for one in json.loads(world.lab("snapshots", chapter, "--json", codes={0}).stdout)["snapshots"]}
    if verb == "snapshot" and name in listed:
        model.kept[name] = set(model.marks)
    if verb == "delete":  # it may have come so far that the snapshots are gone
        model.kept = {one: kept for one, kept in model.kept.items() if one in listed}
    for one in listed - set(model.kept):
        model.kept[one] = set(model.marks)
        model.automatic.add(one)
    model.fresh(marks)


def kill_lab(world: World, chapter: str) -> None:
    """SIGKILL to `lab` somewhere in the middle."""
    verb, name, marks = begin_something(world, chapter)
    after_s = world.draw.uniform(0, {"start": 7.0, "reset": 7.0, "restore": 6.0, "snapshot": 2.0}.get(verb, 1.2))
    world.told[-1] += f" ({verb} {name}, after {after_s:.2f} s)"
    running = subprocess.Popen(
        [str(COURSE / "lab"), *words_of(verb, chapter, name)], env=world.command.environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        running.wait(after_s)
    except subprocess.TimeoutExpired:
        os.kill(running.pid, signal.SIGKILL)
        running.wait(10)
    settle(world, chapter, verb, name, marks)


def kill_machine(world: World, chapter: str) -> None:
    """SIGKILL to everything that runs of a machine."""
    model = world.models[chapter]
    if not model.ready:
        return
    machine = HostNames.of(world.machines).machine(f"k3s-{chapter}-server")
    for path in traces(world.machines).get("grouped processes", []):
        with suppress(FileNotFoundError, ProcessLookupError):
            if machine in Path(path).read_text(errors="replace"):
                os.kill(int(path.split("/")[2]), signal.SIGKILL)
    model.dead = True


def fill_disk(world: World, chapter: str) -> None:
    """The disk is nearly or quite full while something is done, then there is room again."""
    verb, name, marks = begin_something(world, chapter)
    spare_mib = world.draw.choice([0, 1, 8, 64, 400])
    world.told[-1] += f" ({verb} {name}, {spare_mib} MiB free)"
    used = shutil.disk_usage(world.disk).used >> 20
    resize(world.disk, f"{used + 1 + spare_mib}m")
    done = world.command.run(*words_of(verb, chapter, name))
    resize(world.disk, ROOMY)
    world.judge(f"{verb} {chapter} on a full disk", done, OURS)
    settle(world, chapter, verb, name, marks)


def two_at_once(world: World, chapter: str) -> None:
    """Two commands for one lab at the same time: one after the other, or one is told that the lab is busy."""
    model = world.models[chapter]
    if not model.there:
        verbs = ["start", "start"]
    else:
        verbs = [world.draw.choice(["start", "stop", "check", "snapshot", "reset", "status"]) for _ in range(2)]
    world.told[-1] += f" ({verbs})"
    marks = set(model.marks) | ({""} if "reset" in verbs or not model.there else set())
    names = [f"s{len(world.told)}{letter}" for letter in "ab"]
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda pair: world.command.run(*words_of(pair[0], chapter, pair[1])), zip(verbs, names, strict=True)))
    for verb, done in zip(verbs, both, strict=True):
        world.judge(f"{verb} {chapter} beside another", done, OURS)
    world.lab("start", chapter, codes={0})
    listed = json.loads(world.lab("snapshots", chapter, "--json", codes={0}).stdout)["snapshots"]
    for one in listed:
        if one["name"] not in model.kept:
            model.kept[one["name"]] = set(model.marks) | {""}
            model.automatic |= {one["name"]} if one["automatic"] else set()
    model.fresh(marks)


def both_labs_at_once(world: World, chapter: str) -> None:
    """Two commands for different labs do not hinder each other."""
    del chapter
    draws = {one: world.draw.choice([start, stop, check, snapshot]) for one in LABS}
    world.told[-1] += f" ({ {one: call.__name__ for one, call in draws.items()} })"
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda pair: pair[1](world, pair[0]), draws.items()):
            pass


Operation = Callable[[World, str], None]
WEIGHTS: dict[Operation, int] = {
    start: 5, write: 6, check: 4, snapshot: 4, restore: 4, reset: 3, stop: 3, resume: 3, delete: 2, kill_lab: 6, kill_machine: 3,
    fill_disk: 3, two_at_once: 3, both_labs_at_once: 2,
}  # fmt: skip


def resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], timeout=20, check=True)


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "soak", str(disk)], timeout=20, check=True)
    command = LabCommand(disk / "a home")
    made = World(command, disk, random.Random(SEED), {chapter: Model() for chapter in LABS})
    (command.home / "config").mkdir(parents=True)
    (command.home / "config" / "config.toml").write_text("[snapshots]\nbudget_gib = 3\n")
    (command.home / "work" / "02").mkdir(parents=True)
    (command.home / "work" / "02" / "mine.txt").write_text("my notes")
    made.state.mkdir(parents=True)
    before = host_marks()
    yield made
    print(made.story)
    resize(disk, ROOMY)
    command.run("delete", "--all", "--yes")
    left = traces(made.machines)
    subprocess.run(["umount", "--lazy", str(disk)], timeout=20, check=True)
    assert left == {}
    assert host_marks() == before


def test_nothing_is_lost_and_nothing_is_left(world: World) -> None:
    began = time.monotonic()
    operations, weights = list(WEIGHTS), list(WEIGHTS.values())
    for number in range(OPERATIONS):
        if not FULL and time.monotonic() - began > SHORT_S:
            break
        operation, chapter = world.draw.choices(operations, weights)[0], world.draw.choice(LABS)
        world.told.append(f"{number} {operation.__name__} {chapter}")
        operation(world, chapter)
        for one in LABS:
            look(world, one)
    print(f"{len(world.told)} operations in {time.monotonic() - began:.0f} s")
    for chapter in LABS:
        delete(world, chapter)
    assert [path.name for path in world.machines.glob("[!.]*/")] == []
    found = json.loads(world.lab("doctor", "--json", codes={0, 4}).stdout)["leftovers"]
    assert of_this_home(world.command, found) == []
