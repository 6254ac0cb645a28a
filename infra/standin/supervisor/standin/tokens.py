"""K3s tokens: K10<SHA-256 of the server CA's PEM file>::<user>:<password> (docs.k3s.io/cli/token, pkg/clientaccess/token.go)."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

PATTERN = re.compile(r"K10([0-9a-f]{64})::(?:([^:]+):)?(.+)", re.DOTALL)


@dataclass(frozen=True)
class Token:
    """A token taken apart. `ca_hash` is empty for a short one, `user` for a short one or a bootstrap token."""

    ca_hash: str
    user: str
    password: str


def parse(text: str) -> Token:
    """Take a token of either format apart."""
    full = PATTERN.fullmatch(text.strip())
    if full:
        return Token(full[1], full[2] or "", full[3])
    return Token("", "", text.strip())


def full(ca_pem: bytes, user: str, password: str) -> str:
    """The secure format of a token for the cluster with this server CA."""
    return f"K10{hashlib.sha256(ca_pem).hexdigest()}::{user}:{password}"


def new_password() -> str:
    """What K3s makes up when no token is given: 16 random bytes in hexadecimal."""
    return secrets.token_hex(16)
