"""Packing the stand-in's Helm charts the way `helm package` does: NAME-VERSION.tgz, with one folder called NAME in it."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from pathlib import Path

from courselab.errors import LabError
from courselab.k3s.oci import EPOCH_S


def pack_charts(source: Path, target: Path) -> None:
    """Pack every chart below `source`, the same bytes each time. Raises LabError for a folder that is no chart."""
    target.mkdir(parents=True)
    for chart in sorted(path for path in source.iterdir() if path.is_dir()):
        (target / f"{chart.name}-{_version(chart)}.tgz").write_bytes(_packed(chart))


def _version(chart: Path) -> str:
    try:
        found = re.search(r"^version: (\S+)$", (chart / "Chart.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    if not found:
        raise LabError(f"{chart} is not a Helm chart", why="Its Chart.yaml says no version.", fix="git checkout infra/standin/charts")
    return found[1]


def _packed(chart: Path) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in sorted(path for path in chart.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(str(Path(chart.name) / path.relative_to(chart)))
            content = path.read_bytes()
            entry.size, entry.mtime = len(content), EPOCH_S
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
