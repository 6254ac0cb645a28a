"""Evidence: everything that is known about a lab at one moment, as a versioned JSON document. Frozen once collected.

Fields are documented here; `evidence_schema()` is the JSON Schema made from them. Objects are as the API gave them, with
`kind` and `apiVersion` on each, without `managedFields`, and with secrets replaced (courselab.grade.redacted). What did not fit
the bounds is cut and named in `trimmed`; what could not be had is named in `missing`.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import msgspec

from courselab.errors import UsageError
from courselab.files import write_atomic

SCHEMA = 1
_MAX_FILE_BYTES = 256 * 1024 * 1024


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of the document. Unknown keys are ignored, so that an older program reads what a newer one wrote."""


class KindList(_Part, frozen=True):
    """All objects of one kind."""

    api: str  # "apps/v1"
    items: list[dict[str, Any]] = []
    namespaced: bool = True
    served: bool = True  # false: this cluster has no such kind
    trimmed: int = 0  # at least how many more there are that were not collected
    cut: list[str] = []  # uids of objects of which not all was kept
    version: str = ""  # the list's resourceVersion: from here on a watch would tell what changed
    changed: dict[str, float] = {}  # uid → when its spec or data last changed (Unix seconds), of those changed in the last minute


class ContainerLog(_Part, frozen=True):
    """The last lines of a container that crashed or is not ready."""

    namespace: str
    pod: str
    container: str
    lines: list[str]
    previous: bool = False  # from the run before the present one


class ClusterState(_Part, frozen=True):
    """What the Kubernetes API says."""

    reachable: bool
    why: str = ""  # if not reachable: how it failed
    asked: bool = True  # false: no machine that runs a server could be reached, so nothing is known about the cluster
    version: str = ""  # "v1.36.3+k3s1"
    kinds: dict[str, KindList] = {}
    logs: list[ContainerLog] = []


class UnitState(_Part, frozen=True):
    """A systemd unit."""

    load: str = "not-found"  # loaded, not-found, masked, …
    active: str = "inactive"  # active, inactive, failed, activating, …
    sub: str = ""  # running, dead, auto-restart, …
    enabled: str = ""  # enabled, disabled, …
    result: str = ""  # success, exit-code, …
    since: float | None = None  # when it became active, Unix seconds
    restarts: int = 0
    pid: int = 0
    exit_code: int | None = None  # of its main process, if that ended
    log: list[str] = []  # last lines


class FileState(_Part, frozen=True):
    """A file of a machine. `text` is absent for folders, for what is not text and for what could not be read."""

    exists: bool
    kind: str = ""  # file, folder, link, other
    text: Any = None  # its content, at most 64 KiB; the place holder of a secret if all of it is secret
    size: int = 0
    mode: str = ""  # "600"
    owner: str = ""
    group: str = ""
    modified: float = 0.0  # Unix seconds
    target: str = ""  # of a symbolic link
    names: list[str] = []  # of a folder: what is in it
    cut: bool = False  # there is more than `text` holds
    problem: str = ""  # why it could not be read


class PortState(_Part, frozen=True):
    """A listening TCP or UDP port."""

    port: int
    address: str = ""
    protocol: str = "tcp"


class K3sState(_Part, frozen=True):
    """K3s as it is installed on a machine."""

    version: str = ""  # what `k3s --version` says: "v1.36.3+k3s1"
    installed: bool = False
    config: dict[str, Any] = {}  # config.yaml with config.yaml.d over it, merged as K3s does
    config_files: dict[str, FileState] = {}
    problem: str = ""  # a config file that is not YAML


class NodeState(_Part, frozen=True):
    """What one machine says about itself."""

    reachable: bool
    why: str = ""
    address: str = ""
    hostname: str = ""
    time: float = 0.0  # its clock, Unix seconds
    units: dict[str, UnitState] = {}
    files: dict[str, FileState] = {}
    ports: list[PortState] = []
    sysctls: dict[str, str | None] = {}
    k3s: K3sState = K3sState()
    facts: dict[str, Any] = {}
    problems: list[str] = []  # facts that could not be had
    untrusted: dict[str, str] = {}  # programs and modules that this answer rests on and that are not the system's own, and why


class ProbeResult(_Part, frozen=True):
    """What an experiment showed. One of `result`, `failure` and `error` is there."""

    result: Any = None
    failure: dict[str, Any] | None = None  # the probe itself says the task is not done
    error: str = ""  # the probe could not be made
    ours: bool = False  # because its own code broke
    at: float = 0.0  # Unix seconds
    reused: bool = False  # from an earlier run; what it is about has not changed since


class Missing(_Part, frozen=True):
    """Something that could not be collected."""

    what: str  # "cluster/Deployment", "nodes/server", "nodes/server/fact/tls_sans"
    why: str


class K3sName(_Part, frozen=True):
    """Which Kubernetes the lab runs."""

    distribution: str = "k3s"  # k3s or stand-in
    version: str = ""


class Evidence(_Part, frozen=True):
    """The whole document."""

    schema: int
    lab: str  # chapter: "02"
    cluster: ClusterState
    student: str = ""
    provider: str = ""
    k3s: K3sName = K3sName()
    course: str = ""  # version of this program
    collected: float = 0.0  # Unix seconds
    seconds: float = 0.0  # how long collecting took
    params: dict[str, Any] = {}
    nodes: dict[str, NodeState] = {}
    probes: dict[str, ProbeResult] = {}
    missing: list[Missing] = []
    trimmed: list[str] = []  # what was cut, in words
    from_run: dict[str, Any] = {}  # free for who saves it: a case's name, the expected verdicts


def cluster_time(evidence: Evidence) -> float:
    """When the Evidence was collected, by the clock of a machine where one is known: that is the clock of the times in objects."""
    return next((node.time for node in evidence.nodes.values() if node.time), evidence.collected)


def encode(evidence: Evidence) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(evidence)


def decode(data: bytes, name: str = "This document") -> Evidence:
    """Read the document. Raises UsageError if it is none, or is of another schema."""
    try:
        evidence = msgspec.json.decode(data, type=Evidence)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as invalid:
        fix = "Evidence is written by `lab check --save-evidence FILE`."
        raise UsageError(f"{name} is not Evidence", why=str(invalid), fix=fix) from invalid
    if evidence.schema != SCHEMA:
        raise UsageError(
            f"{name} is Evidence of schema {evidence.schema}", why=f"This version reads schema {SCHEMA}.", fix="Update the course."
        )
    return evidence


def save(evidence: Evidence, path: Path) -> None:
    """Write the document to a file, atomically; private, because it shows a lab from inside. A name that ends with .gz packs it.

    Raises UsageError if that cannot be.
    """
    data = encode(evidence) + b"\n"
    try:
        if path.exists() and not path.is_file():  # replacing /dev/stdout would take it away from everybody
            raise UsageError(f"{path} cannot be written", why="It is there, and is no file.", fix="Name a file in a folder of yours.")
        write_atomic(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    except OSError as unwritable:
        why = f"{unwritable.strerror or unwritable}."
        raise UsageError(f"{path} cannot be written", why=why, fix="Name a file in a folder of yours.") from unwritable


def load(path: Path) -> Evidence:
    """Read the document from a file. Raises UsageError if that cannot be."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            why = f"It has more than {_MAX_FILE_BYTES >> 20} MiB."
            raise UsageError(f"{path} is too large for Evidence", why=why, fix="Is it the right file?")
        data = _unpack(path) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as unreadable:
        why = getattr(unreadable, "strerror", None) or unreadable
        raise UsageError(f"{path} cannot be read", why=f"{why}.", fix="Is it the right file?") from unreadable
    return decode(data, str(path))


def _unpack(path: Path) -> bytes:
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(path.read_bytes(), _MAX_FILE_BYTES)


def evidence_schema() -> dict[str, Any]:
    """The JSON Schema of the document, made from the types above."""
    return msgspec.json.schema(Evidence)
