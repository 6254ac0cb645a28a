"""A full disk, a strange umask, a closed pipe, a home with a strange name, a registry that is gone: told in three lines, nothing lost."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from courselab.course import Catalog
from courselab.course.scripts import read_scripts
from courselab.paths import find_paths
from tests.integration.command import COURSE, LabCommand
from tests.integration.traces import traces


@pytest.fixture
def command(tmp_path: Path) -> Generator[LabCommand]:
    made = LabCommand(tmp_path / "läb: home")
    yield made
    made.ok("delete", "--all", "--yes")
    assert traces(find_paths({"LAB_HOME": str(made.home)}).machines) == {}


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A folder on a disk of its own, whose size `resize` sets."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "small", str(place)], timeout=20, check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], timeout=20, check=True)


def resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], timeout=20, check=True)


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The error of a command that failed as designed: what, why, what to do; never a traceback."""
    assert done.returncode in {3, 4}, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.rstrip().splitlines()
    what = next(number for number, line in enumerate(lines) if line.startswith("lab: "))
    assert lines[what + 1].strip().startswith("why:"), done.stderr
    assert any(line.strip().startswith("fix:") for line in lines[what + 2 :]), done.stderr
    return "\n".join(lines[what:])


@pytest.mark.parametrize("size", ["100k", "24m"])
def test_the_disk_fills_up_while_a_lab_starts(small_disk: Path, size: str) -> None:
    """Early it hits the lab's own files or images, later K3s's database. With room again the lab is finished."""
    command = LabCommand(small_disk / "home")
    state = find_paths({"LAB_HOME": str(command.home)}).labs / "02" / "lab.json"
    resize(small_disk, "64k")
    assert "disk" in told(command.run("start", "02")), "too small from the beginning"
    resize(small_disk, "4g")
    try:
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(command.run, "start", "02")
            while not state.exists() and not starting.done():
                time.sleep(0.01)
            resize(small_disk, size)
            said = told(starting.result())
        assert "disk" in said.lower() or "space" in said.lower(), said
        resize(small_disk, "6g")
        command.ok("start", "02")
        assert command.run("check", "02", "--no-wait").returncode == 1
    finally:
        resize(small_disk, "6g")
        command.ok("delete", "--all", "--yes")
        assert traces(find_paths({"LAB_HOME": str(command.home)}).machines) == {}


def test_a_start_that_had_no_room_for_an_image_is_finished_by_the_next(command: LabCommand) -> None:
    """K3s reads its images when it starts: one that runs, and could not store one of them, would never get ready."""
    command.ok("start", "02")
    state = find_paths({"LAB_HOME": str(command.home)}).labs / "02" / "lab.json"
    state.write_text(state.read_text().replace('"ready"', '"starting"'))
    lost = (
        "k3s kubectl scale deployment/coredns -n kube-system --replicas=0; k3s kubectl wait --for=delete pod -l k8s-app=kube-dns -n kube-system"
        " --timeout=60s; k3s crictl rmi $(k3s crictl images | awk '/coredns/ {print $3}');"
        " rm /var/lib/rancher/k3s/agent/etc/imported-images.json; k3s kubectl scale deployment/coredns -n kube-system --replicas=1"
    )
    command.ok("shell", "--root", "--lab", "02", "server", "--", "sh", "-c", lost)
    command.ok("start", "02")
    assert command.run("check", "02", "--no-wait").returncode == 1


@pytest.mark.parametrize("size", ["1m", "60m"])
def test_the_disk_is_full_while_parts_are_built(small_disk: Path, tmp_path: Path, size: str) -> None:
    resize(small_disk, size)
    command = LabCommand(tmp_path / "home")
    said = told(command.run("start", "02", LAB_CACHE=str(small_disk)))
    assert "disk" in said.lower(), said
    command.ok("delete", "--all", "--yes")


def test_no_registry_answers(command: LabCommand, tmp_path: Path) -> None:
    """Ports on which nobody listens, for everything that is fetched."""
    nowhere = "http://127.0.0.1:9"
    gone = {"GOPROXY": nowhere, "LAB_K3S_MIRROR": nowhere, "http_proxy": nowhere, "https_proxy": nowhere, "PIP_INDEX_URL": nowhere}
    told(command.run("start", "02", LAB_CACHE=str(tmp_path / "empty cache"), **gone))


@pytest.fixture
def half_way() -> Generator[str]:
    """A registry that breaks off in the middle of everything it sends. Gives its address."""

    class Breaks(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"v1.0.0\n")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Breaks) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_registry_breaks_off_half_way(command: LabCommand, tmp_path: Path, half_way: str) -> None:
    broken = {"GOPROXY": half_way, "LAB_K3S_MIRROR": half_way, "http_proxy": half_way, "PIP_INDEX_URL": half_way}
    said = told(command.run("start", "02", LAB_CACHE=str(tmp_path / "empty cache"), **broken))
    assert "Try again" in said or "try again" in said, said
    command.ok("start", "02")
    assert command.run("check", "02", "--no-wait").returncode == 1, "nothing half-fetched is in the way"


def test_everything_in_kube_system_is_deleted(command: LabCommand) -> None:
    """It is told, points stay right, and a restart brings the packaged components back, as K3s does."""
    command.ok("start", "02")
    command.ok("kubectl", "delete", "deployments,services,configmaps,pods,serviceaccounts", "--all", "-n", "kube-system", "--wait=false")
    done = command.run("check", "02", "--no-wait", "--json")
    assert done.returncode == 1, done.stderr
    assert {check["verdict"] for check in json.loads(done.stdout)["checks"]} <= {"fail", "blocked", "waiting"}
    command.ok("stop", "02")
    command.ok("resume", "02")
    command.ok("kubectl", "rollout", "status", "deployment/coredns", "-n", "kube-system", "--timeout=60s")


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_strange_umask(command: LabCommand, umask: int) -> None:
    before = os.umask(umask)
    try:
        command.ok("start", "02")
        for script in read_scripts(Catalog(COURSE).find("02"), "solution"):
            user = ["--root"] if script.user == "root" else []
            command.ok("shell", *user, "--lab", "02", script.on, "--", "sh", "-elc", script.text)
        command.ok("check", "02")
    finally:
        os.umask(before)
    state = find_paths({"LAB_HOME": str(command.home)}).state
    secret = [
        state / "student",
        *(state / "labs").rglob("kubeconfig"),
        *(state / "labs").rglob("lab.json"),
    ]  # a machine's files come and go
    assert len(secret) == 3
    assert [path for path in secret if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_two_starts_at_once_and_a_closed_pipe(command: LabCommand) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: command.run("start", "02"), range(2)))
    assert sorted(done.returncode for done in both) in ([0, 0], [0, 4]), [done.stderr for done in both]
    for verb in ("list", "tasks", "status", "check", "env"):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [str(COURSE / "lab"), verb], env=command.environment(), stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE,
            text=True, timeout=120, check=False,
        )  # fmt: skip
        os.close(write)
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
