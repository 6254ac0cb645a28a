"""A solved lab as `lab verify` kept it, open to changes: what a learner did otherwise, and what the cluster makes of it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from courselab.course import Catalog, Lab
from courselab.course.params import Params
from courselab.grade.checker import Checker, checker_path, load_checker
from courselab.grade.evidence import Evidence, encode, load
from courselab.grade.run import judge_saved
from courselab.safe_yaml import LOADER
from tests.unit.checkers.fake_cluster import no_bugs

COURSE = Path(__file__).parents[3]
Obj = dict[str, Any]
GONE = object()  # a field that is taken away
_SUM = re.compile(r"\{(\w+)([+*/-])(\d+)\}")  # {port+1}
_SUMS: dict[str, Callable[[int, int], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


class KeptLab:
    """One chapter's solved lab. Every instance is a copy of its own."""

    def __init__(self, chapter: str) -> None:
        self.lab, self.checker, document = _kept(chapter)
        self.document: Obj = msgspec.json.decode(document)
        self.params = Params(self.document["params"])

    def all(self, kind: str) -> list[Obj]:
        """The list of a kind's objects, to be changed."""
        return self.document["cluster"]["kinds"].setdefault(kind, {"api": "v1"}).setdefault("items", [])

    def find(self, kind: str, name: str, namespace: str | None = None) -> Obj:
        """One object, in the learner's namespace unless another is named."""
        wanted = (name, namespace or self.params.namespace)
        return next(obj for obj in self.all(kind) if (obj["metadata"]["name"], obj["metadata"].get("namespace", wanted[1])) == wanted)

    def add(self, obj: Obj) -> Obj:
        """Put an object in, with a uid and in the learner's namespace."""
        obj["metadata"].setdefault("uid", f"uid-{obj['kind']}-{obj['metadata']['name']}")
        obj["metadata"].setdefault("namespace", self.params.namespace)
        self.all(obj["kind"]).append(obj)
        return obj

    def value(self, text: str) -> Any:
        """YAML with {parameters} and sums of them, as a value."""
        return yaml.load(self.text(text), Loader=LOADER)

    def text(self, text: str) -> str:
        """A text with its {parameters} and {parameter+1}s filled in."""
        return _SUM.sub(lambda found: str(_SUMS[found[2]](int(self.params[found[1]]), int(found[3]))), self.params.fill(text))

    def failing(self) -> dict[str, str]:
        """The tasks that do not pass, by their name, and their verdicts."""
        evidence = msgspec.convert(self.document, Evidence)
        with no_bugs() as folder:
            judged = judge_saved(self.lab, self.checker, evidence, bug_folder=folder).judged
        return {one.id.partition(".")[2]: one.verdict.value for one in judged if not one.passed}

    def with_dependents(self, tasks: Iterable[str]) -> set[str]:
        """These tasks and all that need one of them."""
        wrong = {f"{self.lab.chapter}.{task}" for task in tasks}
        while more := {check.mark.id for check in self.checker.checks if wrong & set(check.mark.needs)} - wrong:
            wrong |= more
        return {id.partition(".")[2] for id in wrong}


@cache
def _kept(chapter: str) -> tuple[Lab, Checker, bytes]:
    lab = next(lab for lab in Catalog(COURSE).all() if lab.chapter == chapter)
    evidence = load(COURSE / "tests" / "evidence" / chapter / "solved.json.gz")
    return lab, load_checker(checker_path(COURSE, chapter), lab), encode(evidence)


def put(obj: Any, pointer: str, value: Any) -> None:
    """Set (or, with GONE, take away) what a JSON pointer without its first slash names (RFC 6901); missing tables are made."""
    *way, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")]
    for step in way:
        obj = obj[int(step)] if isinstance(obj, list) else obj.setdefault(step, {})
    if isinstance(obj, list):
        obj[int(last)] = value
    elif value is GONE:
        obj.pop(last, None)
    else:
        obj[last] = copy.deepcopy(value)
