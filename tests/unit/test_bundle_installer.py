"""`install-lab`: the course is put in place only out of a bundle that is whole, in every part of it."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from courselab.session.context import Context
from tests.unit.test_bundle import contents, context, manifest_of, written

__all__ = ["context"]
INSTALLER = Path(__file__).parents[2] / "infra" / "bundle" / "install-lab"
LAB = b'#!/bin/sh\nprintf "%s|" "$@"\n'
Odd = Callable[[tarfile.TarFile], None]


@pytest.fixture
def files(context: Context) -> dict[str, bytes]:
    return contents(context) | {"course/lab": LAB, "course/docs/two words.md": b"text"}


def install(bundle: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = bundle.parent / "the course"
    done = subprocess.run(
        ["sh", str(INSTALLER), str(folder), str(bundle)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False
    )
    return done, folder


def test_a_good_bundle_is_installed_and_loaded(files: dict[str, bytes], tmp_path: Path) -> None:
    bundle = written(tmp_path / "a bundle.lab", files, manifest_of(files))
    with bundle.open("r+b") as file:
        make_executable(file, "course/lab")
    done, folder = install(bundle)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"bundle|load|{bundle}|"
    assert (folder / "labs" / "02" / "lab.yaml").read_bytes() == files["course/labs/02/lab.yaml"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a bundle.lab", "course", "the course"]


def make_executable(file: io.BufferedRandom, name: str) -> None:
    """In the headers; Writer's add_bytes makes plain files."""
    with tarfile.open(fileobj=file) as tar:
        info = tar.getmember(name)
    file.seek(info.offset)
    info.mode = 0o755
    file.write(info.tobuf(tarfile.GNU_FORMAT))


def test_a_changed_byte_in_any_file_installs_nothing(files: dict[str, bytes], tmp_path: Path) -> None:
    bundle = written(tmp_path / "a bundle.lab", files, manifest_of(files))
    good = bundle.read_bytes()
    with tarfile.open(bundle) as tar:
        places = {path: tar.getmember(path).offset_data for path in files}
    for path, at in places.items():
        bundle.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        done, folder = install(bundle)
        assert done.returncode == 4, path
        assert f"not as its list says: {path}" in done.stderr
        assert not folder.exists(), path


def add(name: str, data: bytes = b"more", **about: object) -> Odd:
    def change(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = 0 if about else len(data)
        for key, value in about.items():
            setattr(info, key, value)
        tar.addfile(info, None if about else io.BytesIO(data))

    return change


@pytest.mark.parametrize(
    "odd",
    [
        add("course/more"),
        add("course/labs/02/lab.yaml", b"schema: 1\n"),
        add("course/link", type=tarfile.SYMTYPE, linkname="/etc"),
        add("manifest.json", b"{}"),
        add("fingerprint", b"0"),
        add("course/  fingerprint"),
        add("cache/more"),
    ],
)
def test_what_is_not_on_the_list_installs_nothing(files: dict[str, bytes], tmp_path: Path, odd: Odd) -> None:
    bundle = written(tmp_path / "a bundle.lab", files, manifest_of(files))
    with tarfile.open(bundle, "a", format=tarfile.GNU_FORMAT) as tar:
        odd(tar)
    done, folder = install(bundle)
    assert done.returncode == 4
    assert "refused" in done.stderr
    assert not folder.exists()


def test_what_is_missing_or_cut_off_installs_nothing(files: dict[str, bytes], tmp_path: Path) -> None:
    bundle = written(tmp_path / "a bundle.lab", {name: data for name, data in files.items() if name != "debs/Packages"}, manifest_of(files))
    done, folder = install(bundle)
    assert done.returncode == 4
    assert "debs/Packages" in done.stderr
    whole = written(bundle, files, manifest_of(files)).read_bytes()
    bundle.write_bytes(whole[: len(whole) // 2])
    done, folder = install(bundle)
    assert done.returncode == 4
    assert not folder.exists()
