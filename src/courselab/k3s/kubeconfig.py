"""The cluster's admin kubeconfig, as the host uses it: kept in the lab's state, private, never merged into ~/.kube/config."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import yaml

from courselab.errors import LabError
from courselab.files import write_atomic
from courselab.machines import Machine
from courselab.safe_yaml import LOADER

# Where K3s writes it (docs.k3s.io/cluster-access).
K3S_YAML = "/etc/rancher/k3s/k3s.yaml"
_LIMIT_BYTES = 256 * 1024
_SERVER = re.compile(r"(server:\s*[\"']?https://)(?:\[[^\]\s]*\]|[^\s:/\"']+)(:\d+)")


def fetch_kubeconfig(server: Machine) -> str:
    """The kubeconfig that K3s wrote on `server`, with the machine's own address, whatever stands there: it leads to this cluster only."""
    text = server.get(K3S_YAML, limit_bytes=_LIMIT_BYTES).decode("utf-8", "replace")
    return _SERVER.sub(lambda found: f"{found[1]}{server.address}{found[2]}", text)


def save_kubeconfig(path: Path, text: str) -> None:
    """Keep it, readable by its owner only."""
    write_atomic(path, text.encode(), mode=0o600)


def load_kubeconfig(path: Path) -> dict[str, Any]:
    """Read a kept kubeconfig. Raises LabError when it is not there or not a kubeconfig."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)  # noqa: S506 a safe loader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as broken:
        raise LabError(
            "The lab's kubeconfig cannot be read", why=str(broken)[:300], fix="`lab start` again fetches it from the machine anew."
        ) from broken
    if not isinstance(data, dict):
        raise LabError("The lab's kubeconfig is not one", why=f"{path} holds something else.", fix="`lab start` again fetches it anew.")
    found: dict[str, Any] = data  # pyright: ignore[reportUnknownVariableType]
    try:
        cluster = found["clusters"][0]["cluster"]
        base64.b64decode(cluster.get("certificate-authority-data", ""))
        whole = bool(cluster["server"]) and found["current-context"] in [one["name"] for one in found["contexts"]]
    except (LookupError, TypeError, ValueError, AttributeError):
        whole = False
    if not whole:
        why = "It names no cluster, or no context that is meant: kubectl config changed K3s's own file."
        raise LabError(
            "The lab's kubeconfig cannot be used", why=why, fix=f"`sudo systemctl restart k3s` in the machine writes {K3S_YAML} anew."
        )
    return found
