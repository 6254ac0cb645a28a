"""300 and more variants of the solved chapters: wrong in one field, or right in other words. None is judged falsely."""

from __future__ import annotations

import pytest

from tests.unit.checkers import (
    people_01,
    people_02,
    people_03,
    people_04,
    people_05,
    people_06,
    people_07,
    people_08,
    variants_02,
    variants_03,
)
from tests.unit.checkers.kept_access import Access
from tests.unit.checkers.kept_addons import Addons
from tests.unit.checkers.kept_config import Config
from tests.unit.checkers.kept_first import First
from tests.unit.checkers.kept_joining import Joining
from tests.unit.checkers.kept_lab import KeptLab
from tests.unit.checkers.kept_placement import Placement
from tests.unit.checkers.kept_services import Services
from tests.unit.checkers.kept_workloads import Workloads
from tests.unit.checkers.variant import Variant

CASES: list[tuple[type[KeptLab], Variant]] = [
    *[(First, variant) for variant in (*people_01.WRONG, *people_01.RIGHT)],
    *[(Workloads, variant) for variant in (*variants_02.WRONG, *variants_02.RIGHT, *people_02.WRONG, *people_02.RIGHT)],
    *[(Services, variant) for variant in (*variants_03.WRONG, *variants_03.RIGHT, *people_03.WRONG, *people_03.RIGHT)],
    *[(Config, variant) for variant in (*people_04.WRONG, *people_04.RIGHT)],
    *[(Joining, variant) for variant in (*people_05.WRONG, *people_05.RIGHT)],
    *[(Placement, variant) for variant in (*people_06.WRONG, *people_06.RIGHT)],
    *[(Addons, variant) for variant in (*people_07.WRONG, *people_07.RIGHT)],
    *[(Access, variant) for variant in (*people_08.WRONG, *people_08.RIGHT)],
]


@pytest.mark.parametrize(("kept", "variant"), CASES, ids=[f"{kept.__name__}-{variant.name}" for kept, variant in CASES])
def test_exactly_the_tasks_that_are_wrong_do_not_pass(kept: type[KeptLab], variant: Variant) -> None:
    lab = kept()
    variant.change(lab)
    failing = lab.failing()
    assert set(failing) == lab.with_dependents(variant.wrong)
    assert set(failing.values()) <= {"fail", "blocked"}


def test_there_are_enough_of_them() -> None:
    wrong = [variant for _, variant in CASES if variant.wrong]
    assert len(CASES) >= 300
    assert min(len(wrong), len(CASES) - len(wrong)) >= 100
