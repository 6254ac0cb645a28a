"""The stand-in's command line: one function per verb of `multipass`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from multipass_standin import answers, faults
from multipass_standin.failure import Failed, failed, several
from multipass_standin.launch import launch
from multipass_standin.local import LocalEngine, argv_text
from multipass_standin.spinner import say, spin
from multipass_standin.world import Instance, Snapshot, World

EMPTY = "<empty>"
GUEST = (
    "nproc; cut -d' ' -f1-3 /proc/loadavg; awk '/MemTotal/{t=$2} /MemAvailable/{a=$2} END{print t*1024, (t-a)*1024}' /proc/meminfo; "
    "df -B1 --output=size,used / | tail -1; . /etc/os-release; echo $PRETTY_NAME; hostname -I"
)
ADDRESSES = "ip -j -4 addr show scope global"


class Parser(argparse.ArgumentParser):
    """Usage errors end with 1, as Multipass's do."""

    def error(self, message: str) -> NoReturn:
        raise Failed(message, 1)


def main(words: list[str]) -> int:
    home = Path(os.environ.get("MULTIPASS_STANDIN_HOME") or Path(tempfile.gettempdir()) / "multipass-standin")
    world = World(home)
    world.note(words)
    try:
        return Session(world).run(words)
    except Failed as ended:
        sys.stderr.write(ended.text.rstrip("\n") + "\n")
        return ended.code


def make_engine(home: Path) -> Any:
    if os.environ.get("MULTIPASS_STANDIN") == "qemu":
        from multipass_standin.qemu import QemuEngine

        return QemuEngine(home)
    return LocalEngine(home)


class Session:
    """One call."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.engine = make_engine(world.home)
        self.main = self._struck("answer-117")

    def run(self, words: list[str]) -> int:
        args = parser().parse_args(words)
        if args.verb == "version":
            return self.version(args)
        if self._struck("daemon"):
            raise failed(args.verb, "cannot connect to the multipass socket")
        if self._struck("authenticate"):
            text = "The client is not authenticated with the Multipass service.\nPlease use 'multipass authenticate' before proceeding."
            raise failed(args.verb, text)
        verb: Callable[[argparse.Namespace], int] = getattr(self, args.verb)
        return verb(args)

    # Questions

    def version(self, args: argparse.Namespace) -> int:
        version = "1.12.2" if self._struck("version-old") else answers.MAIN_VERSION if self.main else answers.VERSION
        known = {"multipass": version, "multipassd": version}
        if self._struck("daemon"):
            known.pop("multipassd")
        if args.format == "json":
            self._print(known)
        else:
            sys.stdout.write("".join(f"{name:<12}{value}\n" for name, value in known.items()))
        return 0

    def list(self, args: argparse.Namespace) -> int:
        if self._struck("list-hang"):
            time.sleep(3600)
        if args.snapshots:
            kept = {one.name: one.snapshots for one in self.world.all() if one.snapshots}
            self._print(
                {
                    "errors": [],
                    "info": {name: {s.name: {"parent": s.parent, "comment": s.comment} for s in snaps} for name, snaps in kept.items()},
                }
            )
            return 0
        rows: list[dict[str, Any]] = []
        for one in self.world.all():
            if self._vanishes(one):
                continue
            state = self._state(one)
            ipv4 = self._addresses(one) if state in answers.LIVE and not args.no_ipv4 else []
            rows.append(answers.list_row(one, state, ipv4, main=self.main))
        self._print({"list": rows})
        return 0

    def info(self, args: argparse.Namespace) -> int:
        names = args.names or self.world.names()
        if args.snapshots or any("." in name for name in names):
            return self._info_snapshots(names)
        instances = [self._existing("info", name) for name in names]
        if self._struck("info-ssh"):
            raise failed("info", "ssh connection failed: 'No route to host'")
        self._print(
            {
                "errors": [],
                "info": {one.name: answers.info_entry(one, self._state(one), self._guest(one), main=self.main) for one in instances},
            }
        )
        return 0

    def _info_snapshots(self, names: list[str]) -> int:
        found: dict[str, Any] = {}
        for full in names:
            name, _, wanted = full.partition(".")
            one = self._existing("info", name)
            if wanted and wanted not in {snapshot.name for snapshot in one.snapshots}:
                raise failed("info", f"No such snapshot: {full}")
            kept = [snapshot.name for snapshot in one.snapshots if wanted in ("", snapshot.name)]
            found.setdefault(name, {"snapshots": {}})["snapshots"].update(
                {snapshot: answers.snapshot_entry(one, snapshot) for snapshot in kept}
            )
        self._print({"errors": [], "info": found})
        return 0

    def networks(self, args: argparse.Namespace) -> int:
        self._print({"list": [{"name": "eth0", "type": "ethernet", "description": "Ethernet device"}]})
        return 0

    def find(self, args: argparse.Namespace) -> int:
        self._print(answers.images(main=self.main))
        return 0

    def aliases(self, args: argparse.Namespace) -> int:
        self._print({"active-context": "default", "contexts": {"default": {}}})
        return 0

    def get(self, args: argparse.Namespace) -> int:
        parts = args.key.split(".")
        if parts[0] == "client":
            if args.key != "client.primary-name":
                raise Failed(f"Unrecognized settings key: '{args.key}'", 1)
            say("primary")
            return 0
        one = self.world.get(parts[1]) if len(parts) == 3 and parts[0] == "local" else None
        if one and parts[2] in ("cpus", "memory", "disk"):
            say({"cpus": str(one.cpus), "memory": answers.human(one.memory), "disk": answers.human(one.disk)}[parts[2]])
            return 0
        known = {"local.driver": "qemu", "local.privileged-mounts": "true", "local.bridged-network": "", "local.passphrase": ""}
        if args.key not in known:
            raise failed("get", f"Unrecognized settings key: '{args.key}'")
        say(known[args.key] or ("" if args.raw else EMPTY))
        return 0

    # A machine's life

    def launch(self, args: argparse.Namespace) -> int:
        return launch(self.world, self.engine, args, main=self.main)

    def start(self, args: argparse.Namespace) -> int:
        for name in args.names:
            one = self.world.get(name)
            if one is None:
                raise Failed(f"start failed: instance(s) missing\nInstance '{name}' does not exist.")
            if one.state == "Deleted":
                raise several("start", f'instance "{name}" is deleted')
            spin(f"Starting {name}")
            self._start(one)
        return 0

    def stop(self, args: argparse.Namespace) -> int:
        for name in args.names:
            one = self._existing("stop", name)
            state = self._state(one)
            if state == "Starting" and not args.force:
                raise several("stop", f"Cannot shut down instance {name} while starting.\nUse --force to power it off.")
            spin(f"Stopping {name}")
            if state != "Stopped":
                self.engine.stop(name)
                self.world.change(name, state="")
        return 0

    def delete(self, args: argparse.Namespace) -> int:
        for full in args.names:
            name, _, snapshot = full.partition(".")
            one = self._existing("delete", name, deleted=True)
            if snapshot:
                self._delete_snapshot(one, snapshot, purge=args.purge)
            elif args.purge:
                self._purge(one)
            else:
                self.engine.stop(name)
                self.world.change(name, state="Deleted")
        return 0

    def recover(self, args: argparse.Namespace) -> int:
        for name in args.names:
            self._existing("recover", name, deleted=True)
            self.world.change(name, state="")
        return 0

    def purge(self, args: argparse.Namespace) -> int:
        for one in self.world.all():
            if one.state == "Deleted":
                self._purge(one)
        return 0

    # Inside

    def exec(self, args: argparse.Namespace) -> int:
        words = args.command[1:] if args.command[:1] == ["--"] else args.command
        if args.no_map_working_directory and args.working_directory:
            raise Failed("Options --working-directory and --no-map-working-directory clash", 1)
        if not words:
            raise Failed("Wrong number of arguments", 1)
        one = self._existing("exec", args.name)
        state = self._state(one)
        if state == "Unknown":
            raise failed("exec", "Cannot retrieve credentials in unknown state")
        if state not in answers.LIVE:
            spin(f"Starting {args.name}")
            self._start(one)
        if self._struck("exec-hang"):
            time.sleep(3600)
        command = argv_text(words)
        if args.working_directory:  # with sudo, Multipass joins the words unescaped
            inner = " ".join(words) if words[0] == "sudo" else command
            command = f"cd {argv_text([args.working_directory])} && {inner}"
        code = self.engine.execute(args.name, command, terminal=sys.stdin.isatty() and sys.stdout.isatty())
        return code if code >= 0 else 255

    def transfer(self, args: argparse.Namespace) -> int:
        from multipass_standin.transfer import transfer

        return transfer(self.engine, args, self._running)

    # Snapshots

    def snapshot(self, args: argparse.Namespace) -> int:
        one = self._existing("snapshot", args.name)
        if self._state(one) != "Stopped":
            raise failed("snapshot", "Multipass can only take snapshots of stopped instances.")
        name = args.snapshot or f"snapshot{len(one.snapshots) + 1}"
        if not name.replace("-", "").isalnum() or not name[0].isalpha():
            raise failed("snapshot", f'Invalid snapshot name: "{name}".')
        if name in {kept.name for kept in one.snapshots}:
            raise failed("snapshot", f"Snapshot already exists: {one.name}.{name}")
        spin(f"Taking snapshot of {one.name}")
        self.engine.snapshot(one.name, name)
        kept = Snapshot(name, one.parent, args.comment, time.strftime("%c %Z"))
        self.world.save(replace(one, snapshots=(*one.snapshots, kept), parent=name))
        say(f"Snapshot taken: {one.name}.{name}")
        return 0

    def restore(self, args: argparse.Namespace) -> int:
        name, _, snapshot = args.snapshot.partition(".")
        one = self._existing("restore", name)
        if not args.destructive:
            raise Failed("restore failed: Unable to query client for confirmation. Use --destructive to discard the current state.", 1)
        if self._state(one) != "Stopped":
            raise failed("restore", "Multipass can only restore snapshots of stopped instances.")
        if snapshot not in {kept.name for kept in one.snapshots}:
            raise failed("restore", f"No such snapshot: {args.snapshot}")
        spin("Restoring snapshot")
        self.engine.restore(name, snapshot)
        self.world.save(replace(one, parent=snapshot))
        say(f"Snapshot restored: {args.snapshot}")
        return 0

    def clone(self, args: argparse.Namespace) -> int:
        from multipass_standin.clone import clone

        return clone(self.world, self.engine, self._existing("clone", args.name), self._state, args.new)

    # What these share

    def _struck(self, fault: str) -> bool:
        return faults.struck(self.world.home, fault)

    def _print(self, value: Any) -> None:
        text = answers.dumps(value)
        sys.stdout.write(text[: len(text) // 2] if self._struck("half-json") else text)

    def _state(self, one: Instance) -> str:
        return one.state or self.engine.state(one.name)

    def _existing(self, verb: str, name: str, *, deleted: bool = False) -> Instance:
        one = self.world.get(name)
        if one is not None and self._vanishes(one):
            one = None
        if one is None:
            raise several(verb, f'instance "{name}" does not exist')
        if one.state == "Deleted" and not deleted:
            raise several(verb, f'instance "{name}" is deleted')
        return one

    def _running(self, name: str) -> Instance:
        one = self._existing("transfer", name)
        if self._state(one) not in answers.LIVE:
            raise failed("transfer", f'instance "{name}" is not running')
        return one

    def _vanishes(self, one: Instance) -> bool:
        if not self._struck("vanish"):
            return False
        self._purge(one)
        return True

    def _start(self, one: Instance) -> None:
        if one.state in ("", "Suspended", "Stopped"):
            self.engine.start(one.name)
            self.world.change(one.name, state="")
            return
        raise several("start", f"{one.name}: timed out waiting for response")

    def _purge(self, one: Instance) -> None:
        self.engine.delete(one.name)
        self.world.remove(one.name)

    def _delete_snapshot(self, one: Instance, name: str, *, purge: bool) -> None:
        if not purge:
            raise Failed(
                "delete failed: Snapshots can only be purged (after deletion, they cannot be recovered). Please use the `--purge` flag."
            )
        if name not in {kept.name for kept in one.snapshots}:
            raise failed("delete", f"No such snapshot: {one.name}.{name}")
        gone = next(kept for kept in one.snapshots if kept.name == name)
        self.engine.delete_snapshot(one.name, name)
        left = (replace(kept, parent=gone.parent) if kept.parent == name else kept for kept in one.snapshots if kept.name != name)
        self.world.save(replace(one, snapshots=tuple(left), parent=gone.parent if one.parent == name else one.parent))

    def _addresses(self, one: Instance) -> list[str]:
        if self._struck("no-address"):
            return ["N/A"]
        asked = json.loads(self.engine.ask(one.name, ADDRESSES).stdout or b"[]")
        found = [info["local"] for interface in asked for info in interface.get("addr_info", [])]
        return [one.address, *(address for address in found if address != one.address)]

    def _guest(self, one: Instance) -> dict[str, Any]:
        if self._state(one) not in answers.LIVE:
            return {}
        asked = self.engine.ask(one.name, GUEST)
        if asked.code != 0:
            raise failed("info", f"ssh connection failed: '{asked.error_text}'")
        lines = asked.text.splitlines()
        memory = [int(float(word)) for word in lines[2].split()]
        disk = lines[3].split()
        return {
            "cpus": lines[0],
            "load": [float(word) for word in lines[1].split()],
            "memory": {"total": memory[0], "used": memory[1]},
            "disk": {"total": disk[0], "used": disk[1]},
            "release": lines[4],
            "ipv4": self._addresses(one),
        }


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="multipass", add_help=False)
    verbs = top.add_subparsers(dest="verb", required=True, parser_class=Parser)

    def verb(name: str, *, names: str | None = None, json_too: bool = False) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, add_help=False)
        if json_too:
            added.add_argument("--format", default="table", choices=["table", "json", "csv", "yaml"])
        if names:
            added.add_argument("names", nargs=names)
        return added

    for name in ("version", "networks", "aliases"):
        verb(name, json_too=True)
    listing = verb("list", json_too=True)
    listing.add_argument("--snapshots", action="store_true")
    listing.add_argument("--no-ipv4", action="store_true")
    verb("info", names="*", json_too=True).add_argument("--snapshots", action="store_true")
    finding = verb("find", json_too=True)
    finding.add_argument("words", nargs="*")
    finding.add_argument("--force-update", action="store_true")
    getting = verb("get")
    getting.add_argument("key")
    getting.add_argument("--raw", action="store_true")
    _launch(verb("launch"))
    verb("start", names="+").add_argument("--timeout", type=int)
    verb("stop", names="+").add_argument("--force", action="store_true")
    verb("delete", names="+").add_argument("-p", "--purge", action="store_true")
    verb("recover", names="+")
    verb("purge")
    executing = verb("exec")
    executing.add_argument("-n", "--no-map-working-directory", action="store_true")
    executing.add_argument("-d", "--working-directory")
    executing.add_argument("name")
    executing.add_argument("command", nargs=argparse.REMAINDER)
    transferring = verb("transfer", names="+")
    transferring.add_argument("-r", "--recursive", action="store_true")
    transferring.add_argument("-p", "--parents", action="store_true")
    keeping = verb("snapshot")
    keeping.add_argument("name")
    keeping.add_argument("-n", "--name", dest="snapshot")
    keeping.add_argument("-m", "--comment", default="")
    restoring = verb("restore")
    restoring.add_argument("snapshot")
    restoring.add_argument("--destructive", "-d", action="store_true")
    cloning = verb("clone")
    cloning.add_argument("name")
    cloning.add_argument("-n", "--name", dest="new")
    return top


def _launch(added: argparse.ArgumentParser) -> None:
    added.add_argument("image", nargs="?", default="")
    added.add_argument("-n", "--name")
    added.add_argument("-c", "--cpus", type=int)
    added.add_argument("-m", "--memory", default="1G")
    added.add_argument("-d", "--disk", default="5G")
    added.add_argument("--cloud-init")
    added.add_argument("--network", action="append")
    added.add_argument("--bridged", action="store_true")
    added.add_argument("--mount", action="append")
    added.add_argument("--timeout", type=int)
