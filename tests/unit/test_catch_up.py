"""Catching up with machines that exist only in memory: what is run, when nothing is, and that the learner's work is kept."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from courselab.course import Catalog, Lab
from courselab.course.lint import lint_files
from courselab.errors import LabError, UsageError
from courselab.k3s.release import Release
from courselab.machines import Completed
from courselab.paths import Paths
from courselab.progress import Silent
from courselab.session import kept
from courselab.session import start as starting
from courselab.session.catch_up import BEFORE, CAUGHT_UP, catch_up, forget_result, keep_result, needed_chapters
from courselab.session.context import Context
from courselab.session.end import delete, stop
from courselab.session.parts import Parts
from courselab.session.reset import reset
from courselab.session.start import start
from courselab.session.store import LabState, Store
from tests.unit.conftest import LAB_YAML
from tests.unit.fakes import FakeProvider

MACHINES = "machines: {one: {role: none}}\n"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """02 stands alone, 03 builds on it, 05 on 03."""
    for chapter, builds_on in (("02", ""), ("03", 'builds_on: ["02"]\n'), ("05", 'builds_on: ["03"]\n')):
        folder = tmp_path / "labs" / f"{chapter}-x"
        (folder / "solution").mkdir(parents=True)
        (folder / "work").mkdir()
        (folder / "work" / f"starter-{chapter}.yaml").write_text("starter")
        (folder / "solution" / "deploy.sh").write_text(f"# user: student\necho solve-{chapter} $LAB_SHOP\n")
        text = LAB_YAML.replace('"02"', f'"{chapter}"').replace("02.deploy", f"{chapter}.deploy")
        (folder / "lab.yaml").write_text(text + MACHINES + builds_on)
    return Catalog(tmp_path)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Context]:
    paths = Paths(tmp_path, tmp_path / "state", tmp_path / "cache", tmp_path / "config", tmp_path / "work")
    (tmp_path / "k3s").touch()
    monkeypatch.setattr(starting, "gather_parts", lambda context, lab: Parts(Release("stand-in", "1.36.3", tmp_path / "k3s"), ()))
    yield Context(paths, Store(paths), FakeProvider(), Silent())


def solved(context: Context) -> list[str]:
    """Which solutions ran, in order."""
    assert isinstance(context.provider, FakeProvider)
    texts = [" ".join(argv) for machine in context.provider.machines.values() for argv in machine.ran]
    return [text[text.index("solve-") :][:8] for text in texts if "solve-" in text]


def state_of(context: Context) -> LabState:
    state = context.store.load("05")
    assert state is not None
    return state


def caught_up(context: Context, lab: Lab, catalog: Catalog, *, fresh: bool = True) -> str:
    return catch_up(context, lab, needed_chapters(catalog, lab), fresh=fresh).how


def test_a_chapter_that_stands_alone_needs_nothing(catalog: Catalog) -> None:
    assert needed_chapters(catalog, catalog.find("02")) == []
    assert [lab.chapter for lab in needed_chapters(catalog, catalog.find("05"))] == ["02", "03"]


def test_earlier_solutions_run_in_order_with_their_own_values(context: Context, catalog: Catalog) -> None:
    lab = catalog.find("05")
    start(context, lab)
    assert caught_up(context, lab, catalog) == "solutions"
    assert solved(context) == ["solve-02", "solve-03"]
    assert isinstance(context.provider, FakeProvider)
    script = next(argv for argv in context.provider.machines["k3s-05-one"].ran if "solve-02" in argv[-1])
    assert "export LAB_SHOP=" in script[-1]
    assert sorted(path.name for path in (context.paths.work / "05").iterdir()) == ["starter-02.yaml", "starter-03.yaml", "starter-05.yaml"]


def test_it_is_done_once_and_a_new_lab_takes_the_snapshot(context: Context, catalog: Catalog) -> None:
    lab = catalog.find("05")
    start(context, lab)
    caught_up(context, lab, catalog)
    keep_result(context, lab)
    keep_result(context, lab)
    assert [one.name for one in kept.all_of(context.store, "05")] == [CAUGHT_UP]
    assert caught_up(context, lab, catalog, fresh=False) == "there"
    reset(context, lab, state_of(context))
    assert state_of(context).caught_up == ""
    assert isinstance(context.provider, FakeProvider)
    context.provider.happened.clear()
    assert caught_up(context, lab, catalog) == "snapshot"
    assert f"restore k3s-05-one {CAUGHT_UP}" in context.provider.happened
    assert caught_up(context, lab, catalog) == "there"
    solution = catalog.find("02").folder / "solution" / "deploy.sh"
    solution.write_text("echo solve-2b")
    assert caught_up(context, lab, catalog) == "solutions", "another solution, another result"


def test_a_snapshot_with_the_learners_own_work_in_it_is_no_result(context: Context, catalog: Catalog) -> None:
    """Where a snapshot waits until the lab stops."""
    assert isinstance(context.provider, FakeProvider)
    context.provider.cheap = False
    lab = catalog.find("05")
    start(context, lab)
    caught_up(context, lab, catalog)
    keep_result(context, lab)
    stop(context, state_of(context), lab)
    reset(context, lab, state_of(context))
    assert caught_up(context, lab, catalog) == "solutions"


def test_a_result_that_is_wrong_is_not_used_again(context: Context, catalog: Catalog) -> None:
    lab = catalog.find("05")
    start(context, lab)
    caught_up(context, lab, catalog)
    keep_result(context, lab)
    forget_result(context, lab)
    assert kept.all_of(context.store, "05") == []
    assert state_of(context).caught_up == ""
    assert caught_up(context, lab, catalog, fresh=False) == "solutions"
    reset(context, lab, state_of(context))
    assert caught_up(context, lab, catalog) == "solutions"


def test_work_that_was_begun_is_kept(context: Context, catalog: Catalog) -> None:
    lab = catalog.find("05")
    start(context, lab)
    mine = context.paths.work / "05" / "mine.txt"
    mine.write_text("notes")
    done = catch_up(context, lab, needed_chapters(catalog, lab), fresh=False)
    assert done.kept_work is not None
    assert (done.kept_work / "mine.txt").read_text() == "notes"
    assert BEFORE in [one.name for one in kept.all_of(context.store, "05")]


def test_each_time_solutions_run_the_work_folder_is_copied_and_deleting_the_lab_leaves_the_copies(
    context: Context, catalog: Catalog
) -> None:
    """A fresh lab may have a work folder that is full, and an older copy is not what was there now."""
    lab = catalog.find("05")
    start(context, lab)
    needed = needed_chapters(catalog, lab)
    assert catch_up(context, lab, needed, fresh=True).kept_work is None, "nothing of the learner's is in it"
    mine = context.paths.work / "05" / "mine.txt"
    copies: list[Path] = []
    for text in ("first", "second"):
        mine.write_text(text)
        reset(context, lab, state_of(context))
        done = catch_up(context, lab, needed, fresh=text == "second")
        assert done.kept_work is not None
        copies.append(done.kept_work)
    delete(context, "05")
    assert [(copy / "mine.txt").read_text() for copy in copies] == ["first", "second"]


def test_a_work_folder_that_cannot_be_copied_is_told_before_anything_is_done(context: Context, catalog: Catalog) -> None:
    """What `sudo` in a machine wrote into it is root's."""
    lab = catalog.find("05")
    start(context, lab)
    os.mkfifo(context.paths.work / "05" / "odd")
    with pytest.raises(LabError, match="could not be copied"):
        caught_up(context, lab, catalog, fresh=False)
    assert solved(context) == []
    assert [path.name for path in context.paths.work.iterdir()] == ["05"]


def test_a_solution_that_fails_is_told_and_tried_again(context: Context, catalog: Catalog) -> None:
    lab = catalog.find("05")
    start(context, lab)
    assert isinstance(context.provider, FakeProvider)

    def answer(argv: Sequence[str]) -> Completed:
        return Completed(tuple(argv), 1 if "solve-03" in argv[-1] else 0, b"", b"no such image")

    context.provider.machines["k3s-05-one"].answers = answer
    with pytest.raises(LabError, match=r"stopped at task 03\.deploy") as told:
        caught_up(context, lab, catalog)
    assert "no such image" in told.value.why
    context.provider.machines["k3s-05-one"].answers = lambda argv: Completed(tuple(argv), 0, b"", b"")
    assert caught_up(context, lab, catalog) == "solutions"


@pytest.mark.parametrize("builds_on", ['["05"]', '["07"]', '["5"]', '["x"]'])
def test_only_earlier_chapters_can_be_built_on(catalog: Catalog, builds_on: str) -> None:
    path = catalog.folder("05") / "lab.yaml"
    path.write_text(path.read_text().replace('["03"]', builds_on))
    with pytest.raises(UsageError, match=r"lab\.yaml"):
        catalog.find("05")


def test_lint_finds_what_an_earlier_solution_would_miss(catalog: Catalog, tmp_path: Path) -> None:
    path = catalog.folder("03") / "lab.yaml"
    path.write_text(path.read_text().replace("{one: {role: none}}", "{two: {role: none}}"))
    text = (catalog.folder("02") / "lab.yaml").read_text()
    (catalog.folder("02") / "lab.yaml").write_text(text + "images: [course/web:1]\nk3s: {needs: [coredns]}\n")
    found = [one for one in lint_files(catalog.find("03"), tmp_path) if "builds_on" in one.what]
    assert len(found) == 3, found
