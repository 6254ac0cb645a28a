"""What crashed runs have left on this host, known by the names that belong to a state folder; found without root as far as that goes.

Nothing here belongs to a machine that runs, is being started, or could be: those are skipped, and so is what others made.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from courselab import process
from courselab.errors import LabError
from courselab.locks import held_if_free
from courselab.machines.local import record
from courselab.machines.local.cgroups import SLICE
from courselab.machines.local.disk import remove_tree, unescape
from courselab.machines.local.host import NSPAWN_RUN, Host
from courselab.machines.local.machine import LocalMachine
from courselab.machines.local.names import BRIDGES

_KEY = "[0-9a-f]{5}"
# How names on the host begin, see names.py: the key follows.
_INTERFACE = re.compile(rf"(?:{BRIDGES}|vb-)({_KEY})[0-9a-f]+$")
_BRIDGE = re.compile(rf"{BRIDGES}({_KEY})[0-9a-f]+$")
_TABLE = re.compile(rf"courselab_({_KEY})$")
_GROUP = re.compile(rf"courselab-({_KEY})$")
_SCOPE = re.compile(rf"courselab-(({_KEY})[0-9a-f]+)\.scope$")
_ASK_S = 10.0


@dataclass(frozen=True)
class Leftover:
    """One thing that nothing needs: in words, and what removes it."""

    what: str
    remove: Callable[[], object]


def leftovers(host: Host, images: Path, busy: Collection[str]) -> Iterator[Leftover]:
    """What is left over, in the order in which it has to be removed. Labs in `busy` are being worked on: theirs is not looked at."""
    seen = _Seen.of(host, busy)
    for find in (_groups, _interfaces, _tables, _run_files, _settings, _mounts, _folders, _disks):
        try:
            yield from find(host, seen)
        except (PermissionError, process.CommandFailed, process.CommandMissing):
            continue  # only root sees it
    yield from _images(images)


@dataclass(frozen=True)
class _Seen:
    """What is in use on this host."""

    records: tuple[record.Record, ...]
    busy: frozenset[str]  # labs
    alive: frozenset[str]  # names of machines that run
    others: frozenset[str]  # keys of other state folders that are in use
    known: frozenset[str]  # keys of state folders that surely are ours: machines of others may have names of twelve digits, too

    @classmethod
    def of(cls, host: Host, busy: Collection[str]) -> _Seen:
        records = tuple(host.records())
        alive = frozenset(one.spec.name for one in records if LocalMachine(one, host).leader())
        try:
            users = host.settings.users()
        except PermissionError:
            users = dict.fromkeys(_keys_on(host), Path("/"))  # cannot be told: taken to be in use
        others = frozenset(key for key, folder in users.items() if key != host.names.key and folder.exists())
        return cls(records, frozenset(busy), alive, others, frozenset({host.names.key, *_keys_on(host)}))

    def ours(self, host: Host) -> set[str]:
        """What machines of this state folder that run, or may be about to, are called on the host."""
        return {host.names.machine(one.spec.name) for one in self.records if one.spec.name in self.alive or one.spec.lab in self.busy}

    def bridges(self, host: Host) -> set[str]:
        """The bridges that are needed."""
        labs = {one.spec.lab for one in self.records if one.spec.name in self.alive} | self.busy
        return {host.names.bridge(lab) for lab in labs}


def _groups(host: Host, seen: _Seen) -> Iterator[Leftover]:
    """Control groups, with what still runs in them, of machines that are none."""
    needed = seen.ours(host)
    found: set[str] = set()
    empty: list[Path] = []
    for top, _ in host.cgroups.tops:
        for folder in (*top.glob("courselab-*/*/"), *(top / SLICE).glob("courselab-*.scope")):
            scope = _SCOPE.match(folder.name)
            machine = scope[1] if scope else folder.name
            if machine not in needed and machine[:5] not in seen.others:
                found.add(machine)
        for folder in top.glob("courselab-*/"):
            group = _GROUP.match(folder.name)
            if group and group[1] not in seen.others and not any(folder.glob("*/")):
                empty.append(folder)
    for machine in sorted(found):
        groups = host.of_key(machine[:5]).cgroups
        count = len(groups.pids(machine))
        yield Leftover(f"control group {machine}" + (f" with {count} processes" if count else ""), lambda m=machine, g=groups: g.end(m))
    for folder in empty:
        yield Leftover(f"control group {folder}", folder.rmdir)


def _interfaces(host: Host, seen: _Seen) -> Iterator[Leftover]:
    """Bridges, and cables to them."""
    needed = seen.bridges(host) | {f"vb-{name}" for name in seen.ours(host)}
    for path in sorted(Path("/sys/class/net").iterdir()):
        found = _INTERFACE.match(path.name)
        if found and path.name not in needed and found[1] in seen.known - seen.others:
            delete = ["ip", "link", "delete", path.name]
            kind = "bridge" if path.name.startswith(BRIDGES) else "network cable"
            yield Leftover(f"{kind} {path.name}", lambda delete=delete: process.run(delete, timeout_s=_ASK_S))


def _tables(host: Host, seen: _Seen) -> Iterator[Leftover]:
    """Firewall rules."""
    shown = process.run(["nft", "--json", "list", "tables"], timeout_s=_ASK_S).check("The host's firewall could not be read")
    needed = {host.names.table} if seen.bridges(host) else set[str]()
    for entry in json.loads(shown.stdout or b"{}").get("nftables", []):
        name = str(entry.get("table", {}).get("name", ""))
        found = _TABLE.match(name)
        if found and name not in needed and found[1] not in seen.others:
            yield Leftover(f"firewall table {name}", host.of_key(found[1]).networks.write_rules)


def _run_files(host: Host, seen: _Seen) -> Iterator[Leftover]:
    """What systemd-nspawn keeps of machines in /run."""
    needed = seen.ours(host)
    for folder in sorted(NSPAWN_RUN.glob("*/*")):
        mine = re.fullmatch(rf"({_KEY})[0-9a-f]{{7}}", folder.name)
        if mine and folder.name not in needed and mine[1] in seen.known - seen.others:
            yield Leftover(str(folder), lambda folder=folder: shutil.rmtree(folder, ignore_errors=True))


def _settings(host: Host, seen: _Seen) -> Iterator[Leftover]:
    """Kernel settings that were changed for machines and not put back."""
    ours = host.names.key if not seen.alive and not seen.busy else ""
    for key, folder in host.settings.users().items():
        if key == ours or (key != host.names.key and not folder.exists()):
            settings = host.of_key(key).settings
            yield Leftover(f"kernel settings as machines of {folder} need them", lambda s=settings: s.give_back(host.has_machines))


def _mounts(host: Host, seen: _Seen) -> Iterator[Leftover]:
    """Machines' file systems are mounted in namespaces of their own; one that the host sees is a mistake."""
    running = {str(host.folder(name).resolve()) for name in seen.alive}
    below = f"{host.machines.resolve()}/"
    places = [unescape(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in sorted((place for place in places if place.startswith(below)), reverse=True):  # the deepest first
        if not any(f"{place}/".startswith(f"{folder}/") for folder in running):
            yield Leftover(f"mount at {place}", lambda place=place: process.run(["umount", "--lazy", place], timeout_s=_ASK_S))


def _folders(host: Host, seen: _Seen) -> Iterator[Leftover]:
    """Folders of machines whose removal was cut off at its very end."""
    del seen
    for folder in sorted(host.machines.glob("[!.]*/")):
        if not (folder / record.FILE).exists():
            yield Leftover(f"what is left of machine {folder.name}", lambda folder=folder: _remove_unless_made(host, folder))


def _remove_unless_made(host: Host, folder: Path) -> None:
    with host.locked(folder.name), host.locked():
        if not (folder / record.FILE).exists():
            remove_tree(folder)


def _disks(host: Host, seen: _Seen) -> Iterator[Leftover]:
    """Disks that are not in use, and copies that were never finished."""
    for found in seen.records:
        machine = LocalMachine(found, host)
        if found.spec.lab in seen.busy:
            continue
        used = machine.disk.current.resolve() if machine.disk.made else None
        unused = [disk for disk in sorted((machine.folder / "disks").glob("*")) if disk.resolve() != used]
        for path in (*unused, *sorted((machine.folder / "snapshots").glob(".*.new"))):
            yield Leftover(f"unfinished copy {path.name} of machine {machine.name}", lambda path=path: remove_tree(path))


def _images(images: Path) -> Iterator[Leftover]:
    """Machine images that were never finished and that nobody makes now."""
    for folder in sorted(images.glob("*/")):
        if folder.suffix == ".new" or not (folder / "complete").exists():
            with held_if_free(images / f"{folder.name.removesuffix('.new')}.lock") as nobody:
                if nobody:
                    yield Leftover(f"half-made machine image {folder.name}", lambda folder=folder: remove_tree(folder))


def _keys_on(host: Host) -> set[str]:
    """Keys of all state folders that a bridge or a control group of ours on this host is named by."""
    names = [path.name for path in Path("/sys/class/net").iterdir()]
    names += [path.name for top, _ in host.cgroups.tops for path in (*top.glob("courselab-*"), *(top / SLICE).glob("courselab-*.scope"))]
    return {found[1][:5] for name in names for pattern in (_BRIDGE, _GROUP, _SCOPE) if (found := pattern.match(name))}


def clear(found: Iterator[Leftover], *, remove: bool) -> list[str]:
    """What there is, in words; removed with `remove`. One that cannot be removed does not keep the others."""
    said: list[str] = []
    failed: list[LabError] = []
    for one in found:
        try:
            one.remove() if remove else None
            said.append(one.what)
        except LabError as error:
            failed.append(error)
        except OSError as error:
            failed.append(LabError(f"{one.what} could not be removed", why=str(error), fix="Run `lab doctor --fix` again."))
    if failed:
        raise failed[0]
    return said
