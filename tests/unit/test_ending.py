"""A machine on its way down still runs for a while: who starts it has to know."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from courselab.machines import MachineSpec, MachineState
from courselab.machines.ending import is_ending
from courselab.process import CommandTimeout, Completed
from tests.unit.fakes import FakeMachine, FakeProvider


def machine(said: str, state: MachineState = MachineState.RUNNING) -> FakeMachine:
    spec = MachineSpec("k3s-02-server", "server", "02")
    return FakeMachine(spec, FakeProvider(), state, answers=lambda argv: Completed(tuple(argv), 0, said.encode(), b""))


@pytest.mark.parametrize("said", ["running\n", "degraded\n", "starting\n", "initializing\n", "maintenance\n"])
def test_a_machine_that_stays_up(said: str) -> None:
    assert not is_ending(machine(said))


@pytest.mark.parametrize("said", ["stopping\n", "offline\n", ""])  # "" : nothing answers any more
def test_a_machine_on_its_way_down(said: str) -> None:
    assert is_ending(machine(said))


def test_a_machine_that_ended_while_it_was_asked() -> None:
    assert is_ending(machine("", MachineState.STOPPED))


def test_a_machine_that_runs_but_does_not_answer_is_told() -> None:
    def silent(argv: Sequence[str]) -> Completed:
        raise CommandTimeout("It did not answer")

    hung = machine("")
    hung.answers = silent
    with pytest.raises(CommandTimeout):
        is_ending(hung)
