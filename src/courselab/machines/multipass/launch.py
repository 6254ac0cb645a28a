"""From nothing, or from what an interrupted launch left, to a virtual machine that is set up. A launch that failed is looked at: what
still comes up is waited for, what never will is purged. Nothing half-made is left behind unless Multipass itself does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from courselab.machines.base import MachineSpec, MachineState
from courselab.machines.multipass.command import Command
from courselab.machines.multipass.failures import MultipassError, MultipassUnreachable, explain
from courselab.machines.multipass.inside import Inside
from courselab.machines.multipass.turns import Glance, Turns

_T = TypeVar("_T")

IMAGE = "24.04"  # pinned: what `lts` and no name at all mean changes
LAUNCH_S = 900  # for Multipass: download, boot and cloud-init, each
_PURGE_S = 120.0
_JUST_NOW_S = 1.0
_COMES_UP = (MachineState.RUNNING, MachineState.STARTING)
# After these the machine may still come up by itself.
_WORTH_A_LOOK = ("deadline", "slow", "cloud-init", "no-answer", "preparing")
_STILL_PREPARED = ("slow", "preparing")
_NO_ADDRESS = {
    "linux": "`multipass get local.driver` should say qemu; then run the command again.",
    "macos": "`multipass get local.driver` should say qemu: VirtualBox's machines cannot reach each other. Then run the command again.",
    "windows": "`multipass get local.driver` should say hyperv: VirtualBox's machines cannot reach each other. Then run the command again.",
}


@dataclass(frozen=True)
class Waiting:
    """How it is waited for what Multipass cannot tell by itself. Seconds."""

    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    every_s: float = 1.0
    comes_up_s: float = 900.0
    set_up_s: float = 900.0
    address_s: float = 60.0

    def until(self, look: Callable[[], _T], enough: Callable[[_T], bool], timeout_s: float) -> _T:
        """Look again and again until it is enough, or until the deadline; returns what was seen last."""
        deadline = self.clock() + timeout_s
        while not enough(seen := look()) and self.clock() < deadline:
            self.pause(self.every_s)
        return seen


@dataclass(frozen=True)
class Launcher:
    """Brings machines up that are not ready yet, and so hold nothing of the learner's."""

    command: Command
    glance: Glance
    turns: Turns
    waiting: Waiting

    def bring_up(self, spec: MachineSpec, user_data: bytes, setup: bytes) -> None:
        """Make sure the machine runs and is set up. Raises LabError and leaves none, if it cannot be had."""
        seen = self.glance.at(spec.name, max_age_s=_JUST_NOW_S)
        if seen and seen.state not in _COMES_UP:
            self.purge(spec.name)
            seen = None
        if seen is None:
            with self.turns.launch():
                self._launch(spec, user_data)
        else:
            self._wait_until_running(spec.name)
        self._set_up(spec.name, setup)

    def address(self, name: str) -> str:
        """The machine's own address. Raises LabError if it gets none."""
        found = self.waiting.until(lambda: self.command.address(name), bool, self.waiting.address_s)
        if not found:
            raise MultipassError(
                f"{name} has no address that this computer can reach",
                why="Multipass names none but those inside the machine.",
                fix=_NO_ADDRESS[self.command.system.name],
            )
        return found

    def purge(self, name: str) -> None:
        """Remove one machine, in any state, for good; none is fine too."""
        with self.turns.alone():
            done = self.command.call("delete", "--purge", name, timeout_s=_PURGE_S)
        self.glance.forget()
        if done.code != 0:
            error = explain(done, f"{name} could not be removed", name, self.command.system)
            if error.kind != "gone":
                raise error

    def _launch(self, spec: MachineSpec, user_data: bytes) -> None:
        try:
            done = self.command.launch(spec, IMAGE, user_data, timeout_s=LAUNCH_S)
            error = None if done.code == 0 else explain(done, f"{spec.name} could not be made", spec.name, self.command.system)
        except MultipassUnreachable as late:
            error = late
        finally:
            self.glance.forget()
        if error is not None:
            self._look_after(spec.name, error)

    def _look_after(self, name: str, error: MultipassError | MultipassUnreachable) -> None:
        """After a launch that failed: go on waiting if it makes sense, else purge what is left and raise what it was."""
        seen = self.glance.at(name)
        if error.kind in _WORTH_A_LOOK and (seen.state in _COMES_UP if seen else error.kind in _STILL_PREPARED):
            self._wait_until_running(name, error, may_be_absent=error.kind in _STILL_PREPARED)
            return
        error.may_appear = seen is None and error.kind == "deadline"
        if seen and error.kind != "taken":
            self.purge(name)
        raise error

    def _wait_until_running(
        self, name: str, error: MultipassError | MultipassUnreachable | None = None, *, may_be_absent: bool = False
    ) -> None:
        """Wait as long as it is starting, or (while its image is fetched) not to be seen yet. What does not get to run is purged."""
        waits_for: tuple[MachineState | None, ...] = (MachineState.STARTING, *([None] if may_be_absent else []))

        def look() -> MachineState | None:
            seen = self.glance.at(name)
            return seen.state if seen else None

        state = self.waiting.until(look, lambda state: state not in waits_for, self.waiting.comes_up_s)
        if state is MachineState.RUNNING:
            return
        if state is not None:
            self.purge(name)
        elif error:
            error.may_appear = may_be_absent
        why = "An earlier start of it was interrupted, and it did not get to run. What there was of it is removed."
        raise error or MultipassError(f"{name} does not come up", why=why, fix="Run the command again.")

    def _set_up(self, name: str, setup: bytes) -> None:
        """Wait for cloud-init and make the user student. The machine may have to be asked again until its ssh server answers."""
        deadline = self.waiting.clock() + self.waiting.set_up_s
        while True:
            left = deadline - self.waiting.clock()
            try:
                done = Inside(self.command, name).run(["sh", "-s"], user="root", timeout_s=max(left, 1.0), input=setup)
                done.check(f"{name} could not be set up", fix="`lab delete`, then `lab start` makes it anew.")
                return
            except MultipassUnreachable as unreachable:
                if unreachable.kind not in ("no-route", "not-running") or left <= 0:
                    raise
            self.waiting.pause(self.waiting.every_s)
