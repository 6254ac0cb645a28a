"""What the verbs share: options, the lab that is meant, the provider of machines, asking before something is lost."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from courselab.cli.console import stage_display
from courselab.course import Catalog, Lab
from courselab.errors import LabError, UsageError
from courselab.journal import Journal, Journalled
from courselab.machines import Provider
from courselab.paths import Paths, find_paths
from courselab.progress import Progress
from courselab.session.context import Context
from courselab.session.store import LabState, Store
from courselab.timings import Timings

_Command = TypeVar("_Command", bound=Callable[..., Any])


def json_option(command: _Command) -> _Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(command)


def yes_option(command: _Command) -> _Command:
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)


def on_option(command: _Command) -> _Command:
    return click.option("--on", "provider", metavar="PROVIDER", help="Where machines come from (see `lab doctor`).")(command)


def debug_option(command: _Command) -> _Command:
    return click.option("--debug", is_flag=True, expose_value=False, help="When something fails, show all there is to know.")(command)


def chapter_argument(command: _Command) -> _Command:
    return click.argument("chapter", required=False, metavar="[NN]", shell_complete=_complete_chapter)(command)


def _complete_chapter(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [chapter for chapter in Catalog(find_paths().course).chapters() if chapter.startswith(incomplete)]


class PassThrough(click.Command):
    """A verb whose words all belong to another program, `--` and unknown options included; only a lone --help is ours."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args in (["-h"], ["--help"]):
            return super().parse_args(ctx, args)
        ctx.params["words"] = tuple(args)
        return []


@dataclass(frozen=True)
class App:
    """One run of the command: the folders, the labs, and how the user wants to be asked."""

    paths: Paths
    catalog: Catalog
    store: Store
    progress: Progress
    journal: Journal
    yes: bool

    @classmethod
    def here(cls, *, yes: bool = False) -> App:
        _refuse_sudo()
        paths = find_paths()
        context = click.get_current_context(silent=True)  # a notebook has none
        journal = (context and context.find_object(Journal)) or Journal()
        progress = Journalled(stage_display(Timings(paths.cache)), journal)
        return cls(paths, Catalog(paths.course), Store(paths), progress, journal, yes)

    def meant(self, chapter: str | None, *, say: bool = True) -> Lab:
        """The lab of a chapter or, without one, the only running lab, else the one used last; says which. Its log is written from here on."""
        lab = self.catalog.find(chapter) if chapter else self._used(say=say)
        self.journal.open(self.paths.logs, lab.chapter)
        return lab

    def _used(self, *, say: bool) -> Lab:
        states = [state for name in self.store.chapters() if (state := self.store.load(name))]
        if not states:
            raise UsageError("No lab is started", why="Without a chapter, the lab that runs is meant.", fix="lab start 01")
        running = [state for state in states if state.phase.value == "ready"]
        state = running[0] if len(running) == 1 else max(states, key=lambda one: one.used_at)
        lab = self.catalog.find(state.chapter)
        if say and (len(states) > 1 or sys.stderr.isatty()):
            print(f"Lab {lab.chapter}: {lab.title}", file=sys.stderr)
        return lab

    def started(self, lab: Lab) -> LabState:
        """The state of a lab that was started. Raises UsageError if it was not."""
        state = self.store.load(lab.chapter)
        if state is None:
            raise UsageError(f"Lab {lab.chapter} is not started", why="There is no cluster of it.", fix=f"lab start {lab.chapter}")
        return state

    def context(self, provider: Provider) -> Context:
        return Context(self.paths, self.store, provider, self.progress)

    def context_of(self, state: LabState) -> Context:
        """The context of a started lab, with the provider that has its machines."""
        return self.context(self.provider(state.provider))

    def provider(self, wish: str | None) -> Provider:
        """The provider called `wish`, or the first usable one."""
        return self.provider_at(self.paths, wish)

    def provider_at(self, paths: Paths, wish: str | None) -> Provider:
        """The same, for machines that are kept elsewhere."""
        from courselab.machines.choose import choose_provider

        return choose_provider(paths, self.progress, wish or os.environ.get("LAB_PROVIDER", ""), ask=self.agree)

    def agree(self, question: str) -> bool:
        """Ask about something that adds to the computer. Root without a terminal agrees, as does --yes."""
        if self.yes:
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return sys.platform != "win32" and os.geteuid() == 0
        return click.confirm(question, default=True, err=True)

    def confirm(self, question: str) -> None:
        """Ask before something cannot be undone. Without a terminal and without --yes it is refused."""
        if self.yes:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(
                "This would remove something", why=f"{question} There is no terminal to ask on.", fix="Add --yes if you want it."
            )
        if not click.confirm(question, default=False, err=True):
            raise LabError("Nothing was changed", why="The answer was no.")


def on_terminal() -> bool:
    """Whether a person sits at both ends: then a program in a machine gets a terminal too."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _refuse_sudo() -> None:
    """`sudo lab …` would leave root's files in the learner's folders."""
    if sys.platform != "win32" and os.geteuid() == 0 and os.environ.get("SUDO_UID", "0") != "0":
        raise UsageError(
            "Run lab without sudo", why="It asks for sudo itself, only for what needs it.", fix="The same command, without sudo."
        )
