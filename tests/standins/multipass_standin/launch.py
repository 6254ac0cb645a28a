"""`multipass launch`."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import yaml

from courselab.errors import LabError
from multipass_standin import cloud, faults
from multipass_standin.failure import Failed, failed, several
from multipass_standin.spinner import say, spin
from multipass_standin.world import Instance, World

NAME = r"([a-zA-Z]|[a-zA-Z][a-zA-Z0-9-]*[a-zA-Z0-9])"
IMAGES = ("24.04", "noble", "n", "lts", "ubuntu", "default", "release:24.04", "release:noble", "")
WAIT_S = 300
IMAGE_BYTES = 3_758_096_384  # 3.5 GiB, what an Ubuntu cloud image needs
UNITS = {"": 0, "k": 10, "m": 20, "g": 30}


def size(text: str, kind: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg]?)(i?b)?", text.lower())
    if not found:
        raise Failed(f"[error] [client] Caught an unhandled exception: {text} is not a valid {kind} size", 1)
    return int(float(found[1]) * (1 << UNITS[found[2]]))


def launch(world: World, engine: Any, args: Namespace, *, main: bool) -> int:
    """Validate as the daemon does, then launch in a process of its own, which goes on when the client gives up."""
    user_data = _user_data(world, args)
    instance = _asked_for(args)
    _refuse(world, args, instance, main=main)
    with world.locked():
        if world.get(instance.name):
            raise failed("launch", f'instance "{instance.name}" already exists')
        world.save(instance)
    if _struck_before(world, instance):
        return 2
    spin(f"Creating {instance.name}")
    code, text = _in_background(world, engine, instance, user_data, args.timeout)
    if code:
        raise Failed(text, code)
    say(f"Launched: {instance.name}{' in zone1' if main else ''}")
    return 0


def _asked_for(args: Namespace) -> Instance:
    if args.cpus is not None and args.cpus < 1:
        raise Failed("Invalid CPU count", 1)
    memory, disk = size(args.memory, "memory"), size(args.disk, "disk")
    return Instance(args.name or f"quick-{os.getpid()}", args.cpus or 1, memory, disk, "24.04", state="Starting")


def _refuse(world: World, args: Namespace, instance: Instance, *, main: bool) -> None:
    invalid = "Invalid arguments supplied\n"
    if not re.fullmatch(NAME, instance.name):
        raise failed("launch", f"{invalid}Invalid instance name supplied: {instance.name}")
    if instance.memory < (512 << 20 if main else 128 << 20):
        raise failed("launch", f"{invalid}Invalid memory size value supplied: {args.memory}.")
    if instance.disk < (1 << 30 if main else 512 << 20):
        raise failed("launch", f"{invalid}Invalid disk size value supplied: {args.disk}.")
    if args.network or args.bridged:
        raise failed("launch", f"{invalid}Invalid network options supplied")
    remote, colon, alias = args.image.rpartition(":")
    if colon and remote not in ("release", "daily", "http", "https", "file"):
        raise failed("launch", f"Remote '{remote}' is not found. Please use `multipass find` for supported remotes and images.")
    if args.image not in IMAGES:
        raise failed("launch", f'Unable to find an image matching "{alias}" in remote "{remote}".')
    if faults.struck(world.home, "disk-full"):
        raise failed("launch", f"Available disk (1073741824 bytes) below minimum for this image ({IMAGE_BYTES} bytes)")
    if instance.disk < IMAGE_BYTES:
        raise failed("launch", f"Requested disk ({instance.disk} bytes) below minimum for this image ({IMAGE_BYTES} bytes)")


def _user_data(world: World, args: Namespace) -> str:
    if not args.cloud_init:
        return cloud.HEADER
    try:
        text = sys.stdin.read() if args.cloud_init == "-" else Path(args.cloud_init).read_text()
        return cloud.reemitted(text, _key(world))
    except OSError as missing:
        raise Failed(f"Could not load cloud-init configuration: {missing}", 1) from missing
    except yaml.YAMLError as wrong:
        raise Failed(f"Error loading cloud-init config: {wrong}", 1) from wrong


def _key(world: World) -> str:
    """The daemon's own ssh key."""
    private = world.home / "ssh-keys" / "id_ed25519"
    with world.locked():
        if not private.exists():
            private.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "multipass", "-f", str(private)], check=True, timeout=30)
    return private.with_suffix(".pub").read_text().strip()


def _struck_before(world: World, instance: Instance) -> bool:
    """Launches that end without any machine below."""
    if faults.struck(world.home, "launch-unknown"):
        world.change(instance.name, state="Unknown")
        raise several("launch", f"{instance.name}: timed out waiting for response")
    if faults.struck(world.home, "launch-stuck"):
        raise Failed("Timed out waiting for instance launch.", 5)
    if faults.struck(world.home, "launch-died"):
        world.change(instance.name, state="Stopped")
        raise failed("launch", f"qemu-system-x86_64: cannot set up guest memory\n{instance.name}: shutdown called while starting")
    return False


def _in_background(world: World, engine: Any, instance: Instance, user_data: str, timeout: int | None) -> tuple[int, str]:
    """The daemon's part, detached; returns what it said, or the client's own timeout."""
    gives_up = faults.struck(world.home, "launch-starting")
    slow = faults.struck(world.home, "launch-slow-init")
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        os.setsid()
        silent = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(silent, number)
        time.sleep(2 if gives_up else 0)
        result = _daemon(world, engine, instance, user_data, 0 if slow else timeout or WAIT_S)
        try:
            os.write(write, json.dumps(result).encode())
        finally:
            os._exit(0)
    os.close(write)
    ready, _, _ = select.select([read], [], [], 0 if gives_up else timeout)
    if not ready:
        return 5, "Timed out waiting for instance launch."
    code, text = json.loads(os.read(read, 65536) or b'[2, "launch failed: the daemon died"]')
    return code, text


def _daemon(world: World, engine: Any, instance: Instance, user_data: str, wait_s: int) -> tuple[int, str]:
    name = instance.name
    try:
        seed = world.folder(name) / "seed"
        cloud.write_seed(seed, name, user_data, _key(world))
        address = engine.create(instance, seed)
        world.change(name, address=address, state="")
        if wait_s == 0 or not engine.initialised(name, wait_s):
            return 2, f"launch failed: The following errors occurred:\n{name}: timed out waiting for initialization to complete"
    except (LabError, OSError) as broken:
        world.change(name, state="Unknown")
        (world.home / "daemon.log").open("a").write(f"{broken!r} {getattr(broken, 'why', '')} {getattr(broken, 'detail', '')}\n")
        return 2, f"launch failed: The following errors occurred:\n{name}: timed out waiting for response"
    return 0, ""
