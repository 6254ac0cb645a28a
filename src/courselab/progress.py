"""Saying what takes time. Long work reports stages; the command line decides how they look."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Where long work reports what it does. Safe to use from several threads."""

    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> AbstractContextManager[None]:
        """A stage that lasts as long as the `with` block; `eta_s` is about how many seconds it takes."""
        ...

    def say(self, line: str) -> None:
        """One line the user should see now."""
        ...


class Silent:
    """Progress that nobody watches."""

    @contextmanager
    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> Generator[None]:
        yield

    def say(self, line: str) -> None:
        pass
