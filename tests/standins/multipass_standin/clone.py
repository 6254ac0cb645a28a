"""`multipass clone`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from multipass_standin import cloud
from multipass_standin.failure import failed
from multipass_standin.spinner import say, spin
from multipass_standin.world import Instance, World


def clone(world: World, engine: Any, source: Instance, state: Callable[[Instance], str], wanted: str | None) -> int:
    """A stopped copy without snapshots; cloud-init takes it for a new machine."""
    if state(source) != "Stopped":
        raise failed("clone", "Multipass can only clone stopped instances.")
    taken = world.names()
    name = wanted or next(free for number in range(1, 1000) if (free := f"{source.name}-clone{number}") not in taken)
    if name in taken:
        raise failed("clone", f'instance "{name}" already exists')
    spin(f"Cloning {source.name}")
    seed = world.folder(name) / "seed"
    subprocess.run(["cp", "-r", str(world.folder(source.name) / "seed"), str(seed)], check=True, timeout=30)
    user_data = (seed / "user-data").read_text()
    cloud.write_seed(seed, name, user_data, (world.home / "ssh-keys" / "id_ed25519.pub").read_text().strip())
    copy = replace(source, name=name, snapshots=(), parent="", address="")
    world.save(replace(copy, address=engine.clone(copy, source.name, seed)))
    say(f"Cloned from {source.name} to {name}.")
    return 0
