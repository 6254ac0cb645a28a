"""A server of a test module's own, and short ways to ask it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from courselab.course.model import Role
from courselab.k3s.install import install_k3s, start_k3s
from courselab.k3s.standin import stand_in_release
from courselab.machines import Machine, MachineSpec
from courselab.machines.local.provider import LocalProvider
from courselab.paths import Paths
from courselab.progress import Silent
from tests.integration.command import COURSE

BUSYBOX = "k3s-standin/busybox:1"
MANIFESTS = "/var/lib/rancher/k3s/server/manifests"


class Server:
    """A server and short ways to ask it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def sh(self, script: str, *, user: str = "root", timeout_s: float = 60) -> str:
        """What a script prints; the test fails if it does."""
        done = self.machine.run(["sh", "-euc", script], timeout_s=timeout_s, user=user)
        assert done.code == 0, f"{script}\n{done.text}\n{done.error_text}"
        return done.text.strip()

    def kubectl(self, *words: str) -> str:
        done = self.machine.run(["kubectl", *words], timeout_s=60)
        assert done.code == 0, f"kubectl {words}\n{done.text}\n{done.error_text}"
        return done.text.strip()

    def get(self, *words: str) -> dict[str, Any]:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def is_there(self, *words: str) -> bool:
        """Whether `kubectl get` finds it."""
        return self.machine.run(["kubectl", "get", *words], timeout_s=60).code == 0

    def apply(self, *things: dict[str, Any]) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(things)})
        done = self.machine.run(["kubectl", "apply", "-f", "-"], input=text.encode(), timeout_s=60)
        assert done.code == 0, done.error_text

    def until(self, what: str, true: Callable[[], bool], within_s: float = 60) -> None:
        """Ask until it is so; the test fails if it is not in time."""
        deadline = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
            time.sleep(0.3)


@contextmanager
def server_of_its_own(home: Path, lab: str, config: Mapping[str, Any]) -> Generator[Server]:
    """A machine with a server whose node is Ready, configured by `config`; gone at the end of the block."""
    cache = Path(os.environ.get("LAB_CACHE") or Path.home() / ".cache" / "k3s-course-lab")
    paths = Paths(course=COURSE, state=home / "state", cache=cache, config=home / "config", work=home / "work")
    release = stand_in_release(paths, Silent())
    provider = LocalProvider(paths, Silent(), lambda _: True)
    machine = provider.create(MachineSpec(f"test-{lab}-server", "server", lab, mounts=release.mounts))
    try:
        install_k3s(machine, release, Role.SERVER, config=config, images=())
        start_k3s(machine, Role.SERVER)
        found = Server(machine)
        found.kubectl("wait", "--for=create", "node/server", "--timeout=60s")
        found.kubectl("wait", "--for=condition=Ready", "node/server", "--timeout=60s")
        found.until("the node is described", lambda: "k3s.io/node-args" in found.kubectl("get", "node", "server", "-o", "yaml"))
        yield found
    finally:
        machine.delete()


def pod(name: str, *command: str, **spec: Any) -> dict[str, Any]:
    """A pod of one busybox container, called main. `spec`: more for the pod; `container`: more for the container."""
    container = {"name": "main", "image": BUSYBOX, "command": list(command) or ["sleep", "3600"], **spec.pop("container", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], **spec},
    }
