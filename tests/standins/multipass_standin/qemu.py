"""Machines below the stand-in: real virtual machines, as Multipass's own on Linux. QEMU, a bridge, a NoCloud seed on a disk, ssh.

With KVM where the computer has it, in software otherwise.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path

from courselab import process
from courselab.errors import LabError
from courselab.machines.local.network import choose_subnet, host_networks, nameservers
from courselab.paths import find_paths
from multipass_standin import qemu_image
from multipass_standin.world import Instance, World

GIB = 1 << 30
SSH_S = 300.0
KVM_S = 10.0  # to the kernel's first words; without an accelerator that works it never comes
CONSOLE = "console=ttyS0 net.ifnames=0"
STOP_S = 90.0
BULK = 1 << 20  # from this many bytes on they go in beside ssh, which takes 2 MB/s where the machine is emulated
PROGRAMS = {"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils", "genisoimage": "genisoimage", "mke2fs": "e2fsprogs"}


class QemuEngine:
    """Virtual machines. Everything of one is in files/NAME: disk, seed, pid, console; the bridge goes with the last of them."""

    def __init__(self, home: Path) -> None:
        self._world = World(home)
        self._home = home
        key = hashlib.sha256(str(home).encode()).hexdigest()[:6]
        self._bridge = f"mpst{key}"
        self._table = f"multipass_standin_{key}"

    def prepare(self) -> None:
        missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
        if missing:
            _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)
        qemu_image.make(find_paths())

    def create(self, instance: Instance, seed: Path) -> str:
        boot = qemu_image.make(find_paths())
        with self._world.locked():
            number = self._number(instance.name)
        address = f"{self._network()}.{number}"
        folder = self._folder(instance.name)
        (seed / "network-config").write_text(self._network_config(address, number))
        _run("genisoimage", "-quiet", "-volid", "cidata", "-joliet", "-rock", "-output", folder / "seed.iso", seed)
        size = str(max(instance.disk, 8 * GIB))
        _run("qemu-img", "create", "-q", "-f", "qcow2", "-b", boot.disk, "-F", "raw", folder / "disk.qcow2", size)
        (folder / "machine").write_text(f"{instance.cpus} {max(instance.memory >> 20, 1024)} {number}")
        self.start(instance.name)
        return address

    def initialised(self, name: str, timeout_s: float) -> bool:
        waits = "until [ -e /var/lib/cloud/instance/boot-finished ]; do sleep 0.5; done"
        return self._ssh(name, f"timeout {int(timeout_s)} sh -c {shlex.quote(waits)}", timeout_s=timeout_s + 30).code == 0

    def state(self, name: str) -> str:
        if not (self._folder(name) / "disk.qcow2").exists():
            return "Unknown"
        return "Running" if self._pid(name) else "Stopped"

    def start(self, name: str) -> None:
        """Boot it and wait until ssh answers."""
        if not self._pid(name):
            self._boot(name)
        deadline = time.monotonic() + SSH_S
        while self._ssh(name, "true", timeout_s=60).code != 0:
            if time.monotonic() > deadline or not self._pid(name):
                raise LabError(f"{name} did not come up", why=(self._folder(name) / "console.log").read_text(errors="replace")[-1000:])
            time.sleep(0.5)

    def stop(self, name: str) -> None:
        pid = self._pid(name)
        if pid:
            self._ssh(name, "sudo systemctl poweroff", timeout_s=30)
            deadline = time.monotonic() + STOP_S
            while self._pid(name) and time.monotonic() < deadline:
                time.sleep(0.2)
        self._end(name)

    def delete(self, name: str) -> None:
        self._end(name)
        _run("rm", "-rf", self._home / "files" / name)
        if not any((self._home / "files").glob("*/disk.qcow2")):
            _quiet("ip", "link", "delete", self._bridge)
            _quiet("nft", "delete", "table", "inet", self._table)

    def snapshot(self, name: str, snapshot: str) -> None:
        _run("qemu-img", "snapshot", "-c", snapshot, self._disk(name))

    def restore(self, name: str, snapshot: str) -> None:
        _run("qemu-img", "snapshot", "-a", snapshot, self._disk(name))

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        _run("qemu-img", "snapshot", "-d", snapshot, self._disk(name))

    def clone(self, instance: Instance, source: str, seed: Path) -> str:
        address = self.create(instance, seed)
        self.stop(instance.name)
        _run("qemu-img", "convert", "-O", "qcow2", self._disk(source), self._disk(instance.name))
        return address

    def execute(self, name: str, command: str, *, terminal: bool) -> int:
        return subprocess.call([*self._ssh_argv(name), *(["-t"] if terminal else []), command])

    def ask(self, name: str, command: str, *, input: bytes | None = None) -> process.Completed:
        if input is None or len(input) < BULK:
            return self._ssh(name, f"/bin/bash -c {shlex.quote(command)}", timeout_s=600, input=input)
        with _offered(f"{self._network()}.1", input) as port:
            command = f"({command}) < /dev/tcp/{self._network()}.1/{port}"
            return self._ssh(name, f"/bin/bash -c {shlex.quote(command)}", timeout_s=600)

    # QEMU

    def _boot(self, name: str) -> None:
        folder = self._folder(name)
        boot = qemu_image.make(find_paths())
        cpus, memory, number = (folder / "machine").read_text().split()
        tap = f"{self._bridge}t{number}"
        self._bridge_up()
        _quiet("ip", "link", "delete", tap)
        _run("ip", "tuntap", "add", tap, "mode", "tap")
        _run("ip", "link", "set", tap, "master", self._bridge, "up")
        _run(
            "qemu-system-x86_64", "-daemonize", "-pidfile", folder / "pid", "-name", name, *self._processor(boot),
            "-smp", cpus, "-m", memory, "-display", "none", "-serial", f"file:{folder / 'console.log'}", "-no-reboot",
            "-kernel", boot.kernel, "-initrd", boot.initrd, "-append", f"root=/dev/vda rw {CONSOLE} quiet",
            "-drive", f"file={self._disk(name)},if=virtio,format=qcow2,cache=unsafe",
            "-drive", f"file={folder / 'seed.iso'},if=virtio,format=raw,readonly=on",
            "-netdev", f"tap,id=net0,ifname={tap},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=net0,mac={_mac(int(number))}", "-device", "virtio-rng-pci",
        )  # fmt: skip

    def _processor(self, boot: qemu_image.Boot) -> list[str]:
        """KVM where a kernel gets to its first words with it (the device alone does not say that it works), else software."""
        kept = self._home / "processor"
        with self._world.locked():
            if not kept.exists():
                kept.write_text("-accel kvm -cpu max" if _kvm_works(boot) else "-accel tcg,thread=multi -cpu max")
        return kept.read_text().split()

    def _end(self, name: str) -> None:
        _quiet(*self._ssh_argv(name), "-O", "exit")
        pid = self._pid(name)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            while self._pid(name):
                time.sleep(0.05)
        machine = self._folder(name) / "machine"
        if machine.exists():
            _quiet("ip", "link", "delete", f"{self._bridge}t{machine.read_text().split()[2]}")

    def _pid(self, name: str) -> int | None:
        """Its QEMU process, if it is one."""
        try:
            pid = int((self._folder(name) / "pid").read_text())
            return pid if b"qemu-system" in Path(f"/proc/{pid}/cmdline").read_bytes() else None
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None

    def _disk(self, name: str) -> Path:
        return self._folder(name) / "disk.qcow2"

    def _folder(self, name: str) -> Path:
        return self._home / "files" / name

    def _number(self, name: str) -> int:
        """A number of its own, from which its address and its cable have theirs."""
        taken = {one.number for one in self._world.all()}
        number = next(free for free in range(11, 250) if free not in taken)
        found = self._world.get(name)
        if found:
            from dataclasses import replace

            self._world.save(replace(found, number=number))
        return number

    # Network

    def _network(self) -> str:
        kept = self._home / "network"
        if not kept.exists():
            kept.write_text(str(choose_subnet(self._bridge, host_networks()).network_address).rsplit(".", 1)[0])
        return kept.read_text()

    def _bridge_up(self) -> None:
        net = self._network()
        if not Path("/sys/class/net", self._bridge).exists():
            _run("ip", "link", "add", self._bridge, "type", "bridge")
        _run("ip", "addr", "replace", f"{net}.1/24", "dev", self._bridge)
        _run("ip", "link", "set", self._bridge, "up")
        rules = [
            f"table inet {self._table}",
            f"delete table inet {self._table}",
            f"table inet {self._table} {{",
            "chain out {",
            "type nat hook postrouting priority 100",
            f'ip saddr {net}.0/24 oifname != "{self._bridge}" masquerade',
            "}",
            "}\n",
        ]
        process.run(["nft", "-f", "-"], input="\n".join(rules).encode(), timeout_s=20).check("No firewall rules")

    def _network_config(self, address: str, number: int) -> str:
        resolvers = ", ".join(nameservers())
        return (
            "version: 2\nethernets:\n  eth0:\n"
            f"    match: {{macaddress: '{_mac(number)}'}}\n    set-name: eth0\n    addresses: [{address}/24]\n"
            f"    gateway4: {self._network()}.1\n    nameservers: {{addresses: [{resolvers}]}}\n"
        )

    # ssh

    def _ssh_argv(self, name: str) -> list[str]:
        instance = self._world.get(name)
        number = (self._folder(name) / "machine").read_text().split()[2] if (self._folder(name) / "machine").exists() else "1"
        address = instance.address if instance and instance.address else f"{self._network()}.{number}"
        options = {
            "IdentityFile": self._home / "ssh-keys" / "id_ed25519",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "BatchMode": "yes",
            "ConnectTimeout": "10",
            "ControlMaster": "auto",
            "ControlPersist": "120",
            "ControlPath": f"/run/{self._bridge}-{number}.ssh",
        }
        return ["ssh", *(word for key, value in options.items() for word in ("-o", f"{key}={value}")), f"ubuntu@{address}"]

    def _ssh(self, name: str, command: str, *, timeout_s: float, input: bytes | None = None) -> process.Completed:
        return process.run([*self._ssh_argv(name), command], timeout_s=timeout_s, input=input)


def _mac(number: int) -> str:
    return f"52:54:00:4d:50:{number:02x}"


@contextlib.contextmanager
def _offered(address: str, data: bytes) -> Generator[int]:
    """The port at which the first who connects is given `data`. Only the virtual machines reach this address of their bridge."""

    def give() -> None:
        with contextlib.suppress(OSError):  # nobody came, or went before the end: what was run there says so
            connection, _ = listening.accept()
            with connection:
                connection.sendall(data)

    with socket.create_server((address, 0)) as listening:
        listening.settimeout(60)
        giving = threading.Thread(target=give, daemon=True)
        giving.start()
        yield listening.getsockname()[1]
        giving.join()


def _kvm_works(boot: qemu_image.Boot) -> bool:
    words = ["-m", "256", "-display", "none", "-serial", "stdio", "-monitor", "none", "-nodefaults", "-no-reboot"]
    kernel = ["-kernel", str(boot.kernel), "-append", f"panic=-1 {CONSOLE}"]  # without a disk it panics, and ends
    try:
        return (
            b"Linux version" in process.run(["qemu-system-x86_64", "-accel", "kvm", "-cpu", "max", *words, *kernel], timeout_s=KVM_S).stdout
        )
    except LabError:
        return False


def _run(*words: object) -> None:
    argv: Sequence[str] = [str(word) for word in words]
    process.run(argv, timeout_s=300).check(f"{argv[0]} failed")


def _quiet(*words: object) -> None:
    with contextlib.suppress(LabError):
        process.run([str(word) for word in words], timeout_s=30)
