"""Taking programs out of unpacked packages: links, loaders and libraries are followed as a running system would."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from courselab.errors import LabError
from courselab.k3s.debian import Packages, linked, program_files


def elf(loader: str, libraries: list[str]) -> bytes:
    """A 64-bit ELF file with just the parts that say what it loads."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in libraries)
    offsets = [strings.index(name.encode()) for name in libraries]
    base, address = 0x200, 0x10200  # loaded at 0x10000 above its place in the file
    dynamic = b"".join(struct.pack("<QQ", 1, offset) for offset in offsets) + struct.pack("<QQQQ", 5, address, 0, 0)
    interp = loader.encode() + b"\0"
    kinds = [(1, 0, 0x10000, 0x1000), (2, 0x400, 0x10400, len(dynamic)), (3, 0x600, 0x10600, len(interp))]
    headers = [struct.pack("<IIQQQQQQ", kind, 0, at, to, to, size, size, 8) for kind, at, to, size in kinds if loader or kind != 3]
    head = b"\x7fELF\x02\x01".ljust(0x20, b"\0") + struct.pack("<QQIHHHHHH", 0x40, 0, 0, 64, 56, len(headers), 0, 0, 0)
    image = bytearray(0x1000)
    for place, data in ((0, head + b"".join(headers)), (base, strings), (0x400, dynamic), (0x600, interp)):
        image[place : place + len(data)] = data
    return bytes(image)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "usr/bin/curl": elf("/lib64/ld-linux-x86-64.so.2", ["libcurl.so.4", "libc.so.6"]),
        "usr/lib/x86_64-linux-gnu/libcurl.so.4.8.0": elf("", ["libc.so.6"]),
        "lib/x86_64-linux-gnu/libc.so.6": elf("", []),
        "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": elf("", []),
        "usr/bin/unused": b"\x7fELF",
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "usr/lib/x86_64-linux-gnu/libcurl.so.4").symlink_to("libcurl.so.4.8.0")
    (tmp_path / "lib64").mkdir()
    (tmp_path / "lib64/ld-linux-x86-64.so.2").symlink_to("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    return tmp_path


def test_a_program_comes_with_its_loader_and_libraries_and_nothing_else(root: Path) -> None:
    files = list(program_files(Packages(root, "amd64"), ["/usr/bin/curl"]))
    assert sorted(file.path for file in files) == [
        "/usr/bin/curl",
        "/usr/lib/x86_64-linux-gnu/libc.so.6",
        "/usr/lib/x86_64-linux-gnu/libcurl.so.4",
        "/usr/lib64/ld-linux-x86-64.so.2",
    ]
    assert all(file.mode == 0o755 for file in files)


def test_absolute_links_stay_inside_the_packages(root: Path) -> None:
    (root / "usr/bin/passwd").symlink_to("/etc/passwd")
    with pytest.raises(LabError, match="No package brought /usr/bin/passwd"):
        Packages(root, "amd64").read("/usr/bin/passwd")


def test_links_that_go_in_circles_end(root: Path) -> None:
    (root / "usr/bin/a").symlink_to("b")
    (root / "usr/bin/b").symlink_to("a")
    with pytest.raises(LabError, match="No package brought"):
        Packages(root, "amd64").read("/usr/bin/a")


def test_what_is_not_a_program_loads_nothing() -> None:
    assert linked(b"#!/bin/sh\n") == ("", [])
