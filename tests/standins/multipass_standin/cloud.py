"""What Multipass does to cloud-init data: user-data is loaded and written out again by yaml-cpp, which loses comments and quotes."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import yaml

HEADER = "#cloud-config\n"


class Plain(yaml.SafeDumper):
    """Writes every scalar as it is, without quotes, as yaml-cpp does (multipass #4176)."""


Plain.yaml_implicit_resolvers = {}


def reemitted(text: str, key: str) -> str:
    """User-data as the machine gets it. Raises yaml.YAMLError."""
    data: Any = yaml.load(text, Loader=yaml.BaseLoader)  # everything is a string: no quotes are remembered
    if data in (None, ""):
        return HEADER
    if not isinstance(data, dict):
        raise yaml.YAMLError("it is no mapping")
    if isinstance(data.get("users"), list):
        data["users"].append("default")
    if isinstance(data.get("ssh_authorized_keys"), list):
        data["ssh_authorized_keys"].append(key)
    return HEADER + yaml.dump(data, Dumper=Plain, width=1 << 20)


def write_seed(folder: Path, name: str, user_data: str, key: str) -> None:
    """The three files of a NoCloud seed."""
    vendor = {
        "growpart": {"mode": "auto", "devices": ["/"], "ignore_growroot_disabled": False},
        "users": ["default"],
        "manage_etc_hosts": True,
        "ssh_authorized_keys": [key],
        "system_info": {
            "default_user": {"name": "ubuntu", "sudo": ["ALL=(ALL) NOPASSWD:ALL"], "shell": "/bin/bash", "groups": ["adm", "sudo"]}
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta-data").write_text(f"instance-id: {uuid.uuid4()}\nlocal-hostname: {name}\n")
    (folder / "vendor-data").write_text(HEADER + yaml.safe_dump(vendor))
    (folder / "user-data").write_text(user_data)
