"""K3s tokens: K10<SHA-256 of the server CA's PEM file>::<credentials> (docs.k3s.io/cli/token, pkg/clientaccess/token.go).

Credentials are <user>:<password>, or a bootstrap token <id>.<secret>; the short format is the password or bootstrap token alone.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

from .errors import Refused

PREFIX = "K10"
HASH_LENGTH = 64
BOOTSTRAP = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")


@dataclass(frozen=True)
class Token:
    """A token taken apart. `ca_hash` is empty for a short one; `bootstrap` is id.secret, and then there is no user and password."""

    ca_hash: str = ""
    user: str = ""
    password: str = ""
    bootstrap: str = ""


def parse(text: str) -> Token:
    """Take a token of either format apart. Raises Refused with K3s's words."""
    text = text.strip()
    if not text:
        raise Refused("token must not be empty")
    if not text.startswith(PREFIX):
        return Token(bootstrap=text) if BOOTSTRAP.fullmatch(text) else Token(password=text)
    ca_hash, colons, credentials = text.removeprefix(PREFIX).partition("::")
    if not colons:
        ca_hash, credentials = "", ca_hash
    if len(ca_hash) not in (0, HASH_LENGTH):
        raise Refused("invalid token CA hash length")
    if BOOTSTRAP.fullmatch(credentials):
        return Token(ca_hash, bootstrap=credentials)
    user, _, password = credentials.partition(":")
    if not password:
        raise Refused("invalid token format")
    return Token(ca_hash, user, password)


def server_password(text: str) -> str:
    """The password of a token that a server is given; empty if it is given none. Raises Refused: a server takes no bootstrap token."""
    if not text.strip():
        return ""
    token = parse(text)
    if token.bootstrap:
        raise Refused("failed to normalize server token; must be in format K10<CA-HASH>::<USERNAME>:<PASSWORD> or <PASSWORD>")
    return token.password


def ca_hash(ca_pem: bytes) -> str:
    """What a full token says of the cluster it is for."""
    return hashlib.sha256(ca_pem).hexdigest()


def full(ca_pem: bytes, credentials: str) -> str:
    """The secure format of a token for the cluster with this server CA."""
    return f"{PREFIX}{ca_hash(ca_pem)}::{credentials}"


def new_password() -> str:
    """What K3s makes up when no token is given: 16 random bytes in hexadecimal."""
    return secrets.token_hex(16)
