"""Building the stand-in with a Go that is not one: what is built, kept, built again, and said when it fails."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from courselab.errors import LabError
from courselab.k3s import debian
from courselab.k3s.oci import ARCHITECTURES
from courselab.k3s.release import architecture
from courselab.k3s.standin import build, recipe, stand_in_release, standin, toolchain
from courselab.paths import Paths
from courselab.process import Completed
from courselab.progress import Silent
from tests.unit import standin_path

pytestmark = pytest.mark.skipif(architecture() not in ARCHITECTURES, reason="images are made for amd64 and arm64")


class Go:
    """Stands for process.run: writes a file for `go build`, counts, fails when told to."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.says: dict[str, str] = {}  # program: what the compiler says when it fails
        self.version = "go1.26.8"

    def __call__(self, argv: Sequence[str], *, timeout_s: float, env: Any = None, cwd: Any = None) -> Completed:
        if argv[1:] == ["env", "GOVERSION"]:
            return Completed(tuple(argv), 0, self.version.encode(), b"")
        target = Path(argv[argv.index("-o") + 1])
        if target.name in self.says:
            return Completed(tuple(argv), 1, b"", self.says[target.name].encode())
        self.built.append(target.name)
        target.write_bytes(b"binary of " + target.name.encode())
        return Completed(tuple(argv), 0, b"", b"")


class Debian:
    """Stands for unpacked packages."""

    def read(self, path: str) -> bytes:
        return f"debian's {path}".encode()


@pytest.fixture
def go() -> Go:
    return Go()


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setattr(debian, "download", lambda *_: Debian())
    monkeypatch.setattr(toolchain.shutil, "which", lambda *_args, **_options: "/usr/bin/go")
    shutil.copytree(standin_path.SOURCE, tmp_path / "course" / "infra" / "standin")
    return Paths(tmp_path / "course", tmp_path / "state", tmp_path / "cache", tmp_path / "config", tmp_path / "work")


ALL = {program.name for program in recipe.PROGRAMS}


def test_everything_a_machine_needs_is_in_one_folder(paths: Paths, go: Go) -> None:
    found = standin(paths, Silent(), runner=go)
    files = {str(path.relative_to(found.folder)) for path in found.folder.rglob("*") if path.is_file()}
    assert {"bin/k3s", "bin/kube", "bin/containerd", "bin/kine", "bin/runc", "bin/crictl", "bin/ctr"} <= files
    assert {"images/coredns.tar", "images/pause.tar", "images/busybox.tar", "images/local-path-provisioner.tar"} <= files
    assert {"supervisor/__main__.py", "supervisor/standin/server.py", "manifests/coredns.yaml", "VERSION"} <= files
    assert not files & {"bin/coredns", "bin/busybox"}, "what runs in pods is in images"
    assert (found.folder / "bin" / "kube").stat().st_mode & 0o777 == 0o755
    assert found.version == "1.36.3"


def test_nothing_is_built_twice(paths: Paths, go: Go) -> None:
    first = standin(paths, Silent(), runner=go)
    assert sorted(go.built) == sorted(ALL)
    assert standin(paths, Silent(), runner=go) == first
    assert sorted(go.built) == sorted(ALL)


def test_what_a_lab_disables_is_not_waited_for(paths: Paths, go: Go) -> None:
    small = standin(paths, Silent(), without={"traefik", "servicelb"}, runner=go)
    assert set(go.built) == ALL - {"traefik"}
    assert not (small.folder / "images" / "traefik.tar").exists()
    whole = standin(paths, Silent(), runner=go)
    assert sorted(go.built) == sorted(ALL), "the rest is kept from before"
    assert (whole.folder / "images" / "traefik.tar").is_file()
    assert standin(paths, Silent(), without={"traefik"}, runner=go) == whole, "what is there serves every lab"


def test_a_changed_module_is_built_again_and_only_it(paths: Paths, go: Go) -> None:
    first = standin(paths, Silent(), runner=go)
    go.built.clear()
    with (paths.infra / "standin" / "modules" / "kine" / "go.sum").open("a") as file:
        file.write("\n")
    second = standin(paths, Silent(), runner=go)
    assert go.built == ["kine"]
    assert second.folder != first.folder
    assert first.folder.exists(), "machines may still use it"


def next_version(paths: Paths, go: Go) -> Path:
    with (paths.infra / "standin" / "supervisor" / "standin" / "server.py").open("a") as file:
        file.write("\n")
    return standin(paths, Silent(), runner=go).folder


def make_old(paths: Paths) -> None:
    for path in (paths.cache / "standin").rglob("*"):
        os.utime(path, (1e9, 1e9)) if path.name == "part.json" or "users" in path.parts else None


@pytest.mark.parametrize(
    "needed_by", ["machines/k3s-02-server/machine.json", "machines/k3s-02-server/snapshots/s1/machine.json", "multipass/k3s-02.json"]
)
def test_a_stand_in_of_an_earlier_version_goes_when_no_machine_needs_it(paths: Paths, go: Go, needed_by: str) -> None:
    first = standin(paths, Silent(), runner=go).folder
    second = next_version(paths, go)
    assert first.exists(), "it was used not long ago"
    record = paths.state / needed_by
    record.parent.mkdir(parents=True)
    record.write_text(f'{{"spec": {{"mounts": [{{"source": "{second}"}}]}}}}')
    make_old(paths)
    third = next_version(paths, go)
    assert (first.exists(), second.exists(), third.exists()) == (False, True, True)
    assert go.built.count("kube") == 1, "parts of the present version are kept, however old"
    record.unlink()
    make_old(paths)
    fourth = next_version(paths, go)
    assert (second.exists(), third.exists(), fourth.exists()) == (False, False, True)


def test_parts_that_are_in_no_stand_in_for_long_go(paths: Paths, go: Go) -> None:
    standin(paths, Silent(), runner=go)
    make_old(paths)
    with (paths.infra / "standin" / "modules" / "kine" / "go.sum").open("a") as file:
        file.write("\n")
    standin(paths, Silent(), runner=go)
    assert len(list((paths.cache / "standin" / "parts").glob("kine-*"))) == 1
    assert len(list((paths.cache / "standin" / "parts").glob("kube-*"))) == 1


def test_a_stand_in_that_nobody_says_to_use_is_left_alone(paths: Paths, go: Go) -> None:
    first = standin(paths, Silent(), runner=go).folder
    shutil.rmtree(paths.cache / "standin" / "users")
    next_version(paths, go)
    make_old(paths)
    next_version(paths, go)
    assert first.exists()


def test_a_changed_supervisor_builds_no_program(paths: Paths, go: Go) -> None:
    standin(paths, Silent(), runner=go)
    go.built.clear()
    with (paths.infra / "standin" / "supervisor" / "standin" / "server.py").open("a") as file:
        file.write("\n")
    standin(paths, Silent(), runner=go)
    assert go.built == []


def test_an_interrupted_build_goes_on_where_it_was(paths: Paths, go: Go) -> None:
    go.says["crictl"] = "signal: killed"
    with pytest.raises(LabError):
        standin(paths, Silent(), runner=go)
    before = list(go.built)
    go.says.clear()
    standin(paths, Silent(), runner=go)
    assert sorted(go.built) == sorted(ALL), "each program is built once in all"
    assert "crictl" not in before


def test_a_damaged_file_is_made_again(paths: Paths, go: Go) -> None:
    found = standin(paths, Silent(), runner=go)
    go.built.clear()
    (found.folder / "bin" / "kube").write_bytes(b"damaged")  # the same file as the kept part
    again = standin(paths, Silent(), runner=go)
    assert go.built == ["kube"]
    assert (again.folder / "bin" / "kube").read_bytes() == b"binary of kube"


def test_doctor_finds_damage_that_size_and_time_do_not_show(paths: Paths, go: Go) -> None:
    import os

    found = standin(paths, Silent(), runner=go)
    assert build.broken_parts(paths) == []
    kube = found.folder / "bin" / "kube"
    there = kube.stat()
    kube.write_bytes(kube.read_bytes()[::-1])
    os.utime(kube, ns=(there.st_atime_ns, there.st_mtime_ns))
    assert [name.rpartition("-")[0] for name in build.broken_parts(paths)] == ["kube"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("write /cache/x.a: no space left on device", "disk is full"),
        ('go: module x: Get "https://p/x": dial tcp: lookup p: no such host', "could not be downloaded"),
        ("./main.go:3:1: undefined: x", "undefined: x"),
    ],
)
def test_a_failure_says_what_why_and_what_to_do(paths: Paths, go: Go, said: str, why: str) -> None:
    go.says["kube"] = said
    with pytest.raises(LabError) as failed:
        standin(paths, Silent(), runner=go)
    assert "kube" in failed.value.what
    assert why in failed.value.why
    assert "Try again" in failed.value.fix


def test_a_full_disk_is_told_at_any_step(paths: Paths, go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build.shutil, "copytree", full)
    with pytest.raises(LabError) as failed:
        standin(paths, Silent(), runner=go)
    assert failed.value.why == "The disk is full."


def test_two_builders_build_once(paths: Paths, go: Go) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(standin(paths, Silent(), runner=go).folder)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert sorted(go.built) == sorted(ALL)


def test_a_release_tells_machines_what_to_see(paths: Paths, go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    import courselab.k3s.standin as package

    monkeypatch.setattr(package, "standin", lambda given, progress, without: standin(given, progress, without=without, runner=go))
    release = stand_in_release(paths, Silent())
    assert release.label == "stand-in 1.36.3"
    assert release.binary.read_text().startswith("#!/bin/sh")
    assert [(mount.target, mount.writable) for mount in release.mounts] == [("/opt/k3s-standin", False)]


def test_an_old_go_is_not_used(paths: Paths, go: Go) -> None:
    go.version = "go1.21.0"
    asked: list[Sequence[str]] = []

    def runner(argv: Sequence[str], **options: Any) -> Completed:
        asked.append(argv)
        return go(argv, **options) if "pip" not in argv else Completed(tuple(argv), 1, b"", b"Could not fetch URL: connection refused")

    with pytest.raises(LabError) as failed:
        standin(paths, Silent(), runner=runner)
    assert "Go compiler" in failed.value.what
    assert any("--require-hashes" in argv for argv in asked)


def test_the_go_that_is_downloaded_is_new_enough_for_every_module() -> None:
    version = tuple(int(part) for part in toolchain.PACKAGE.partition("==")[2].split("."))
    for path in (standin_path.SOURCE / "modules").glob("*/go.mod"):
        line = next(line for line in path.read_text().splitlines() if line.startswith("go "))
        needed = tuple(int(part) for part in line.removeprefix("go ").split("."))
        assert needed <= toolchain.NEEDED, path
        assert needed <= version, path
