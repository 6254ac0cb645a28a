"""`lab verify`, on a lab on paper: what it tries, what it finds wrong, and that it goes on after a case that went wrong."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from courselab.course import Lab, MachineNeed, Task
from courselab.course.load import load_lab
from courselab.course.scripts import Script, read_scripts
from courselab.errors import LabError
from courselab.grade.checker import Checker, load_checker
from courselab.grade.evidence import ClusterState, Evidence
from courselab.grade.report import make_report
from courselab.grade.run import Outcome
from courselab.grade.verdict import Judged, VerdictName
from courselab.k3s.release import Release
from courselab.machines.capacity import Capacity
from courselab.paths import Paths
from courselab.progress import Silent
from courselab.session import end, room
from courselab.session import start as starting
from courselab.session.context import Context
from courselab.session.parts import Parts
from courselab.session.setup import ScriptFailed
from courselab.session.store import Store
from courselab.verify import own_lab
from courselab.verify.cases import Case, Result, cases_of
from courselab.verify.kept import Keeper, fingerprint, forget, is_current, path_of, seconds_of
from courselab.verify.own_lab import OwnLab, leftovers, own_labs
from courselab.verify.run import Verification
from courselab.verify.share import share
from tests.unit.fakes import FakeMachine, FakeProvider

LAB_YAML = """\
schema: 1
chapter: "07"
title: Tea
summary: Tea.
minutes: 1
machines: {kitchen: {}, garden: {}}
tasks:
  - {id: 07.water, title: Water, text: Boil it., points: 1, hints: [a, b, c]}
  - {id: 07.tea, title: Tea, text: Make it., points: 1, hints: [a, b, c]}
"""
CHECKER = """\
from courselab.grade import check


@check("07.water")
def water(cluster): ...


@check("07.tea", needs=["07.water"])
def tea(cluster): ...
"""
MISTAKE = "# task: 07.tea\n# verdict: fail\n# diagnosis: {}\n{}\n"


@pytest.fixture
def course(tmp_path: Path) -> Path:
    folder = tmp_path / "labs" / "07-tea"
    scripts = {
        "solution/water.sh": "do water",
        "solution/tea.sh": "do tea",
        "undo/water.sh": "undo water",
        "undo/tea.sh": "undo tea",
        "right/tea.by-kettle.sh": "# on: garden\ndo tea",
        "mistakes/tea.cold.sh": MISTAKE.format("cold", "spoil cold"),
    }
    for name, text in scripts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "lab.yaml").write_text(LAB_YAML)
    (tmp_path / "checkers").mkdir()
    (tmp_path / "checkers" / "ch07.py").write_text(CHECKER)
    return tmp_path


@dataclass
class PaperLab:
    """Scripts say `do TASK`, `stain TASK` (done, and no undo removes it), `undo TASK`, `pour TASK` (all is gone; it must have been there), `spoil SLUG`, `break`; a check looks at what they left."""

    course: Path
    done: set[str] = field(default_factory=set)
    spoilt: str = ""
    stained: bool = False
    slow: bool = False  # tea that was made must draw until somebody waits for it; it cannot be spoilt before
    drawing: bool = False
    untasted: bool = False  # nobody tells good tea from bad
    log: list[str] = field(default_factory=list)
    after_restart: Callable[[PaperLab], None] = lambda lab: None
    lab: Lab = field(init=False)
    checker: Checker = field(init=False)

    def __post_init__(self) -> None:
        self.lab = load_lab(self.course / "labs" / "07-tea")
        self.checker = load_checker(self.course / "checkers" / "ch07.py", self.lab)

    def run(self, script: Script) -> None:
        for part in script.parts:
            word, _, what = part.text.strip().splitlines()[-1].partition(" ")
            self.log.append(f"{word} {what}")
            if word == "break":
                raise ScriptFailed(f"{script.path.name} ended with 1")
            if word == "do":
                self.done.add(what)
                self.drawing = self.slow
            elif word == "pour":
                if what not in self.done:
                    raise ScriptFailed(f"{script.path.name}: there is no {what}")
                self.done.clear()
            elif word == "stain":
                self.done.add(what)
                self.stained = True
            elif word == "undo":
                self.done -= {what, "tea"} if not self.stained else {"water"} & {what}
                self.spoilt = "" if self.spoilt != "for good" else self.spoilt
            else:
                self.spoilt = what if not self.drawing else ""

    def restart_k3s(self) -> None:
        self.after_restart(self)

    def renewed(self) -> PaperLab:
        self.log.append("renewed")
        self.done, self.spoilt, self.stained = set(), "", False
        return self

    def check(self, checker: Checker, deadline_s: Callable[[Task], int] | None, *, disturb: bool) -> Outcome:
        self.drawing &= deadline_s is None
        judged = [self._judge(check.mark.id.partition(".")[2], check.mark.id) for check in checker.checks]
        evidence = Evidence(schema=1, lab="07", cluster=ClusterState(reachable=True))
        return Outcome(make_report(self.lab, evidence, judged, seconds=0), evidence, tuple(judged))

    def _judge(self, name: str, id: str) -> Judged:
        if name == "tea" and self.drawing:
            return Judged(id, VerdictName.WAITING, waits_for="the tea is drawing")
        if name == "tea" and self.untasted and {"water", "tea"} <= self.done:
            return Judged(id, VerdictName.BLOCKED, message="experiment 07.taste was not made")
        if name == "tea" and self.spoilt:
            return Judged(id, VerdictName.FAIL, diagnosis=self.spoilt, message="it is no good")
        return Judged(id, VerdictName.PASS if name in self.done else VerdictName.FAIL, message="it is not there")


def verified(lab: PaperLab, task: str = "") -> dict[str, Result]:
    kept: list[tuple[Case, bool]] = []
    run = Verification(lab, Silent(), lambda case, _evidence, ok: kept.append((case, ok)))
    return {result.case: result for result in run.results(cases_of(lab.lab, task))}


def write(course: Path, name: str, text: str) -> None:
    (course / "labs" / "07-tea" / name).write_text(text)


def test_a_chapter_that_holds(course: Path) -> None:
    results = verified(PaperLab(course))
    assert {name: result.got for name, result in results.items()} == {
        "untouched": "nothing passes",
        "solved": "all pass",
        "restarted": "all pass",
        "undo.water": "07.water fail",
        "undo.tea": "07.tea fail",
        "right.tea.by-kettle": "07.tea pass",
        "tea.cold": "07.tea fail cold",
    }
    assert all(result.ok and not result.note for result in results.values())


def test_one_task_alone(course: Path) -> None:
    assert list(verified(PaperLab(course), "water")) == ["untouched", "solved", "undo.water"]


def test_what_passes_untouched_is_found(course: Path) -> None:
    result = verified(PaperLab(course, done={"water"}))["untouched"]
    assert (result.ok, result.got) == (False, "07.water pass")


def test_a_wrong_diagnosis_is_told_with_what_the_check_says(course: Path) -> None:
    write(course, "mistakes/tea.cold.sh", MISTAKE.format("cold", "spoil bitter"))
    result = verified(PaperLab(course))["tea.cold"]
    assert (result.ok, result.expected, result.got) == (False, "07.tea fail cold", "07.tea fail bitter")
    assert "it is no good" in "\n".join(result.details)


def test_a_right_answer_that_is_refused_is_found(course: Path) -> None:
    write(course, "right/tea.by-kettle.sh", "spoil kettle")
    assert verified(PaperLab(course))["right.tea.by-kettle"].got == "07.tea fail kettle"


def test_right_answers_are_tried_one_after_the_other_each_from_a_state_that_does_not_pass(course: Path) -> None:
    write(course, "right/tea.in-a-pot.sh", "do tea")
    lab = PaperLab(course)
    results = verified(lab, "tea")
    assert all(results[name].ok for name in ("undo.tea", "right.tea.by-kettle", "right.tea.in-a-pot", "tea.cold"))
    between = lab.log[lab.log.index("undo tea") : lab.log.index("spoil cold")]
    assert between == ["undo tea", "do tea"] * 3, "taken back once before each of them; a solution before the mistake"


def test_what_a_right_answer_leaves_does_not_make_the_next_one_pass(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("courselab.verify.run.HASTY_S", 0)
    write(course, "right/tea.by-kettle.sh", "stain tea")
    write(course, "right/tea.of-nothing.sh", "do water")
    results = verified(PaperLab(course), "tea")
    assert results["right.tea.by-kettle"].ok
    assert (results["right.tea.of-nothing"].ok, results["right.tea.of-nothing"].got) == (False, "07.tea fail")
    assert "undo did not take back" in results["right.tea.of-nothing"].note


def test_a_mistake_that_came_too_soon_is_tried_again_in_a_lab_at_rest(course: Path) -> None:
    write(course, "mistakes/tea.bitter.sh", MISTAKE.format("bitter", "spoil bitter"))
    lab = PaperLab(course, slow=True)
    results = verified(lab, "tea")
    assert all(result.ok and not result.note for result in results.values()), results
    assert lab.log.count("spoil bitter") == 2, "the first one met tea that was still drawing"


def verified_with_two_mistakes(course: Path, script: str) -> PaperLab:
    """Task water, with two mistakes that do the same: all is as expected, without a note."""
    for slug in ("cold", "old"):
        write(course, f"mistakes/water.{slug}.sh", f"# task: 07.water\n# verdict: fail\n{script}\n")
    lab = PaperLab(course)
    results = verified(lab, "water")
    assert all(result.ok and not result.note for result in results.values()), results
    return lab


def test_between_two_mistakes_of_a_task_what_needs_it_is_left_undone(course: Path) -> None:
    lab = verified_with_two_mistakes(course, "undo water")
    after_the_undo_case = lab.log[lab.log.index("undo water") + 1 :]
    assert after_the_undo_case == [
        *("undo water", "do water", "undo water"),  # back, and the first mistake
        *("undo water", "do water", "undo water"),  # back, and the second
        *("undo water", "do water", "do tea"),  # nothing comes after it: all of the lab
    ]


def test_a_mistake_that_needs_what_was_left_undone_is_tried_again_with_all_of_it(course: Path) -> None:
    lab = verified_with_two_mistakes(course, "pour tea")
    assert lab.log.count("pour tea") == 4, "each was refused once: there was no tea"


def test_an_undo_that_takes_back_too_much_is_found(course: Path) -> None:
    write(course, "undo/tea.sh", "undo water")
    result = verified(PaperLab(course))["undo.tea"]
    assert (result.ok, result.got) == (False, "07.tea fail, 07.water fail")


def test_what_undoing_does_not_mend_is_made_anew(course: Path) -> None:
    write(course, "mistakes/tea.cold.sh", MISTAKE.format("for good", "spoil for good"))
    lab = PaperLab(course)
    results = verified(lab)
    assert results["tea.cold"].ok
    assert "made anew" in results["tea.cold"].note
    assert lab.log[-3:] == ["renewed", "do water", "do tea"]


PROBE = """

@probe("07.taste", effect="disturb", objects=["Deployment/tea/tea"])
def taste(lab): ...


@check("07.tea", needs=["07.water"], probes=["07.taste"])
"""


def without_the_experiment(course: Path, lab: Callable[[], PaperLab]) -> dict[str, Result]:
    """The results where task tea stands on an experiment that is not made."""
    text = CHECKER.replace('@check("07.tea", needs=["07.water"])', PROBE).replace("import check", "import check, probe")
    (course / "checkers" / "ch07.py").write_text(text)
    own = lab()
    run = Verification(own, Silent(), forget, disturb=False)
    return {result.case: result for result in run.results(cases_of(own.lab))}


def test_what_takes_an_experiment_that_is_left_out_is_told_as_that(course: Path) -> None:
    results = without_the_experiment(course, lambda: PaperLab(course, untasted=True))
    assert all(result.ok for result in results.values()), results
    assert {name: result.got for name, result in results.items() if result.note} == {
        "right.tea.by-kettle": "07.tea blocked",
        "tea.cold": "07.tea blocked",
    }


def test_a_mistake_that_passes_is_no_matter_of_an_experiment(course: Path) -> None:
    write(course, "mistakes/tea.cold.sh", MISTAKE.format("cold", "do tea"))
    results = without_the_experiment(course, lambda: PaperLab(course))
    assert [name for name, result in results.items() if not result.ok] == ["tea.cold"]


def test_what_only_the_whole_solution_mends_needs_no_new_lab(course: Path) -> None:
    write(course, "mistakes/tea.cold.sh", "# task: 07.tea\n# verdict: fail\npour tea\n")
    lab = PaperLab(course)
    results = verified(lab)
    assert results["tea.cold"].ok
    assert "all of the solution did" in results["tea.cold"].note
    assert lab.log[-5:] == ["pour tea", "undo tea", "do tea", "do water", "do tea"]


def test_a_script_that_fails_is_told_and_the_rest_goes_on(course: Path) -> None:
    write(course, "undo/water.sh", "break")
    results = verified(PaperLab(course))
    assert (results["undo.water"].got, results["undo.water"].details) == ("a script failed", ("water.sh ended with 1",))
    assert results["tea.cold"].ok


def test_a_solution_that_does_not_solve_ends_it(course: Path) -> None:
    write(course, "solution/tea.sh", "do water")
    results = verified(PaperLab(course))
    assert list(results) == ["untouched", "solved"]
    assert (results["solved"].got, results["solved"].exit_code) == ("07.tea fail", 1)


def test_a_restart_that_loses_something_is_found_and_mended(course: Path) -> None:
    results = verified(PaperLab(course, after_restart=lambda lab: lab.done.discard("tea")))
    assert (results["restarted"].ok, results["restarted"].got) == (False, "07.tea fail")
    assert results["undo.water"].ok


def test_a_lab_that_cannot_be_made_anew_ends_it(course: Path) -> None:
    write(course, "mistakes/tea.cold.sh", MISTAKE.format("for good", "spoil for good"))
    lab = PaperLab(course)
    lab.renewed = lambda: (_ for _ in ()).throw(LabError("no more"))  # type: ignore[method-assign]
    with pytest.raises(LabError, match="no more"):
        verified(lab)


def test_a_script_may_go_on_on_another_machine(course: Path) -> None:
    write(course, "solution/tea.sh", "# on: kitchen\n# user: root\ncat token\n\n# on: garden\njoin\n")
    script = next(one for one in read_scripts(PaperLab(course).lab, "solution") if one.task == "tea")
    assert [(part.on, part.user, part.text.strip().splitlines()[-1]) for part in script.parts] == [
        ("kitchen", "root", "cat token"),
        ("garden", "student", "join"),
    ]


def test_files_that_change_meanwhile_change_nothing(course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried, and what is said to be verified, is the chapter as it was in the beginning."""
    write(course, "lab.yaml", LAB_YAML.replace("{kitchen: {}, garden: {}}", "{kitchen: {role: none}, garden: {role: none}}"))
    write(course, "solution/tea.sh", "do tea")
    (tmp_path / "k3s").touch()
    monkeypatch.setattr(starting, "gather_parts", lambda context, lab: Parts(Release("stand-in", "1.36.3", tmp_path / "k3s"), ()))
    paths = Paths(course, tmp_path / "state", tmp_path / "cache", tmp_path / "config", tmp_path / "work")
    lab = load_lab(course / "labs" / "07-tea")
    checker = load_checker(course / "checkers" / "ch07.py", lab)
    before = fingerprint(lab, course)
    with own_labs(paths, lab, checker, Silent(), lambda _paths, _recorded: FakeProvider(), seed="x") as (own,):
        write(course, "solution/tea.sh", "something else")
        (course / "labs" / "07-tea" / "mistakes" / "tea.cold.sh").unlink()
        (course / "checkers" / "ch07.py").write_text("nothing")
        assert [script.parts[0].text for script in read_scripts(own.lab, "solution")] == ["do water", "do tea"]
        assert "tea.cold" in {case.name for case in cases_of(own.lab)}
        assert fingerprint(own.lab, own.course) == before
    assert not (tmp_path / "state" / "verify" / "07").exists()


def test_kept_evidence_is_of_the_chapter_as_it_is(course: Path, tmp_path: Path) -> None:
    lab = PaperLab(course).lab
    folder, failed = course / "tests" / "evidence" / "07", tmp_path / "failed"
    keeper = Keeper(folder, failed)
    evidence = Evidence(schema=1, lab="07", cluster=ClusterState(reachable=True))
    for case in cases_of(lab):
        keeper.keep(case, evidence, case.name != "tea.cold")
    shutil.copy(path_of(folder, next(cases_of(lab))), folder / "tea.gone.json.gz")
    assert not is_current(lab, course)
    keeper.seal(lab, course, cases_of(lab), {"seconds": {"tea.cold": 2.5, "untouched": "a while"}})
    assert is_current(lab, course)
    assert seconds_of(lab, course) == {"tea.cold": 2.5}
    assert not (folder / "tea.gone.json.gz").exists()
    assert [path.name for path in failed.iterdir()] == ["tea.cold.json.gz"]
    write(course, "solution/tea.sh", "do tea  # otherwise")
    assert not is_current(lab, course)


def shared(*labs: PaperLab, took: dict[str, float] | None = None) -> list[Result]:
    """What several labs found together, in the order in which it was told."""
    told: list[Result] = []
    share(list(cases_of(labs[0].lab)), [Verification(lab, Silent(), forget) for lab in labs], told.append, took or {})
    return told


def test_two_labs_share_the_cases(course: Path) -> None:
    labs = PaperLab(course), PaperLab(course)
    results = shared(*labs)
    assert sorted(result.case for result in results) == sorted(case.name for case in cases_of(labs[0].lab))
    assert all(result.ok and not result.note for result in results)


def test_what_is_about_one_task_stays_in_one_lab(course: Path) -> None:
    first, second = PaperLab(course), PaperLab(course)
    taken, go_on = threading.Event(), threading.Event()

    def slow_restart(_lab: PaperLab) -> None:
        assert taken.wait(10), "the second lab begins as soon as the solution is known to hold"
        go_on.set()

    first.after_restart = slow_restart
    begin = second.run

    def begins(script: Script) -> None:
        begin(script)
        if script.path.parent.name == "undo":
            taken.set()
            assert go_on.wait(10)

    second.run = begins  # type: ignore[method-assign]
    assert all(result.ok for result in shared(first, second))
    assert "undo water" in first.log
    assert "undo tea" not in first.log
    assert "spoil cold" not in first.log
    assert second.log.count("spoil cold") == 1


def test_what_took_longest_is_begun_first(course: Path) -> None:
    def in_order(took: dict[str, float]) -> list[str]:
        return [result.case for result in shared(PaperLab(course), took=took) if "." in result.case]

    assert in_order({"undo.water": 60.0}) == ["undo.water", "undo.tea", "right.tea.by-kettle", "tea.cold"]
    assert in_order({"undo.water": 1.0})[-1] == "undo.water"


def test_where_the_solution_does_not_solve_no_other_lab_goes_on(course: Path) -> None:
    write(course, "solution/tea.sh", "break")
    results = shared(PaperLab(course), PaperLab(course))
    assert [(result.case, result.ok) for result in results] == [("untouched", True), ("solved", False)]


def test_a_lab_that_is_lost_ends_the_others(course: Path) -> None:
    def lost() -> PaperLab:
        raise LabError("no more")

    write(course, "mistakes/tea.cold.sh", MISTAKE.format("for good", "spoil for good"))
    first, second = PaperLab(course), PaperLab(course)
    first.renewed = second.renewed = lost  # type: ignore[method-assign]
    with pytest.raises(LabError, match="no more"):
        shared(first, second)


def test_a_solution_that_only_solves_one_of_the_labs_is_told(course: Path) -> None:
    first, second = PaperLab(course), PaperLab(course)
    second.run = lambda script: (_ for _ in ()).throw(ScriptFailed("not here"))  # type: ignore[method-assign]
    with pytest.raises(LabError) as told:
        shared(first, second)
    assert "not here" in told.value.why


def test_what_is_interrupted_begins_with_nothing_more(course: Path) -> None:
    """In the first lab, as the user's Ctrl-C is, while the second is still being solved."""
    first, second = PaperLab(course), PaperLab(course)
    over, solve = threading.Event(), second.run

    def interrupted(_lab: PaperLab) -> None:
        raise KeyboardInterrupt

    def slow(script: Script) -> None:
        assert over.wait(10)
        solve(script)

    first.after_restart = interrupted
    second.run = slow  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        shared(first, second)
    over.set()
    for helper in [thread for thread in threading.enumerate() if thread.name == "verify"]:
        helper.join(10)
    assert second.log == ["do water", "do tea"]


@pytest.mark.parametrize(
    ("free_mib", "free_gib", "at_most", "fit"),
    [(8000, 99, 4, 4), (3100, 99, 4, 3), (900, 99, 4, 1), (0, 99, 4, 1), (8000, 99, 1, 1), (8000, 6.5, 4, 2), (8000, 1, 4, 1)],
)
def test_as_many_labs_as_there_is_room_for(
    course: Path, monkeypatch: pytest.MonkeyPatch, free_mib: int, free_gib: float, at_most: int, fit: int
) -> None:
    lab = PaperLab(course).lab
    one = msgspec.structs.replace(lab, file=msgspec.structs.replace(lab.file, machines={"server": MachineNeed()}))
    monkeypatch.setattr(room, "available_mib", lambda: free_mib)
    monkeypatch.setattr(room, "measure", lambda _folder: Capacity(4, 8000, free_gib, None))
    paths = Paths(course, course, course, course, course)
    assert room.labs_that_fit(Context(paths, Store(paths), FakeProvider(), Silent()), one, at_most) == fit


def begun(course: Path, monkeypatch: pytest.MonkeyPatch, *providers: FakeProvider) -> AbstractContextManager[list[OwnLab]]:
    """A lab of each provider, with nothing but its machines; their state is below `course`/state."""
    write(course, "lab.yaml", LAB_YAML.replace("{kitchen: {}, garden: {}}", "{kitchen: {role: none}, garden: {role: none}}"))
    (course / "k3s").touch()
    monkeypatch.setattr(starting, "gather_parts", lambda context, lab: Parts(Release("stand-in", "1.36.3", course / "k3s"), ()))
    monkeypatch.setattr(own_lab, "labs_that_fit", lambda *_: len(providers))
    paths = Paths(course, course / "state", course / "cache", course / "config", course / "work")
    lab, left = load_lab(course / "labs" / "07-tea"), iter(providers)
    checker = load_checker(course / "checkers" / "ch07.py", lab)
    return own_labs(paths, lab, checker, Silent(), lambda _paths, _recorded: next(left), seed="x", at_most=len(providers))


def test_what_goes_on_in_a_lab_ends_before_it_is_removed(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One lab is lost, or the user presses Ctrl-C, while another is being made anew."""
    one, other, going_on, said = FakeProvider(), FakeProvider(), threading.Event(), list[str]()
    monkeypatch.setattr(end, "_BUSY_WAIT_S", 0.05)

    def renew(own: OwnLab) -> None:
        try:
            own.renewed()
        except LabError as ended:
            said.append(ended.what)

    with pytest.raises(LabError, match="lost"), begun(course, monkeypatch, one, other) as (_, second):
        gather = starting.gather_parts

        def slow(context: Context, lab: Lab) -> Parts:
            going_on.set()
            second.ended.wait(10)
            time.sleep(0.3)
            return gather(context, lab)

        monkeypatch.setattr(starting, "gather_parts", slow)
        threading.Thread(target=renew, args=(second,), daemon=True).start()
        assert going_on.wait(10)
        raise LabError("lost")
    assert one.machines == other.machines == {}
    assert said == ["The verification has ended"]
    assert not (course / "state" / "verify" / "07").exists()


def test_what_cannot_be_removed_is_found_later(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(_machine: FakeMachine) -> None:
        raise LabError("stuck")

    with pytest.raises(LabError, match="stuck"), begun(course, monkeypatch, FakeProvider()) as (own,):
        monkeypatch.setattr(FakeMachine, "delete", stuck)
    paths = Paths(course, course / "state", course / "cache", course / "config", course / "work")
    assert leftovers(paths) == ["07"]
    assert own.context.store.load("07")


def test_nothing_is_seen_of_a_lab_that_is_being_removed(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that ends then may find just the failure that a mistake is to have, and its Evidence would be kept."""
    with begun(course, monkeypatch, FakeProvider()) as (own,):
        monkeypatch.setattr(own_lab, "run_checks", lambda *_args, **_more: own.ended.set())
        with pytest.raises(LabError, match="ended"):
            own.check(own.checker, None, disturb=False)


def test_what_asks_the_user_comes_before_labs_start_at_the_same_time(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    with begun(course, monkeypatch, FakeProvider(happened=happened), FakeProvider(happened=happened)):
        assert happened[0] == "prepare"


def test_what_a_killed_verification_left_is_removed_by_the_provider_that_made_it(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    paths = Paths(course, course / "state", course / "cache", course / "config", course / "work")
    with begun(course, monkeypatch, FakeProvider()) as (own,):
        state = own.state
    Store(own.context.paths).save(msgspec.structs.replace(state, provider="multipass"))

    def provider_of(_own: Paths, recorded: str) -> FakeProvider:
        asked.append(recorded)
        return FakeProvider()

    lab = load_lab(course / "labs" / "07-tea")
    with own_labs(paths, lab, load_checker(course / "checkers" / "ch07.py", lab), Silent(), provider_of, seed="x"):
        assert asked == ["multipass", ""]


def test_a_lab_that_is_made_anew_keeps_nothing_of_before(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = FakeProvider(cheap=False)
    with begun(course, monkeypatch, provider) as (own,):
        before = dict(provider.machines)
        anew = own.renewed()
        assert set(provider.machines) == set(before), "the same names"
        assert not any(provider.machines[name] is before[name] for name in before)
        assert anew.context.store.load("07") == anew.state
        assert not any(machine.snapshots() for machine in provider.machines.values())
