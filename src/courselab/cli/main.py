"""The command itself: finds the verb's module only when it is needed, and is the one place where errors are shown and processes end."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import traceback
from typing import NoReturn

import click

from courselab import __version__, process
from courselab.cli.failure import show_bug, show_error
from courselab.errors import LabError, UsageError
from courselab.journal import Journal

# verb → what `lab --help` says about it. The verb's module is courselab.cli.<verb>, its command is called `command`.
SECTIONS: dict[str, dict[str, str]] = {
    "Working on a lab": {
        "list": "Show the chapters and how far you are.",
        "start": "Start a chapter's lab.",
        "tasks": "Show what there is to do.",
        "check": "Check your work and say what is missing, and why.",
        "hint": "Get the next hint for a task.",
        "serve": "Read the course in a browser, with your lab on its pages.",
        "status": "Show the running labs and their machines.",
        "shell": "Open a shell on a lab machine.",
        "kubectl": "Run kubectl in the lab's cluster.",
        "env": "Print the lab's variables for your own shell.",
        "solution": "Show the solution of a task you have solved.",
        "progress": "Show what you have reached, chapter by chapter.",
    },
    "A lab's life": {
        "stop": "Shut a lab down and keep everything.",
        "resume": "Start a stopped lab again.",
        "snapshot": "Keep a lab as it is now.",
        "snapshots": "Show the snapshots of a lab.",
        "restore": "Put a lab back to a snapshot.",
        "reset": "Make a lab anew; your files stay.",
        "delete": "Remove a lab and its machines; your files stay.",
        "bundle": "Carry the course to where there is no internet.",
        "doctor": "See what this computer can run, and what is missing.",
    },
    "Working on the course": {
        "new": "Make a new chapter that works.",
        "lint": "Find what is missing or does not fit in chapters.",
        "verify": "Prove that a chapter's checks grade right.",
        "test": "Run the tests.",
        "site": "Build the course site and its reference pages.",
        "completion": "Print completion for bash, zsh or fish.",
    },
}
VERBS = {verb: says for verbs in SECTIONS.values() for verb, says in verbs.items()}


class LazyGroup(click.Group):
    """A group whose verbs are imported when they are called, so that `lab --help` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        return importlib.import_module(f"courselab.cli.{cmd_name}").command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            raise click.UsageError(f"there is no verb {args[0][:40]!r}." + (f" Did you mean `lab {near[0]}`?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, verbs in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(list(verbs.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.version_option(__version__, prog_name="lab")
def lab() -> None:
    """A course on K3s whose every chapter comes with a real cluster.

    Begin with:  lab start 01   then work, and:  lab check
    """


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}  # a folder of another user's, say


def main() -> NoReturn:
    """Run the command and end the process with the designed exit code."""
    debug = "--debug" in sys.argv
    journal = Journal()
    process.watch(journal.ran)
    journal.note(f"lab {_words(sys.argv[1:])}")
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)
    try:
        code = lab.main(prog_name="lab", standalone_mode=False, obj=journal)
        sys.stdout.flush()
        code = code if isinstance(code, int) else 0
        journal.note(f"ends with {code}")
        _leave(code)
    except click.exceptions.Exit as ended:
        _leave(ended.exit_code)
    except click.exceptions.NoArgsIsHelpError as asks:
        asks.show()
        _leave(2)
    except click.UsageError as wrong:
        path = wrong.ctx.command_path if wrong.ctx else "lab"
        show_error(wrong.format_message().rstrip("."), fix=f"`{path} --help` shows how it is used.")
        _leave(2)
    except click.ClickException as wrong:
        show_error(wrong.format_message())
        _leave(2)
    except LabError as error:
        journal.note(f"error: {error.sentences}")
        log = str(journal.path or "") if error.exit_code != UsageError.exit_code else ""
        show_error(error.what, error.why, error.fix, docs=error.docs, log=log, detail=error.detail if debug else "")
        _leave(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        journal.note("interrupted")
        print("\nInterrupted. The same command goes on where it stopped.", file=sys.stderr)
        _leave(130)
    except BrokenPipeError:
        _leave(141)  # the reader of our output went away, as in `lab list | head`
    except Exception as bug:
        journal.note(f"bug: {bug!r}")
        _show_unexpected(bug, debug=debug, log=str(journal.path or ""))
        _leave(4)


def _show_unexpected(bug: Exception, *, debug: bool, log: str) -> None:
    """Say what nobody foresaw: the disk's and the file system's own refusals are no bugs."""
    refused, path = (bug.errno, bug.filename) if isinstance(bug, OSError) else (None, None)
    if refused in _NO_ROOM:
        why = f"{path or 'A file'} could not be written."
        show_error("The disk is full", why, "Free some space, then run the same command again; it goes on where it stopped.")
    elif refused in _NOT_OURS and path:
        fix = "Make it your own, or set LAB_HOME to a folder of yours."
        detail = "".join(traceback.format_exception(bug)) if debug else ""
        show_error(f"{path} cannot be used", os.strerror(refused), fix, log=log if os.path.exists(log) else "", detail=detail)
    else:
        show_bug(bug, debug=debug, log=log)


def _words(words: list[str]) -> str:
    """A command line for the log. What follows a verb that hands its words to another program may be anything, and is the learner's own."""
    verb = next((word for word in words if word in VERBS), "")
    return f"{verb} …" if verb in ("kubectl", "shell") else " ".join(words)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """End what other threads wait for, so that the main one can tidy up and leave."""
    process.end_running()
    raise KeyboardInterrupt


def _leave(code: int) -> NoReturn:
    """End at once: threads that wait for a machine must not hold the user's prompt, and nothing they run outlives us."""
    process.end_for_good()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (BrokenPipeError, ValueError):
        pass
    os._exit(code)
