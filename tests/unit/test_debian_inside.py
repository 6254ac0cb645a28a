"""Packages that a lab's machine fetched, for hosts without apt."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence

import pytest

from courselab.errors import LabError
from courselab.k3s.debian_inside import download_inside
from courselab.process import Completed


def archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in {
            "./bin/busybox": b"box",
            "./usr/lib/x86_64-linux-gnu/libz.so.1.2": b"z",
            "./usr/share/ca-certificates/a.crt": b"A",
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, target in {
            "./lib/x86_64-linux-gnu/libz.so.1": "libz.so.1.2",
            "./usr/bin/loop": "loop",
            "./etc/out": "/etc/shadow",
        }.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    return packed.getvalue()


class Machine:
    """Answers every command the same way, and has one file."""

    def __init__(self, code: int = 0) -> None:
        self.ran: list[Sequence[str]] = []
        self.code = code

    def run(self, argv: Sequence[str], *, timeout_s: float, user: str = "root") -> Completed:
        self.ran.append(argv)
        return Completed(tuple(argv), self.code, b"", b"E: no network" if self.code else b"")

    def get(self, path: str, *, limit_bytes: int) -> bytes:
        return archive()


def test_files_are_found_through_links_and_never_outside() -> None:
    packages = download_inside(Machine(), ["busybox-static"], "amd64")  # type: ignore[arg-type]
    assert packages.read("/usr/bin/busybox") == packages.read("/bin/busybox") == b"box"
    assert packages.read("/usr/lib/x86_64-linux-gnu/libz.so.1") == b"z"
    assert packages.below("/usr/share/ca-certificates") == ["/usr/share/ca-certificates/a.crt"]
    for path in ("/etc/out", "/usr/bin/loop", "/nothing"):
        with pytest.raises(LabError, match="No package brought"):
            packages.read(path)


def test_a_machine_without_a_network_is_told_and_left_clean() -> None:
    machine = Machine(code=100)
    with pytest.raises(LabError) as told:
        download_inside(machine, ["curl"], "arm64")  # type: ignore[arg-type]
    assert "no network" in told.value.why and "apt-get update" in told.value.fix
    assert machine.ran[-1][:2] == ["rm", "-rf"]
