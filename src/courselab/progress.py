"""Saying what takes a while, without knowing how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Ask = Callable[[str], bool]  # a question to the user, answered yes or no


class Stage(Protocol):
    """One thing that is going on."""

    def update(self, detail: str, fraction: float | None = None) -> None:
        """Say what is being done now, and how much of the stage is done (0 to 1) where that is known."""
        ...


class Progress(Protocol):
    """Shows stages; the command line draws them, tests record them. Safe to use from several threads."""

    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> AbstractContextManager[Stage]:
        """A stage for as long as the `with` block runs. `eta_s`: about how many seconds it takes."""
        ...

    def say(self, line: str) -> None:
        """One line the user should see now."""
        ...


class Silent:
    """Shows nothing."""

    def update(self, detail: str, fraction: float | None = None) -> None:
        """Nobody is told."""

    @contextmanager
    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> Generator[Stage]:
        """Nobody is told."""
        yield self

    def say(self, line: str) -> None:
        """Nobody is told."""
