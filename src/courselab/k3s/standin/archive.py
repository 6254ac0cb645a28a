"""Container images without a registry: an archive that `ctr images import` reads, made from files."""
from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Image:
    """An image of one layer: files (path in the image to contents), links (path to target), and what it runs."""

    name: str  # docker.io/k3s-standin/pause:1
    files: Mapping[str, bytes]
    entrypoint: Sequence[str]
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    folders: Sequence[str] = ()


def architecture() -> str:
    """This computer's architecture in the words of container images."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def write_archive(image: Image, path: Path) -> None:
    """Write the image as a Docker archive (manifest.json, configuration, one uncompressed layer); same input, same bytes."""
    layer = _layer(image)
    diff_id = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    config = {
        "architecture": architecture(),
        "os": "linux",
        "config": {"Entrypoint": list(image.entrypoint), "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [image.name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "config.json", json.dumps(config).encode(), 0o644)
        _add(archive, "layer.tar", layer, 0o644)
        _add(archive, "manifest.json", json.dumps(manifest).encode(), 0o644)


def _layer(image: Image) -> bytes:
    buffer = io.BytesIO()
    parents = {str(parent) for name in [*image.files, *image.links, *image.folders] for parent in Path(name.lstrip("/")).parents}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as layer:
        for folder in sorted({*parents, *(name.lstrip("/") for name in image.folders)} - {"."}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            layer.addfile(entry)
        for name, data in sorted(image.files.items()):
            _add(layer, name.lstrip("/"), data, 0o755)
        for name, target in sorted(image.links.items()):
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            layer.addfile(entry)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))
