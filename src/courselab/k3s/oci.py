"""Writing container images without a registry, a daemon or root: an OCI archive that `ctr -n k8s.io images import` takes.

The same input gives the same bytes: times are fixed, entries sorted, layers not compressed (a local import is faster for it,
and no compressor's version shows in the digest). Format: github.com/opencontainers/image-spec, image-layout.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

EPOCH_S = 1_577_836_800  # 2020-01-01: not 0, which some tools take for "no time"
ARCHITECTURES = ("amd64", "arm64")

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class File:
    """A file of an image: `content` is its bytes, or the file on this machine to take them from. `path` is absolute."""

    path: str
    content: bytes | Path
    mode: int = 0o644
    owner: int = 0  # numeric user and group


@dataclass(frozen=True)
class Folder:
    """A folder of an image. Only needed for one that is empty, or not root's 0755: the others are made as files need them."""

    path: str
    mode: int = 0o755
    owner: int = 0


@dataclass(frozen=True)
class Link:
    """A symbolic link of an image."""

    path: str
    target: str


Entry = File | Folder | Link


@dataclass(frozen=True)
class ImageConfig:
    """How a container of the image starts, as a Dockerfile would say it."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)
    user: str = ""  # "1000:1000"; numbers, so that a pod's runAsNonRoot can be checked
    workdir: str = "/"
    labels: tuple[tuple[str, str], ...] = ()


def write_image(path: Path, name: str, entries: Iterable[Entry], config: ImageConfig, *, arch: str) -> None:
    """Write the image `name` ("course/web:1") for `arch` (amd64, arm64) to the archive `path`, atomically.

    The archive names the image the way Kubernetes does, docker.io/course/web:1, so that a pod's `course/web:1` finds it.
    Of two entries with the same path the later one counts.
    Raises ValueError for an architecture or name we do not know how to write, OSError when the disk does not take it.
    """
    if arch not in ARCHITECTURES:
        raise ValueError(f"architecture {arch!r} is not one of {', '.join(ARCHITECTURES)}")
    reference = full_name(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as scratch:
        layer = Path(scratch, "layer.tar")
        archive = Path(scratch, "image.tar")
        _write_layer(layer, entries)
        with archive.open("wb") as file:
            _write_archive(file, reference, layer, config, arch)
            file.flush()
            os.fsync(file.fileno())
        archive.chmod(0o644)
        os.replace(archive, path)


def full_name(name: str) -> str:
    """The name a container runtime looks `name` up by: registry and tag made explicit. Raises ValueError if it has no tag."""
    repository, colon, tag = name.rpartition(":")
    if not colon or not repository or "/" in tag:
        raise ValueError(f"image name {name!r} needs a tag, as in course/web:1")
    first, slash, _ = repository.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{repository}:{tag}" if slash else f"docker.io/library/{repository}:{tag}"


def _write_layer(path: Path, entries: Iterable[Entry]) -> None:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for entry in _with_parents(entries):
            _add_entry(tar, entry)


def _with_parents(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries sorted by path, every folder above them included."""
    by_path = {_inside(entry.path): entry for entry in entries}
    for path in list(by_path):
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                by_path.setdefault(str(parent), Folder(str(parent)))
    for path in sorted(by_path):
        yield by_path[path]


def _inside(path: str) -> str:
    """`path` without its leading slash; refuses one that would leave the image."""
    parts = PurePosixPath(path).parts
    if ".." in parts or parts in ((), ("/",)):
        raise ValueError(f"{path!r} is not a path inside an image")
    return str(PurePosixPath(*parts).relative_to("/")) if path.startswith("/") else str(PurePosixPath(path))


def _add_entry(tar: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(_inside(entry.path))
    info.mtime = EPOCH_S
    if isinstance(entry, Link):
        info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, entry.target
        tar.addfile(info)
        return
    info.mode, info.uid, info.gid = entry.mode, entry.owner, entry.owner
    if isinstance(entry, Folder):
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
        return
    with _open(entry.content) as data:
        info.size = data.seek(0, os.SEEK_END)
        data.seek(0)
        tar.addfile(info, data)


def _open(content: bytes | Path) -> IO[bytes]:
    return content.open("rb") if isinstance(content, Path) else io.BytesIO(content)


def _write_archive(file: IO[bytes], reference: str, layer: Path, config: ImageConfig, arch: str) -> None:
    layer_digest = _digest_of(layer)
    settings = _json(_image_config(config, arch, layer_digest))
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, "digest": _digest(settings), "size": len(settings)},
            "layers": [{"mediaType": _LAYER, "digest": layer_digest, "size": layer.stat().st_size}],
        }
    )
    index = {
        "schemaVersion": 2,
        "mediaType": _INDEX,
        "manifests": [
            {
                "mediaType": _MANIFEST,
                "digest": _digest(manifest),
                "size": len(manifest),
                "platform": {"os": "linux", "architecture": arch},
                "annotations": {
                    "io.containerd.image.name": reference,
                    "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
                },
            }
        ],
    }
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add_entry(tar, File("/oci-layout", _json({"imageLayoutVersion": "1.0.0"})))
        _add_entry(tar, File("/index.json", _json(index)))
        _add_entry(tar, Folder("/blobs"))
        _add_entry(tar, Folder("/blobs/sha256"))
        for blob in (settings, manifest):
            _add_entry(tar, File(_blob_path(_digest(blob)), blob))
        _add_entry(tar, File(_blob_path(layer_digest), layer))


def _image_config(config: ImageConfig, arch: str, layer_digest: str) -> dict[str, Any]:
    start = {
        "User": config.user,
        "Env": list(config.env),
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.cmd),
        "WorkingDir": config.workdir,
        "Labels": dict(config.labels),
    }
    return {
        "created": "2020-01-01T00:00:00Z",
        "architecture": arch,
        "os": "linux",
        "config": {key: value for key, value in start.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "courselab"}],
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _blob_path(digest: str) -> str:
    return f"/blobs/{digest.replace(':', '/')}"
