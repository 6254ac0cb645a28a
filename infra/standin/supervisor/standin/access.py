"""kubeconfig files: K3s's shape, names and modes (pkg/daemons/control/deps/deps.go, pkg/server/server.go)."""

from __future__ import annotations

import base64
import grp
import os
from pathlib import Path

from . import layout
from .config import Config
from .errors import Refused
from .files import public_folder, write

HERE = "https://127.0.0.1:6443"
TEMPLATE = """apiVersion: v1
clusters:
- cluster:
    {ca}
    server: {server}{name}
  name: {cluster}
contexts:
- context:
    cluster: {cluster}
    user: {user}
  name: {context}
current-context: {context}
kind: Config
users:
- name: {user}
  user:
    {certificate}
    {key}
"""


def component(path: Path, certificate: Path, *, server: str, ca: Path, name: str = "") -> None:
    """A component's own kubeconfig, which names its certificate files. `name`: what the server's certificate must be for, if not its address."""
    text = TEMPLATE.format(
        name=f"\n    tls-server-name: {name}" if name else "", user="user", cluster="local", context="Default", server=server, ca=f"certificate-authority: {ca}",
        certificate=f"client-certificate: {certificate}.crt", key=f"client-key: {certificate}.key",
    )  # fmt: skip
    write(path, text.encode(), 0o600)


def admin(config: Config) -> None:
    """The administrator's kubeconfig, which carries its certificate: /etc/rancher/k3s/k3s.yaml unless told otherwise."""
    path, group = Path(config.one("write-kubeconfig")), config.one("write-kubeconfig-group")

    def data(name: str) -> str:
        return base64.b64encode((layout.TLS / name).read_bytes()).decode()

    text = TEMPLATE.format(
        name="", user="default", cluster="default", context="default", server=HERE, ca=f"certificate-authority-data: {data('server-ca.crt')}",
        certificate=f"client-certificate-data: {data('client-admin.crt')}", key=f"client-key-data: {data('client-admin.key')}",
    )  # fmt: skip
    public_folder(path.parent)  # who may read the file must get there
    write(path, text.encode(), config.kubeconfig_mode)
    if group:
        try:
            os.chown(path, -1, int(group) if group.isdigit() else grp.getgrnam(group).gr_gid)
        except KeyError:
            raise Refused(f"--write-kubeconfig-group: there is no group {group!r}") from None
