"""The reference page of the `lab` command, made from the commands themselves."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import click

from courselab.cli.main import SECTIONS
from courselab.site.reference import MADE

_EXIT_CODES = """
## Exit codes

The highest that applies.

| code | meaning |
|---|---|
| 0 | done; for `lab check`: every task passed |
| 1 | some tasks have not passed; lint or tests found something |
| 2 | the command was called in a way that cannot be |
| 3 | a machine, or the lab, cannot be reached |
| 4 | an error of ours, or of this computer |
| 130 | interrupted |
"""


def commands_page() -> str:
    """docs/reference/commands.md."""
    parts = [
        MADE,
        "# Commands\n\nWithout a chapter (`NN`) a verb means the only running lab, else the one used last, and says which. ",
        "Results go to standard output, progress to standard error. `lab VERB --help` prints what stands here.\n",
    ]
    for section, verbs in SECTIONS.items():
        parts.append(f"\n## {section}\n")
        for verb in verbs:
            command = importlib.import_module(f"courselab.cli.{verb}").command
            parts += _verb(command, f"lab {verb}")
    return "".join([*parts, _EXIT_CODES])


def _verb(command: click.Command, name: str, level: int = 3) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield f"\n{'#' * level} {name}\n\n```text\n{usage}\n```\n\n{_prose(command.help or '')}\n"
    rows = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) and record[1] and "--help" not in record[0]
    ]
    if rows:
        yield "\n| option | |\n|---|---|\n" + "".join(f"| `{_cell(option)}` | {_cell(says)} |\n" for option, says in rows)
    if command.epilog:
        examples = re.sub(r"^Examples?:\s*", "", command.epilog.strip())
        yield "\n```console\n" + "".join(f"$ {one.strip()}\n" for one in _examples(examples)) + "```\n"
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            if found := command.get_command(context, child):
                yield from _verb(found, f"{name} {child}", level + 1)


def _examples(text: str) -> list[str]:
    """Examples stand on lines of their own, or side by side with wide gaps; what explains one stays with it as a comment."""
    found: list[str] = []
    for part in re.split(r"\n+|\s{3,}", text):
        if not part.strip():
            continue
        is_command = re.match(r"(\./)?lab\b|eval |source |curl |export ", part.strip())
        if is_command or not found:
            found.append(part)
        else:
            found[-1] += f"   # {part.strip('()')}"
    return found


def _prose(help_text: str) -> str:
    paragraphs = help_text.replace("\b", "").strip().split("\n\n")
    return "\n\n".join("\n".join(line.strip() for line in paragraph.splitlines()) for paragraph in paragraphs)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
