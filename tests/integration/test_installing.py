"""Machines without K3s: what a learner installs, joins, takes away and installs again, without the internet; and what the grader sees meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from courselab.course import Lab
from courselab.course.load import load_lab
from courselab.machines import Machine
from courselab.machines.local.provider import LocalProvider
from courselab.paths import Paths
from courselab.progress import Silent
from courselab.session.cluster import admin_kubeconfig
from courselab.session.context import Context, machines_of
from courselab.session.end import delete
from courselab.session.start import start
from courselab.session.store import Store
from tests.integration.command import COURSE, host_marks
from tests.integration.traces import traces

LAB_YAML = """\
schema: 1
chapter: "91"
title: Machines without K3s
summary: A lab for tests.
minutes: 1
machines:
  one: {role: none}
  two: {role: none, cpus: 1, memory_mib: 1024}
images: [course/web:1]
tasks:
- {id: "91.one", title: One, text: One, points: 1, hints: [a, b, c]}
"""


class Machines:
    """The started lab, as its learner and its grader see it."""

    def __init__(self, context: Context, lab: Lab) -> None:
        state = start(context, lab)
        self.context, self.lab = context, lab
        self.all: dict[str, Machine] = {host: machine for host, machine in machines_of(context, state).items() if machine}

    def student(self, host: str, script: str) -> str:
        """Typed by the learner, in a login shell."""
        done = self.all[host].run(["sh", "-elc", script], timeout_s=300, user="student")
        assert done.code == 0, f"{host}: {script}\n{done.text}\n{done.error_text}"
        return done.text.strip()

    def cluster(self) -> bytes | None:
        return admin_kubeconfig(self.context.store, self.lab, self.all)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    cache = Path(os.environ.get("LAB_CACHE") or Path.home() / ".cache" / "k3s-course-lab")
    home = tmp_path_factory.mktemp("home")
    folder = home / "91-installing"
    folder.mkdir()
    (folder / "lab.yaml").write_text(LAB_YAML)
    paths = Paths(course=COURSE, state=home / "state", cache=cache, config=home / "config", work=home / "work")
    context = Context(paths, Store(paths), LocalProvider(paths, Silent(), lambda _: True), Silent())
    before = host_marks()
    try:
        yield Machines(context, load_lab(folder))
    finally:
        delete(context, "91")
    assert traces(paths.state / "machines") == {}, "nothing is left"
    assert host_marks() == before, "the host is as it was"


def test_a_learner_installs_a_cluster_joins_it_and_takes_it_away(machines: Machines) -> None:
    assert machines.cluster() is None
    said = machines.student("one", 'INSTALL_K3S_VERSION="$LAB_K3S_VERSION" install-k3s.sh --write-kubeconfig-mode 644')
    assert "[INFO]  systemd: Starting k3s" in said
    first = machines.cluster()
    assert first and machines.all["one"].address.encode() in first
    assert machines.student("one", "systemctl is-enabled k3s; systemctl is-active k3s").split() == ["enabled", "active"]
    machines.student("one", "kubectl wait --for=create node/one --timeout=60s; kubectl wait --for=condition=Ready node/one --timeout=60s")

    again = machines.student("one", 'INSTALL_K3S_VERSION="$LAB_K3S_VERSION" install-k3s.sh --write-kubeconfig-mode 644')
    assert "No change detected so skipping service start" in again

    token = machines.student("one", "sudo cat /var/lib/rancher/k3s/server/node-token")
    machines.student("two", f"K3S_URL=https://{machines.all['one'].address}:6443 K3S_TOKEN={token} install-k3s.sh")
    assert "https://" in machines.student("two", "sudo cat /etc/systemd/system/k3s-agent.service.env")
    machines.student("one", "kubectl wait --for=condition=Ready node/two --timeout=60s")
    machines.student("one", "kubectl run web --image=docker.io/course/web:1 --image-pull-policy=IfNotPresent")
    machines.student("one", "kubectl wait --for=condition=Ready pod/web --timeout=60s")

    machines.student("two", "k3s-agent-uninstall.sh; ! pgrep containerd-shim; ! ip link show cni0; test ! -e /usr/local/bin/k3s")
    machines.student("one", "k3s-uninstall.sh; ! pgrep containerd-shim; test ! -e /usr/local/bin/kubectl; test ! -e /var/lib/rancher/k3s")
    assert machines.student("one", "ls /usr/local/bin") == "install-k3s.sh"
    assert machines.student("one", "sudo ls /etc/rancher/node") == "password", "a machine keeps its password (k3s-io/k3s install.sh)"
    assert machines.cluster() is None

    machines.student("one", "install-k3s.sh server --disable traefik --disable metrics-server")
    second = machines.cluster()
    assert second and second != first, "another cluster, and the grader knows it"
    said = machines.student("one", "! kubectl get nodes 2>&1")
    assert "Unable to read /etc/rancher/k3s/k3s.yaml, please start server with --write-kubeconfig-mode or --write-kubeconfig-group" in said
    assert "--tls-san" in machines.student("one", "k3s server --help")
    assert "cgroup hierarchy: cgroups" in machines.student("one", "k3s check-config || true"), "whatever this computer's kernel is like"
    assert machines.student("one", "cat /etc/systemd/system/k3s.service").splitlines()[-1].strip() == "'metrics-server'"
