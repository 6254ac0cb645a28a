"""Reference pages made from the source: lab.yaml from its model, checkers from the docstrings. The command's own is in courselab.cli.reference."""

from __future__ import annotations

import inspect
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from courselab import grade
from courselab.course import model
from courselab.grade.cluster import Cluster
from courselab.grade.evidence import FileState, K3sState, PortState, UnitState, evidence_schema
from courselab.grade.expect import Expectation
from courselab.grade.nodes import File, Node, Port, Probes
from courselab.grade.toolbox import Lab as Toolbox

MADE = "<!-- Made by `lab site reference`. Change the source, not this page. -->\n\n"
_PARTS: tuple[tuple[type[msgspec.Struct], str], ...] = (
    (model.LabFile, "The file"),
    (model.MachineNeed, "machines: a machine"),
    (model.K3sNeed, "k3s"),
    (model.Parameter, "params: a parameter"),
    (model.Task, "tasks: a task"),
    (model.Collect, "collect: facts of a machine"),
)
_MARKERS = ("check", "diagnose", "fact", "probe")
_SAYING = ("expect", "fail", "partial")


def lab_yaml_page() -> str:
    """docs/reference/lab-yaml.md: every key with its type, default and meaning, as the model's source says them."""
    parts = [
        MADE,
        "# lab.yaml\n\n",
        "Every key that `labs/NN-slug/lab.yaml` may have. A key that is not listed is refused, with the line it stands in. ",
        "[How a lab.yaml is written](../authors/lab-yaml.md) shows it in use; editors that know JSON Schema complete it with ",
        "[lab.schema.json](lab.schema.json).\n",
    ]
    for struct, title in _PARTS:
        parts.append(f"\n## {title}\n\n{inspect.getdoc(struct) or ''}\n\n| key | type | default | |\n|---|---|---|---|\n")
        comments = _comments(struct)
        for field in msgspec.structs.fields(struct):
            meaning = comments.get(field.name, "").replace("|", "\\|")
            parts.append(f"| `{field.name}` | {_type(field.type)} | {_default(field)} | {meaning} |\n")
    return "".join(parts)


def lab_yaml_schema() -> str:
    """docs/reference/lab.schema.json: the same as JSON Schema."""
    schema = msgspec.json.schema(model.LabFile)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "lab.yaml", **schema}, indent=1) + "\n"


def evidence_json_schema() -> str:
    """docs/reference/evidence.schema.json: what `lab check --save-evidence` writes, as JSON Schema."""
    return (
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Evidence", **evidence_schema()}, indent=1) + "\n"
    )


def checkers_page() -> str:
    """docs/reference/checkers.md: decorators, what functions are given, predicates."""
    predicates = [name for name in grade.__all__ if name not in (*_MARKERS, *_SAYING) and inspect.isfunction(getattr(grade, name))]
    return "".join(
        [
            MADE,
            "# Checkers\n\nEverything that `checkers/chNN.py` may use. [How checks are written](../authors/checks.md) shows it in use.\n",
            "\n```python\nfrom courselab.grade import at_least, check, diagnose, expect, fact, fail, image, partial, probe\n```\n",
            "\n## Marking functions\n",
            *(_entry(f"@{name}", getattr(grade, name)) for name in _MARKERS),
            "\n## Saying what is not right\n",
            *(_entry(name, getattr(grade, name)) for name in _SAYING),
            *_methods("expectation", Expectation),
            "\n## Predicates\n\nThey stand in patterns for a value.\n",
            "\n### `ANY`, `ABSENT`\n\nAnything that is there; nothing there.\n",
            *(_entry(name, getattr(grade, name)) for name in predicates),
            "\n## What a check is given\n",
            *_methods("cluster", Cluster),
            *_methods('nodes["server"]', Node),
            *_fields('nodes["server"].k3s', K3sState),
            *_fields('nodes["server"].unit(…)', UnitState),
            *_fields('nodes["server"].port(…)', Port),
            *_fields('nodes["server"].ports[0]', PortState),
            *_fields('nodes["server"].file(…)', FileState, leave_out=("text", "problem")),
            *_methods('nodes["server"].file(…)', File),
            *_methods("probes", Probes),
            "\n## What a probe is given\n\nThe live lab, `lab`: every call has the probe's deadline.\n",
            *_methods("lab", Toolbox),
        ]
    )


def _entry(name: str, function: Any, *, level: int = 3) -> str:
    called = _signature(function)
    return f"\n{'#' * level} `{name}`\n\n```python\n{name.lstrip('@')}{called}\n```\n\n{_prose(inspect.getdoc(function) or '')}\n"


def _methods(name: str, kind: type) -> Iterator[str]:
    """The public methods and properties of what a function is given, in the order of the source."""
    for attribute, value in vars(kind).items():
        if attribute.startswith("_"):
            continue
        said = inspect.getdoc(value) or ""
        if isinstance(value, property) and said:
            yield f"\n### `{name}.{attribute}`\n\n{_prose(said)}\n"
        elif inspect.isfunction(value) and said:
            called = _signature(value).replace("(self, ", "(").replace("(self)", "()")
            yield f"\n### `{name}.{attribute}`\n\n```python\n{attribute}{called}\n```\n\n{_prose(said)}\n"


def _fields(name: str, kind: type, leave_out: tuple[str, ...] = ()) -> Iterator[str]:
    """What something that a function is given has in it, with the comments of the source."""
    comments = _comments(kind)
    yield f"\n### `{name}`: what is in it\n\n| | |\n|---|---|\n"
    yield from (f"| `.{field}` | {comments.get(field, '')} |\n" for field in inspect.get_annotations(kind) if field not in leave_out)


def _signature(function: Any) -> str:
    """The call as source writes it, without the types of Python's own plumbing."""
    found = inspect.signature(function)
    plain = [one.replace(annotation=inspect.Parameter.empty) for one in found.parameters.values()]
    return str(found.replace(parameters=plain, return_annotation=inspect.Signature.empty)).replace("'", '"')


def _prose(docstring: str) -> str:
    """A docstring as Markdown: names of arguments begin paragraphs of their own, indented blocks are code."""
    out: list[str] = []
    for block in docstring.split("\n\n"):
        lines = block.splitlines()
        if all(line.startswith("    ") or not line for line in lines) or lines[0].startswith(("with ", "@")):
            out.append("\n".join(["```python", *inspect.cleandoc(block).splitlines(), "```"]))
            continue
        text = ""
        for line in lines:
            text += ("\n\n" if re.match(r"`\w+`: ", line) and text else " " if text else "") + line.strip()
        out.append(text.replace("<", "&lt;"))
    return "\n\n".join(out)


def _comments(struct: type) -> dict[str, str]:
    """Field → the comment behind it in the source: the model is its own reference."""
    source = inspect.getsource(struct)
    comments: dict[str, str] = {}
    name = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.line.startswith("    ") and token.start[1] == 4:
            name = token.string
        elif token.type == tokenize.COMMENT and name:
            comments[name] = token.string.lstrip("# ").strip()
    return comments


def _type(kind: Any) -> str:
    """A type as an author says it."""
    info = msgspec.inspect.type_info(kind)
    return " or ".join(_words(info))


def _words(info: Any) -> Iterable[str]:
    known: dict[Any, str] = {
        msgspec.inspect.IntType: "number",
        msgspec.inspect.StrType: "text",
        msgspec.inspect.BoolType: "true or false",
        msgspec.inspect.FloatType: "number",
        msgspec.inspect.AnyType: "anything",
        msgspec.inspect.DictType: "mapping",
    }
    if isinstance(info, msgspec.inspect.UnionType):
        for part in info.types:
            if not isinstance(part, msgspec.inspect.NoneType):
                yield from _words(part)
    elif isinstance(info, msgspec.inspect.ListType):
        yield f"list of {' or '.join(_words(info.item_type))}"
    elif isinstance(info, msgspec.inspect.EnumType):
        yield ", ".join(f"`{member.value}`" for member in info.cls)
    elif isinstance(info, msgspec.inspect.StructType):
        yield "mapping"
    else:
        yield known.get(info.__class__, "value")


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value: Any = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory() if callable(field.default_factory) else None
    if value is None or value in ([], {}, "") or isinstance(value, (dict, msgspec.Struct)):
        return "" if value else "none" if value is None else "empty"
    return f"`{value.value}`" if hasattr(value, "value") else f"`{str(value).lower() if isinstance(value, bool) else value}`"
