"""The provider `local` for a user who is not root: what needs root is done by a helper that is started once through sudo.

What there is to know about machines is read from the state folder, which the user may read, without any helper.
"""

from __future__ import annotations

import atexit
import itertools
import subprocess
import sys
import threading
from collections.abc import Collection, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from courselab import process
from courselab.errors import LabError
from courselab.machines.base import Availability, Completed, Machine, MachineSpec, MachineState, Usage
from courselab.machines.local import available, record
from courselab.machines.local.host import Host
from courselab.machines.local.leftovers import clear, leftovers
from courselab.machines.local.machine import LocalMachine
from courselab.machines.local.packages import find_program
from courselab.machines.local.provider import NAME
from courselab.machines.local.wire import Channel, Message, error_from_json
from courselab.paths import Paths
from courselab.progress import Ask, Progress, Stage

# Our own folder comes first on the path; -I keeps out what the user's environment says about Python.
START = "import sys; sys.path.insert(0, sys.argv[1]); from courselab.machines.local.helper import main; main(sys.argv[2:])"
SUDO_TIMEOUT_S = 15.0


class Client:
    """The helper, started when it is first needed. Many threads may call at once."""

    def __init__(self, paths: Paths, progress: Progress, ask: Ask) -> None:
        self._paths = paths
        self._progress = progress
        self._ask = ask
        self._lock = threading.Lock()
        self._channel: Channel | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, SimpleQueue[Message | None]] = {}

    def call(self, name: str, body: bytes = b"", /, **args: Any) -> Message:
        """Have the helper do something and wait for its answer. Raises what the helper raised."""
        reply: SimpleQueue[Message | None] = SimpleQueue()
        with self._lock:
            channel = self._channel = self._channel or self._start()
            number = next(self._numbers)
            self._waiting[number] = reply
        try:
            channel.send(Message({"id": number, "call": name, "args": args}, body))
        except OSError:
            reply.put(None)
        message = reply.get()
        if message is None:
            raise LabError("The part of `lab` that runs as root has ended", why="sudo refused, or it was stopped.", fix="Try again.")
        if "error" in message.head:
            raise error_from_json(message.head["error"])
        return message

    def _start(self) -> Channel:
        for folder in (self._paths.state, self._paths.cache):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # made here, so that they are the user's
        self._announce()
        paths = self._paths
        folders = [str(path) for path in (paths.course, paths.state, paths.cache, paths.config, paths.work)]
        helper = subprocess.Popen(
            ["sudo", "--", sys.executable, "-I", "-S", "-c", START, str(_source_folder()), *folders],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if helper.stdin is None or helper.stdout is None:
            raise LabError("The part of `lab` that runs as root could not be started", why="It has no pipes.", fix="Try again.")
        channel = Channel(helper.stdout, helper.stdin)
        threading.Thread(target=self._listen, args=(channel,), daemon=True).start()
        atexit.register(_end, channel, helper)
        return channel

    def _announce(self) -> None:
        """Say why before sudo asks for a password; without a terminal to ask on, refuse."""
        if _sudo_is_open():
            return
        if not sys.stderr.isatty():
            raise LabError(
                "Machines on this computer need root",
                why="sudo wants a password, and there is no terminal to ask for it on.",
                fix="Run `sudo true` first, or run `lab` on a terminal.",
            )
        self._progress.say("Machines on this computer need root. sudo may ask for your password.")

    def _listen(self, channel: Channel) -> None:
        shown: dict[int, tuple[AbstractContextManager[Stage], Stage]] = {}
        while message := channel.receive():
            head = message.head
            if "id" in head:
                self._waiting.pop(head["id"]).put(message)
            elif "say" in head:
                self._progress.say(head["say"])
            elif "ran" in head:
                process.tell(head["ran"], head["code"], head["seconds"], head["errors"])
            elif "ask" in head:
                channel.send(Message({"answer": head["ask"], "yes": self._ask(head["question"])}))
            else:
                self._show(shown, head)
        with self._lock:
            waiting, self._waiting, self._channel = self._waiting, {}, None
        for reply in waiting.values():
            reply.put(None)

    def _show(self, shown: dict[int, tuple[AbstractContextManager[Stage], Stage]], head: dict[str, Any]) -> None:
        number = head["stage"]
        if "name" in head:
            manager = self._progress.stage(head["name"], head["detail"], eta_s=head["eta_s"])
            shown[number] = (manager, manager.__enter__())
        elif "end" in head:
            shown.pop(number)[0].__exit__(None, None, None)
        else:
            shown[number][1].update(head["detail"], head["fraction"])


def _sudo_is_open() -> bool:
    """Whether sudo asks for nothing. In our own session, as the helper: what sudo remembers is for one terminal, which `process.run` leaves."""
    try:
        asked = subprocess.run(["sudo", "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=SUDO_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def _end(channel: Channel, helper: subprocess.Popen[bytes]) -> None:
    channel.close()
    try:
        helper.wait(5)
    except subprocess.TimeoutExpired:
        pass  # it ends by itself; sudo does not let us end it


def _source_folder() -> Path:
    """The folder that `courselab` is imported from."""
    return Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class RemoteProvider:
    """Machines on this host for a user who is not root."""

    paths: Paths
    client: Client

    @property
    def name(self) -> str:
        return "local"

    @property
    def cheap_snapshots(self) -> bool:
        return True

    def available(self) -> Availability:
        return available.judge(available.look(self.paths.state))

    def prepare(self) -> None:
        self.client.call("prepare")

    def create(self, spec: MachineSpec, *, anew: bool = False, keep: str = "") -> RemoteMachine:
        made = self.client.call("create", spec=spec.to_json(), anew=anew, keep=keep)
        return self._machine(record.from_json(made.head["value"]))

    def crossed(self, lab: str) -> str:
        return str(self.client.call("crossed", lab=lab).head["value"])

    def sweep(self, lab: str) -> None:
        self.client.call("sweep", lab=lab)

    def leftovers(self, busy: Collection[str], *, remove: bool) -> list[str]:
        """What a user sees without root is listed without asking for it."""
        if remove:
            return [str(one) for one in self.client.call("leftovers", busy=sorted(busy)).head["value"]]
        return clear(leftovers(Host.of(self.paths.machines), self.paths.cache / "machine-image", busy), remove=False)

    def pack(self, folder: Path) -> list[Path]:
        return [Path(file) for file in self.client.call("pack", folder=str(folder)).head["value"]]

    def unpack(self, archive: Path) -> None:
        self.client.call("unpack", archive=str(archive))

    def get(self, name: str) -> RemoteMachine | None:
        found = record.load(self.paths.machines / name) if NAME.fullmatch(name) else None
        return self._machine(found) if found else None

    def list(self, lab: str | None = None) -> list[Machine]:
        return [self._machine(found) for found in record.all_below(self.paths.machines) if lab in {None, found.spec.lab}]

    def _machine(self, found: record.Record) -> RemoteMachine:
        return RemoteMachine(found, self.client, Host.of(self.paths.machines))


@dataclass(frozen=True)
class RemoteMachine:
    """A machine on this host, reached through the helper."""

    record: record.Record
    client: Client
    host: Host

    @property
    def name(self) -> str:
        return self.record.spec.name

    @property
    def spec(self) -> MachineSpec:
        return self.record.spec

    @property
    def address(self) -> str:
        """As it is now: it changes when the lab moves to another network."""
        return (record.load(self.host.folder(self.name)) or self.record).address

    @property
    def state(self) -> MachineState:
        seen = LocalMachine(self.record, self.host).state
        if seen in {MachineState.RUNNING, MachineState.STOPPED}:
            return seen
        return MachineState(self.client.call("state", machine=self.name).head["value"])  # root sees more

    def run(self, argv: Sequence[str], *, input: bytes | None = None, timeout_s: float, user: str = "root") -> Completed:
        args = {"argv": list(argv), "has_input": input is not None, "timeout_s": timeout_s, "user": user}
        reply = self.client.call("run", input or b"", machine=self.name, **args)
        value, size = reply.head["value"], reply.head["value"]["out"]
        return Completed(tuple(value["argv"]), value["code"], reply.body[:size], reply.body[size:], value["truncated"])

    def shell_argv(self, argv: Sequence[str] = (), *, user: str = "student", terminal: bool = True) -> list[str]:
        found: list[str] = self.client.call("shell_argv", machine=self.name, argv=list(argv), user=user, terminal=terminal).head["value"]
        return [find_program("sudo") or "sudo", "--", *found]

    def put(self, path: str, data: bytes, *, mode: int = 0o644, owner: str = "root") -> None:
        self.client.call("put", data, machine=self.name, path=path, mode=mode, owner=owner)

    def put_file(self, path: str, source: Path, *, mode: int = 0o644, owner: str = "root") -> None:
        self.client.call("put_file", machine=self.name, path=path, source=str(source.absolute()), mode=mode, owner=owner)

    def get(self, path: str, *, limit_bytes: int = 8 * 1024 * 1024) -> bytes:
        return self.client.call("get", machine=self.name, path=path, limit_bytes=limit_bytes).body

    def usage(self) -> Usage:
        return Usage(**self.client.call("usage", machine=self.name).head["value"])

    def start(self) -> bool:
        return bool(self.client.call("start", machine=self.name).head["value"])

    def halt(self) -> None:
        self.client.call("halt", machine=self.name)

    @contextmanager
    def paused(self) -> Generator[bool]:
        still = bool(self.client.call("pause", machine=self.name).head["value"])
        try:
            yield still
        finally:
            self.client.call("go_on", machine=self.name)

    def snapshot_bytes(self, name: str) -> int:
        return int(self.client.call("snapshot_bytes", machine=self.name, name=name).head["value"])

    def stop(self) -> None:
        self.client.call("stop", machine=self.name)

    def delete(self) -> None:
        self.client.call("delete", machine=self.name)

    def snapshot(self, name: str) -> None:
        self.client.call("snapshot", machine=self.name, name=name)

    def restore(self, name: str, *, keep: str = "") -> None:
        self.client.call("restore", machine=self.name, name=name, keep=keep)

    def snapshots(self) -> list[str]:
        return LocalMachine(self.record, self.host).snapshots()

    def delete_snapshot(self, name: str) -> None:
        self.client.call("delete_snapshot", machine=self.name, name=name)
