"""The image archives that we write: what a container runtime reads in them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import time
from pathlib import Path

import pytest

from courselab.k3s.images import remove_unused
from courselab.k3s.oci import Entry, File, Folder, ImageConfig, Link, full_name, write_image

ENTRIES: list[Entry] = [
    File("/usr/bin/web", b"\x7fELF", mode=0o755),
    Link("/bin", "usr/bin"),
    Folder("/tmp", mode=0o1777),
    File("/home/web/hello", b"hello", owner=1000),
]
CONFIG = ImageConfig(entrypoint=("/usr/bin/web",), user="1000:1000", env=("PORT=80",))


def read(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: file.read() for member in tar if (file := tar.extractfile(member))}


def blob(files: dict[str, bytes], descriptor: dict[str, object]) -> bytes:
    data = files[f"blobs/{str(descriptor['digest']).replace(':', '/')}"]
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == descriptor["digest"]
    assert len(data) == descriptor["size"]
    return data


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_archive_holds_an_image_that_a_runtime_can_follow_from_its_index(tmp_path: Path, arch: str) -> None:
    write_image(tmp_path / "web.tar", "course/web:1", ENTRIES, CONFIG, arch=arch)
    files = read(tmp_path / "web.tar")
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    [entry] = json.loads(files["index.json"])["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == "docker.io/course/web:1"
    assert entry["platform"] == {"os": "linux", "architecture": arch}
    manifest = json.loads(blob(files, entry))
    config = json.loads(blob(files, manifest["config"]))
    assert config["architecture"] == arch
    assert config["config"] == {"Entrypoint": ["/usr/bin/web"], "Env": ["PORT=80"], "User": "1000:1000", "WorkingDir": "/"}
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]


def test_layer_holds_the_files_with_their_folders_modes_and_owners(tmp_path: Path) -> None:
    write_image(tmp_path / "web.tar", "course/web:1", ENTRIES, CONFIG, arch="amd64")
    files = read(tmp_path / "web.tar")
    manifest = json.loads(blob(files, json.loads(files["index.json"])["manifests"][0]))
    with tarfile.open(fileobj=io.BytesIO(blob(files, manifest["layers"][0]))) as layer:
        seen = {member.name: (oct(member.mode), member.uid, member.linkname) for member in layer}
    assert seen == {
        "bin": ("0o777", 0, "usr/bin"),
        "home": ("0o755", 0, ""),
        "home/web": ("0o755", 0, ""),
        "home/web/hello": ("0o644", 1000, ""),
        "tmp": ("0o1777", 0, ""),
        "usr": ("0o755", 0, ""),
        "usr/bin": ("0o755", 0, ""),
        "usr/bin/web": ("0o755", 0, ""),
    }


def test_the_same_image_is_the_same_bytes_whatever_the_order_and_source(tmp_path: Path) -> None:
    source = tmp_path / "binary"
    source.write_bytes(b"\x7fELF")
    from_path = [File("/usr/bin/web", source, mode=0o755), *reversed(ENTRIES[1:])]
    write_image(tmp_path / "one.tar", "course/web:1", ENTRIES, CONFIG, arch="amd64")
    write_image(tmp_path / "two.tar", "course/web:1", from_path, CONFIG, arch="amd64")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_a_failed_write_leaves_the_old_archive_and_no_scraps(tmp_path: Path) -> None:
    target = tmp_path / "web.tar"
    write_image(target, "course/web:1", ENTRIES, CONFIG, arch="amd64")
    before = target.read_bytes()
    with pytest.raises(OSError):
        write_image(target, "course/web:1", [File("/x", tmp_path / "absent")], CONFIG, arch="amd64")
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("course/web:1", "docker.io/course/web:1"),
        ("pause:3.10", "docker.io/library/pause:3.10"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("localhost/web:1", "localhost/web:1"),
        ("reg:5000/web:1", "reg:5000/web:1"),
        ("rancher/mirrored-coredns-coredns:1.14.7", "docker.io/rancher/mirrored-coredns-coredns:1.14.7"),
    ],
)
def test_names_are_completed_as_kubernetes_does(name: str, full: str) -> None:
    assert full_name(name) == full


@pytest.mark.parametrize("name", ["course/web", "reg:5000/web", ":1", ""])
def test_a_name_without_a_tag_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="needs a tag"):
        full_name(name)


@pytest.mark.parametrize("path", ["/../etc/passwd", "..", "/", ""])
def test_a_path_outside_the_image_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="inside an image"):
        write_image(tmp_path / "web.tar", "course/web:1", [File(path, b"")], CONFIG, arch="amd64")


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="riscv64"):
        write_image(tmp_path / "web.tar", "course/web:1", ENTRIES, CONFIG, arch="riscv64")


def test_images_that_no_lab_has_used_for_long_are_removed(tmp_path: Path) -> None:
    def image(version: str, *ages_days: int) -> Path:
        folder = tmp_path / version
        folder.mkdir()
        for number, age in enumerate(ages_days):
            archive = folder / f"course-web-{number}-amd64.tar"
            archive.touch()
            os.utime(archive, (time.time() - age * 24 * 3600,) * 2)
        return folder

    old, half, recent, used, being_made = image("old", 40, 31), image("half", 40, 2), image("recent", 5), image("used", 40), image("making")
    remove_unused(tmp_path, used=[used / "course-web-0-amd64.tar"])
    assert not old.exists()
    assert all(folder.exists() for folder in (half, recent, used, being_made))
