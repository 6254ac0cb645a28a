"""kubeconfig files: K3s's shape, names and modes (pkg/daemons/control/deps/deps.go, pkg/util/client.go)."""
from __future__ import annotations

import base64
import grp
import os
from pathlib import Path

from . import layout
from .config import Config
from .errors import Refused
from .files import write


def component(path: Path, certificate: Path, *, server: str, ca: Path) -> None:
    """A component's own kubeconfig, which names its certificate files."""
    text = _kubeconfig("user", "local", "Default", server, f"certificate-authority: {ca}",
                       f"client-certificate: {certificate}.crt", f"client-key: {certificate}.key")
    write(path, text.encode(), 0o600)


def admin(config: Config) -> None:
    """The administrator's kubeconfig, which carries its certificate: /etc/rancher/k3s/k3s.yaml unless told otherwise."""
    path, group = Path(config.one("write-kubeconfig")), config.one("write-kubeconfig-group")

    def data(name: str) -> str:
        return base64.b64encode((layout.TLS / name).read_bytes()).decode()

    text = _kubeconfig("default", "default", "default", "https://127.0.0.1:6443", f"certificate-authority-data: {data('server-ca.crt')}",
                       f"client-certificate-data: {data('client-admin.crt')}", f"client-key-data: {data('client-admin.key')}")
    write(path, text.encode(), config.kubeconfig_mode)
    if group:
        try:
            os.chown(path, -1, int(group) if group.isdigit() else grp.getgrnam(group).gr_gid)
        except KeyError:
            raise Refused(f"--write-kubeconfig-group: there is no group {group!r}") from None


def _kubeconfig(user: str, cluster: str, context: str, server: str, ca: str, certificate: str, key: str) -> str:
    return f"""apiVersion: v1
clusters:
- cluster:
    {ca}
    server: {server}
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
