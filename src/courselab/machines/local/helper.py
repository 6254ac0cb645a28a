"""The part of `lab` that runs as root: started once per command by `remote`, through sudo; does what the provider `local` does.

It reads calls from standard input and answers on standard output; each call has a thread of its own. When its input ends, the
user's `lab` is gone: it ends too, with every command that is still running. A machine being made then is finished or removed later.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from courselab import process
from courselab.errors import LabError, Unreachable
from courselab.machines.base import MachineSpec
from courselab.machines.local import record
from courselab.machines.local.machine import LocalMachine
from courselab.machines.local.provider import LocalProvider
from courselab.machines.local.wire import Channel, Message, error_to_json
from courselab.paths import Paths

Answer = tuple[Any, bytes]


def main(words: list[str]) -> None:
    """Serve one `lab` until it ends. `words`: the folders course, state, cache, config, work."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # keys pressed on the terminal are for `lab`, which then closes our input
    os.umask(0o022)
    course, state, cache, config, work = (Path(word) for word in words)
    channel = Channel(sys.stdin.buffer, sys.stdout.buffer)
    process.watch(ShowBack(channel).ran)
    Helper(channel, Paths(course=course, state=state, cache=cache, config=config, work=work)).serve()
    _end_children()
    os._exit(0)


class Helper:
    """Answers calls from one channel."""

    def __init__(self, channel: Channel, paths: Paths) -> None:
        self._channel = channel
        self._back = ShowBack(channel)
        self._provider = LocalProvider(paths, self._back, self._back.ask)
        self._paused: dict[str, ExitStack] = {}

    def serve(self) -> None:
        """Answer until the other side ends."""
        while message := self._channel.receive():
            if "answer" in message.head:
                self._back.answered(message.head["answer"], bool(message.head["yes"]))
            else:
                threading.Thread(target=self._answer, args=(message,), daemon=True).start()

    def _answer(self, message: Message) -> None:
        reply: dict[str, Any] = {"id": message.head["id"]}
        body = b""
        try:
            reply["value"], body = self._do(message.head["call"], message.head.get("args", {}), message.body)
        except LabError as error:
            reply["error"] = error_to_json(error)
        except Exception as bug:  # the other side must get an answer, whatever is wrong with us
            broken = LabError("The helper of `lab` failed", why=repr(bug), fix="Report this.", detail=traceback.format_exc())
            reply["error"] = error_to_json(broken)
        try:
            self._channel.send(Message(reply, body))
        except (OSError, ValueError):
            pass  # nobody is there any more

    def _do(self, call: str, args: dict[str, Any], body: bytes) -> Answer:
        provider_calls: dict[str, Callable[[dict[str, Any]], Any]] = {
            "prepare": lambda _: self._provider.prepare(),
            "create": lambda args: record.to_json(
                self._provider.create(MachineSpec.from_json(args["spec"]), anew=args["anew"], keep=args["keep"]).record
            ),
            "sweep": lambda args: self._provider.sweep(args["lab"]),
            "leftovers": lambda args: self._provider.leftovers(args["busy"], remove=True),
            "pack": lambda args: [str(file) for file in self._provider.pack(Path(args["folder"]))],
            "unpack": lambda args: self._provider.unpack(Path(args["archive"])),
            "crossed": lambda args: self._provider.crossed(args["lab"]),
        }
        if call in provider_calls:
            return provider_calls[call](args), b""
        machine = self._provider.get(args.pop("machine"))
        if machine is None:
            raise Unreachable("The machine is gone", why="It was deleted meanwhile.", fix="Run `lab start`.")
        if call == "pause":
            held = self._paused[machine.name] = ExitStack()
            return held.enter_context(machine.paused()), b""
        if call == "go_on":
            self._paused.pop(machine.name, ExitStack()).close()
            return None, b""
        return MACHINE_CALLS[call](machine, args, body)


def _run(machine: LocalMachine, args: dict[str, Any], body: bytes) -> Answer:
    done = machine.run(args["argv"], input=body if args["has_input"] else None, timeout_s=args["timeout_s"], user=args["user"])
    value = {"argv": done.argv, "code": done.code, "out": len(done.stdout), "truncated": done.truncated}
    return value, done.stdout + done.stderr


def _put_file(machine: LocalMachine, args: dict[str, Any], _: bytes) -> Answer:
    machine.put_file(args["path"], Path(args["source"]), mode=args["mode"], owner=args["owner"])
    return None, b""


MACHINE_CALLS: dict[str, Callable[[LocalMachine, dict[str, Any], bytes], Answer]] = {
    "run": _run,
    "put_file": _put_file,
    "put": lambda machine, args, body: (machine.put(args["path"], body, mode=args["mode"], owner=args["owner"]), b""),
    "get": lambda machine, args, _: (None, machine.get(args["path"], limit_bytes=args["limit_bytes"])),
    "shell_argv": lambda machine, args, _: (machine.shell_argv(**args), b""),
    "state": lambda machine, _args, _body: (machine.state.value, b""),
    "start": lambda machine, _args, _body: (machine.start(), b""),
    "halt": lambda machine, _args, _body: (machine.halt(), b""),
    "usage": lambda machine, _args, _body: (asdict(machine.usage()), b""),
    "snapshot_bytes": lambda machine, args, _: (machine.snapshot_bytes(args["name"]), b""),
    "stop": lambda machine, _args, _body: (machine.stop(), b""),
    "delete": lambda machine, _args, _body: (machine.delete(), b""),
    "snapshot": lambda machine, args, _: (machine.snapshot(args["name"]), b""),
    "restore": lambda machine, args, _: (machine.restore(args["name"], keep=args["keep"]), b""),
    "delete_snapshot": lambda machine, args, _: (machine.delete_snapshot(args["name"]), b""),
}


class ShowBack:
    """Progress and questions, sent to the user's side."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = itertools.count(1)
        self._waiting: dict[int, SimpleQueue[bool]] = {}

    @contextmanager
    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> Generator[_RemoteStage]:
        """A stage that the user's side shows."""
        number = next(self._numbers)
        self._send({"stage": number, "name": name, "detail": detail, "eta_s": eta_s})
        try:
            yield _RemoteStage(self._send, number)
        finally:
            self._send({"stage": number, "end": True})

    def say(self, line: str) -> None:
        """A line that the user's side shows."""
        self._send({"say": line})

    def ask(self, question: str) -> bool:
        """A question that the user's side asks."""
        number = next(self._numbers)
        answer = self._waiting[number] = SimpleQueue[bool]()
        self._send({"ask": number, "question": question})
        return answer.get()

    def answered(self, number: int, yes: bool) -> None:
        """The answer to a question has come."""
        self._waiting.pop(number).put(yes)

    def ran(self, argv: Sequence[str], code: int | None, seconds: float, errors: str) -> None:
        """A program that the user's side writes into its log."""
        with suppress(OSError, ValueError):  # nobody is there any more
            self._send({"ran": list(argv), "code": code, "seconds": seconds, "errors": errors[-400:]})

    def _send(self, head: dict[str, Any]) -> None:
        self._channel.send(Message(head))


class _RemoteStage:
    def __init__(self, send: Callable[[dict[str, Any]], None], number: int) -> None:
        self._send = send
        self._number = number

    def update(self, detail: str, fraction: float | None = None) -> None:
        """Passed on."""
        self._send({"stage": self._number, "detail": detail, "fraction": fraction})


def _end_children() -> None:
    """Kill the commands that are still running: each has a process group of its own."""
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                os.killpg(int(child), signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
