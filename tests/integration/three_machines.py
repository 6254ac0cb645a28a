"""A lab of a server and two agents, started for a test module, and short ways to ask its cluster."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from courselab.course import Lab
from courselab.course.load import load_lab
from courselab.machines import Machine
from courselab.machines.local.provider import LocalProvider
from courselab.paths import Paths
from courselab.progress import Silent
from courselab.session.context import Context, machines_of
from courselab.session.end import delete
from courselab.session.start import start
from courselab.session.store import LabState, Store
from tests.integration.command import COURSE, host_marks
from tests.integration.traces import traces

LAB_YAML = """\
schema: 1
chapter: "90"
title: Three machines
summary: A lab for tests.
minutes: 1
machines:
  server: {role: server}
  a1: {role: agent, cpus: 1, memory_mib: 1024}
  a2: {role: agent, cpus: 1, memory_mib: 1024}
images: [course/web:1, course/tools:1]
k3s: K3S
tasks:
- {id: "90.one", title: One, text: One, points: 1, hints: [a, b, c]}
"""
ENV_FILE = "/etc/systemd/system/k3s-agent.service.env"
TOKEN = "/var/lib/rancher/k3s/server/node-token"


@contextmanager
def three_machines(home: Path, k3s: str = "{needs: [coredns]}") -> Generator[Cluster]:
    """Start it; at the end nothing of it is left, and the host is as it was. `k3s`: what lab.yaml says of K3s."""
    cache = Path(os.environ.get("LAB_CACHE") or Path.home() / ".cache" / "k3s-course-lab")
    folder = home / "90-agents"
    folder.mkdir()
    (folder / "lab.yaml").write_text(LAB_YAML.replace("K3S", k3s))
    lab = load_lab(folder)
    paths = Paths(course=COURSE, state=home / "state", cache=cache, config=home / "config", work=home / "work")
    context = Context(paths, Store(paths), LocalProvider(paths, Silent(), lambda _: True), Silent())
    before = host_marks()
    try:
        yield Cluster(context, lab, start(context, lab))
    finally:
        delete(context, "90")
    assert traces(paths.state / "machines") == {}, "nothing is left"
    assert host_marks() == before, "the host is as it was"


class Cluster:
    """The started lab and short ways to ask it."""

    def __init__(self, context: Context, lab: Lab, state: LabState) -> None:
        self.context, self.lab, self.state = context, lab, state

    def machine(self, host: str) -> Machine:
        found = machines_of(self.context, self.state)[host]
        assert found
        return found

    def sh(self, host: str, script: str, *, timeout_s: float = 120) -> str:
        done = self.machine(host).run(["sh", "-euc", script], timeout_s=timeout_s)
        assert done.code == 0, f"{host}: {script}\n{done.text}\n{done.error_text}"
        return done.text.strip()

    def fails(self, host: str, script: str) -> str:
        done = self.machine(host).run(["sh", "-euc", script], timeout_s=60)
        assert done.code != 0, done.text
        return done.text + done.error_text

    def kubectl(self, words: str) -> str:
        return self.sh("server", f"kubectl {words}")

    def get(self, words: str) -> dict[str, Any]:
        return json.loads(self.kubectl(f"get {words} -o json"))

    def apply(self, *things: dict[str, Any]) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(things)})
        done = self.machine("server").run(["kubectl", "apply", "-f", "-"], input=text.encode(), timeout_s=60)
        assert done.code == 0, done.error_text

    def until(self, what: str, true: Callable[[], bool], within_s: float = 90) -> None:
        deadline = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
            time.sleep(0.3)

    def ready(self, *hosts: str) -> None:
        for host in hosts or ("server", "a1", "a2"):
            self.kubectl(f"wait --for=create node/{host} --timeout=90s")
            self.kubectl(f"wait --for=condition=Ready node/{host} --timeout=90s")

    def says(self, host: str, text: str) -> None:
        """The agent's journal has this line since it was stopped last."""
        script = 'journalctl -u k3s-agent --no-pager -o cat --since "@$(cat /run/stopped)"'
        deadline = time.monotonic() + 90
        while text not in (said := self.sh(host, script)):
            assert time.monotonic() < deadline, f"{host} does not say {text!r}, but\n{said[-5000:]}"
            time.sleep(0.5)

    def stop_agent(self, host: str) -> None:
        # systemd refuses a sixth start within 10 s, which a fast computer reaches here
        self.sh(host, "systemctl stop k3s-agent; systemctl reset-failed k3s-agent || true; date +%s.%N > /run/stopped")

    def restart_agent(self, host: str, *, settings: str = "", forget: bool = False, wait: bool = True) -> None:
        """Restart an agent with another token (a line of its environment file); `forget` takes away what it had when it joined."""
        if settings:
            self.sh(host, f"sed -i 's|^K3S_TOKEN=.*|{settings}|' {ENV_FILE}")
        self.stop_agent(host)
        if forget:
            self.sh(host, "rm -f /var/lib/rancher/k3s/agent/client-kubelet.*")
        self.sh(host, f"systemctl start {'' if wait else '--no-block'} k3s-agent")


def pod(name: str, node: str, image: str = "docker.io/course/tools:1", **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent"}
    if "tools" in image:
        container["command"] = ["sleep", "3600"]  # type: ignore[assignment]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 0, "nodeSelector": {"kubernetes.io/hostname": node}, "containers": [container], **spec},
    }


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}], **spec},
    }
