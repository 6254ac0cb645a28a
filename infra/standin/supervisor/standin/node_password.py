"""Node passwords: a node may use its name again only with the password it first had (pkg/nodepassword, docs.k3s.io/architecture)."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import secrets

from . import layout
from .api import Api, ApiError, Object
from .files import public_folder, write

SECRETS = "/api/v1/namespaces/kube-system/secrets"
TYPE = "k3s.cattle.io/node-password"
LOG_N, R, P, KEY_BYTES, SALT_BYTES = 15, 8, 1, 64, 8
MEMORY_BYTES = 64 * 1024 * 1024


class Rejected(Exception):
    """A node of this name has another password."""


def own() -> str:
    """This machine's password, made up at its first start; an uninstallation leaves it."""
    if not layout.NODE_PASSWORD.exists():
        public_folder(layout.NODE_PASSWORD.parent)
        write(layout.NODE_PASSWORD, f"{secrets.token_hex(16)}\n".encode())
    return layout.NODE_PASSWORD.read_text().strip()


def ensure(api: Api, node_name: str, password: str) -> None:
    """Return if this is the node's password, or its first. Raises Rejected, or what a request may raise."""
    path = f"{SECRETS}/{node_name}.node-password.k3s"
    try:
        _verify(api.get(path), node_name, password)
    except ApiError as error:
        if error.code != 404:
            raise
        api.create(SECRETS, _secret(node_name, password))


def forget(api: Api, node_name: str) -> None:
    """A node that was deleted: its name is free for another machine."""
    try:
        api.delete(f"{SECRETS}/{node_name}.node-password.k3s")
    except ApiError as error:
        if error.code != 404:
            raise


def hash_of(password: str, salt: bytes = b"") -> str:
    """K3s's form of a hash: $version:salt:log2 N:r:p:key (pkg/authenticator/hash/scrypt.go)."""
    salt = salt or secrets.token_bytes(SALT_BYTES)
    return f"$1:{salt.hex()}:{LOG_N}:{R}:{P}:{base64.b64encode(_key(password, salt)).decode().rstrip('=')}"


@functools.lru_cache(maxsize=256)  # a node asks for several certificates at once
def matches(text: str, password: str) -> bool:
    """Whether a hash in K3s's form is of this password."""
    try:
        version, salt, log_n, r, p, key = text.removeprefix("$").split(":")
        wanted = base64.b64decode(key + "=" * (-len(key) % 4))
        same_way = (version, log_n, r, p) == ("1", str(LOG_N), str(R), str(P))
        return same_way and hmac.compare_digest(_key(password, bytes.fromhex(salt)), wanted)
    except ValueError:
        return False


def _key(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << LOG_N, r=R, p=P, maxmem=MEMORY_BYTES, dklen=KEY_BYTES)


def _verify(secret: Object, node_name: str, password: str) -> None:
    data: dict[str, str] = secret.get("data") or {}
    kept = base64.b64decode(data.get("hash", "")).decode("utf-8", "replace")
    if not kept:
        raise Rejected(f"unable to verify password for node {node_name}: password hash not found in node secret")
    if not matches(kept, password):
        raise Rejected(f"unable to verify password for node {node_name}: hash does not match")


def _secret(node_name: str, password: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{node_name}.node-password.k3s", "namespace": "kube-system"},
        "type": TYPE,
        "immutable": True,
        "data": {"hash": base64.b64encode(hash_of(password).encode()).decode()},
    }
