"""What a machine says about itself: one script run inside it, its answer as a NodeState, and the lab's own @fact functions."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import msgspec

from courselab.course.model import Collect
from courselab.errors import LabError
from courselab.grade.checker import FactFunction
from courselab.grade.dig import Obj, dig, rows, table, text, texts
from courselab.grade.evidence import FileState, K3sState, NodeState, PortState, UnitState
from courselab.grade.inject import call
from courselab.grade.plain_yaml import NotYaml, read_yaml
from courselab.grade.redact import Redactor
from courselab.machines.base import Machine

NODE_DEADLINE_S = 20.0  # what is asked there ends after 6 s; getting there takes a slow machine as long again
FACT_LIMIT_BYTES = 64 * 1024
UNITS = ("k3s", "k3s-agent")  # asked of every machine
LOG_LINES = 20
_ANSWER_LIMIT_BYTES = 8 * 1024 * 1024
_PYTHON = "/usr/bin/python3"
# $1 units, $2 files of kernel settings, then files. What listens has state 0A (TCP) or 07 (UDP). Few programs: it runs every ten or twenty seconds.
MARK = """
/usr/bin/systemctl show --no-pager -p ActiveState,SubState,MainPID,NRestarts,Result,UnitFileState -- $1
[ -z "$2" ] || /bin/cat -- $2
shift 2
k3s=/etc/rancher/k3s
/usr/bin/stat -L -c "%n %i %s %a %u %g %.9Z" -- /usr/local/bin/k3s $k3s $k3s/config.yaml $k3s/config.yaml.d $k3s/config.yaml.d/* "$@" 2>&1
exec /bin/grep -h -e " 0A " -e " 07 " /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6
"""


@dataclass(frozen=True)
class Asked:
    """A machine's own words, not yet cleaned of secrets; `answer` is None if it gave none, for the reason `why`."""

    answer: Obj | None
    why: str = ""
    facts: tuple[tuple[str, Any], ...] = ()
    problems: tuple[str, ...] = ()


def ask_node(machine: Machine, wanted: Collect, functions: Sequence[FactFunction] = (), params: Mapping[str, str] | None = None) -> Asked:
    """Run the script and the lab's @fact functions. Raises nothing: a machine that does not answer is an answer too."""
    request = {
        "units": _units(wanted),
        "files": wanted.files,
        "sysctls": wanted.sysctls,
        "log_lines": LOG_LINES,
        "nonce": secrets.token_hex(8),  # an answer that was written beforehand does not have it
    }
    script = resources.files("courselab.grade").joinpath("machine_facts.py").read_text(encoding="utf-8")
    try:
        done = machine.run([_PYTHON, "-I", "-S", "-c", script], input=json.dumps(request).encode(), timeout_s=NODE_DEADLINE_S)
    except LabError as silent:
        return Asked(None, silent.sentences)
    if done.code != 0 or len(done.stdout) > _ANSWER_LIMIT_BYTES:
        why = done.error_text.splitlines()[-1:] or [f"its Python ended with code {done.code}"]
        return Asked(None, f"It could not be asked: {why[0][:300]}")
    try:
        answer = msgspec.json.decode(done.stdout, type=dict[str, Any])
    except msgspec.MsgspecError as broken:
        return Asked(None, f"Its answer cannot be read: {broken}")
    if answer.get("nonce") != request["nonce"]:
        return Asked(None, f"Its {_PYTHON} did not run what it was given, so it is not the system's own")
    facts, problems = _run_facts(machine, functions, params or {})
    return Asked(answer, "", tuple(facts), tuple(problems))


def mark_of(machine: Machine, wanted: Collect) -> bytes:
    """Text that changes when something does that `ask_node` would tell, all but log lines; empty if the machine does not answer.

    A fifth of its cost: so a watch may look often, and ask in full only when there is something new.
    """
    try:
        settings = " ".join(f"/proc/sys/{name.replace('.', '/')}" for name in wanted.sysctls)
        argv = ["/bin/sh", "-c", MARK, "sh", " ".join(_units(wanted)), settings, *wanted.files]
        return machine.run(argv, timeout_s=NODE_DEADLINE_S).stdout
    except LabError:
        return b""


def _units(wanted: Collect) -> list[str]:
    return list(dict.fromkeys([*UNITS, *(unit.removesuffix(".service") for unit in wanted.units)]))


def node_state(address: str, asked: Asked, redactor: Redactor) -> NodeState:
    """What the machine said, as Evidence."""
    if asked.answer is None:
        return NodeState(reachable=False, why=redactor.text(asked.why))
    for what in texts(asked.answer, "trimmed")[:20]:
        redactor.note(f"{text(asked.answer, 'hostname')[:64]}: {what[:300]}")
    state = _state(address, asked.answer, redactor)
    return msgspec.structs.replace(
        state,
        facts={name: redactor.value(value) for name, value in asked.facts},
        problems=[*state.problems, *(redactor.text(problem) for problem in asked.problems)],
    )


def _run_facts(machine: Machine, functions: Sequence[FactFunction], params: Mapping[str, str]) -> tuple[list[tuple[str, Any]], list[str]]:
    facts: list[tuple[str, Any]] = []
    problems: list[str] = []
    host: Any = None
    for fact in functions:
        try:
            if host is None:
                from courselab.grade.testinfra_host import host_of

                host = host_of(machine)
            result = call(fact.function, {"host": host, "params": params})
            if len(json.dumps(result)) > FACT_LIMIT_BYTES:
                raise ValueError(f"it returned more than {FACT_LIMIT_BYTES >> 10} KiB")
            facts.append((fact.mark.name, result))
        except Exception as broken:  # a lab's own code: whatever it raises is told, and belongs to no other fact
            problems.append(f"fact {fact.mark.name}: {type(broken).__name__}: {str(broken)[:300]}")
    return facts, problems


def _state(address: str, answer: Obj, redactor: Redactor) -> NodeState:
    """The script's answer, checked field by field: it comes from a machine that a student owns."""
    configs = {path: _file(path, table(answer, "configs", path), redactor) for path in table(answer, "configs")}
    config, problem = merge_configs({path: text(answer, "configs", path, "text") for path in configs})
    clock = dig(answer, "time")
    return NodeState(
        reachable=True,
        address=address,
        hostname=text(answer, "hostname")[:255],
        time=float(clock) if isinstance(clock, (int, float)) else 0.0,
        units={name: _unit(table(answer, "units", name), redactor) for name in table(answer, "units")},
        files={path: _file(path, table(answer, "files", path), redactor) for path in table(answer, "files")},
        ports=[_convert(row, PortState) for row in rows(answer, "ports")],
        sysctls={key: value if isinstance(value, str) else None for key, value in table(answer, "sysctls").items()},
        k3s=K3sState(
            installed=bool(answer.get("k3s_installed")),
            version=_version(text(answer, "k3s_version")),
            config=redactor.mapping(config),
            config_files=configs,
            problem=problem,
        ),
        problems=[problem[:300] for problem in texts(answer, "problems")],
        untrusted={path[:300]: str(why)[:300] for path, why in list(table(answer, "untrusted").items())[:20]},
    )


def _unit(answer: Obj, redactor: Redactor) -> UnitState:
    return _convert({**answer, "log": [redactor.text(line) for line in texts(answer, "log")]}, UnitState)


def _file(path: str, answer: Obj, redactor: Redactor) -> FileState:
    content = answer.get("text")
    if isinstance(content, str):
        answer = {**answer, "text": redactor.file(path, content)}
    return _convert({"exists": False, **answer}, FileState)


def _convert(value: Obj, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as wrong:
        if kind is FileState:
            return FileState(exists=False, problem=f"the machine's answer cannot be read: {wrong}")
        return kind() if kind is UnitState else PortState(port=0)


def _version(printed: str) -> str:
    """`k3s --version` prints "k3s version v1.36.3+k3s1 (1a2b3c4d)" and then the Go version."""
    words = printed.split()
    return next((word for word in words if word.startswith("v") and word[1:2].isdigit()), "")


def merge_configs(files: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """config.yaml and the files of config.yaml.d, the later over the earlier; "key+" adds to a list. Also: what is wrong with them.

    https://docs.k3s.io/installation/configuration#multiple-config-files
    """
    merged: dict[str, Any] = {}
    problem = ""
    if not any(files.values()):
        return merged, problem
    for path, content in files.items():
        try:
            part = read_yaml(content)
        except NotYaml as broken:
            problem = f"{path}: {broken}"
            continue
        for key, value in table({"": part}, "").items():
            if key.endswith("+"):
                merged[key[:-1]] = [*_as_list(merged.get(key[:-1])), *_as_list(value)]
            else:
                merged[key] = value
    return merged, problem


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return [*value] if isinstance(value, list) else [value]
