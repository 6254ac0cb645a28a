"""The lab's own ssh key for virtual machines, and the cloud-init data that carries it into them."""

from __future__ import annotations

import contextlib
from pathlib import Path

from courselab.files import write_atomic

_COMMENT = b" courselab"


def public_key(folder: Path) -> str:
    """The public half of the key in `folder`, as authorized_keys has it; both halves are made when they are not there."""
    private, public = folder / "ssh_key", folder / "ssh_key.pub"
    with contextlib.suppress(FileNotFoundError):
        return public.read_text(encoding="ascii").strip()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private_text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    public_text = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH) + _COMMENT
    write_atomic(private, private_text, mode=0o600)
    write_atomic(public, public_text + b"\n", mode=0o644)  # last: with it the key counts
    return public_text.decode("ascii")


def user_data(template: str, *, hostname: str, ssh_key: str) -> bytes:
    """The cloud-init data of one machine, from infra/multipass/user-data.yaml."""
    return template.replace("@HOSTNAME@", hostname).replace("@SSH_KEY@", ssh_key).encode()
