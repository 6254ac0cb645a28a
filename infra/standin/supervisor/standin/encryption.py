"""Secrets encryption at rest: its configuration file, its keys and its stage (docs.k3s.io/security/secrets-encryption,
pkg/secretsencrypt/config.go).

The API server encrypts with the first key of the first provider and reads with all of them, so that `identity` first
means "write in clear, read what is encrypted". It reads a changed file again by itself.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import layout
from .errors import Refused
from .files import write

AESCBC, SECRETBOX = "aescbc", "secretbox"
KEY_TYPES = {AESCBC: "AES-CBC", SECRETBOX: "XSalsa20-POLY1305"}  # as `k3s secrets-encrypt status` calls them
ANNOTATION = "k3s.io/encryption-config-hash"
START = "start"
KEY_BYTES = 32

Provider = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """One encryption key; `secret` is base64."""

    name: str
    secret: str


@dataclass(frozen=True)
class Keys:
    """The keys of a configuration, the active one of each kind first; `identity` says that clear text is read, too."""

    aescbc: tuple[Key, ...] = ()
    secretbox: tuple[Key, ...] = ()
    identity: bool = False

    def of(self, provider: str) -> tuple[Key, ...]:
        return self.aescbc if provider == AESCBC else self.secretbox

    def having(self, provider: str, keys: tuple[Key, ...]) -> Keys:
        """The same with other keys of one kind."""
        return replace(self, aescbc=keys) if provider == AESCBC else replace(self, secretbox=keys)


@dataclass(frozen=True)
class Running:
    """What the server that runs was started with, so that `k3s secrets-encrypt` knows it."""

    encrypts: bool
    provider: str
    node_name: str


def prepare(*, encrypts: bool, provider: str, node_name: str) -> bool:
    """Note what this server was told; make its first key where there is none. Whether the API server gets a configuration."""
    write(_running_file(), json.dumps({"encrypts": encrypts, "provider": provider, "node_name": node_name}).encode())
    if not encrypts:
        return False
    if not (config_file().exists() and config_file().stat().st_size):
        key = Key(f"{provider}key", _new_secret())
        save(Keys(**{provider: (key,)}), provider, enable=True)
        write_state(START)
    elif not state_file().exists():
        write_state(START)
    return True


def running() -> Running:
    """What `prepare` noted last. Raises Refused where no server ever was started, and without root's rights."""
    try:
        return Running(**json.loads(_running_file().read_bytes()))
    except FileNotFoundError:
        raise Refused("secrets-encrypt works on a server that runs: sudo systemctl start k3s") from None
    except PermissionError:
        raise Refused(f"open {layout.TOKEN}: permission denied; secrets-encrypt needs root: use sudo") from None


def providers() -> list[Provider]:
    """The providers of the configuration file, in their order. Raises FileNotFoundError."""
    found = json.loads(config_file().read_bytes())["resources"][0]["providers"]
    if len(found) > 3:
        raise Refused(f"more than 3 providers ({len(found)}) found in secrets encryption")
    return found


def keys_of(found: list[Provider]) -> Keys:
    """The keys of these providers. Raises Refused if one is of a kind that K3s does not manage."""
    keys = Keys()
    for provider in found:
        for name, about in provider.items():
            if name == "identity":
                keys = replace(keys, identity=True)
            elif name in KEY_TYPES:
                keys = keys.having(name, keys.of(name) + tuple(Key(**key) for key in about["keys"]))
            else:
                raise Refused("unsupported encryption keys found")
    return keys


def save(keys: Keys, provider: str, *, enable: bool) -> None:
    """Write the configuration file: `provider` encrypts, the other kind's keys still decrypt; or nothing is encrypted any more."""
    other = SECRETBOX if provider == AESCBC else AESCBC
    identity: Provider = {"identity": {}}
    primary = _as_provider(provider, keys)
    secondary = [_as_provider(other, keys)] if keys.of(other) else []
    _write_config([primary, *secondary, identity] if enable else [identity, primary])


def save_identity() -> None:
    """A configuration without any key, for a server that did not encrypt so far; `rotate-keys` makes its first key."""
    _write_config([{"identity": {}}])


def new_key(provider: str) -> Key:
    """A new key with the name that K3s gives it."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Key(f"{provider}key-{now}", _new_secret())


def state(stage: str) -> str:
    """What marks a server that has this configuration and is at this stage: the annotation's value."""
    return f"{stage}-{hashlib.sha256(config_file().read_bytes()).hexdigest()}"


def write_state(stage: str) -> str:
    """Keep the stage for the next start; return the annotation's value."""
    text = state(stage)
    write(state_file(), text.encode())
    return text


def kept_state() -> str:
    """The stage as it was kept last; empty if none was."""
    return state_file().read_text().strip() if state_file().exists() else ""


def config_file() -> Path:
    return layout.CRED / "encryption-config.json"


def state_file() -> Path:
    return layout.CRED / "encryption-state.json"


def _running_file() -> Path:
    return layout.CRED / "encryption-running.json"


def _as_provider(name: str, keys: Keys) -> Provider:
    return {name: {"keys": [{"name": key.name, "secret": key.secret} for key in keys.of(name)]}}


def _write_config(chosen: list[Provider]) -> None:
    config = {
        "kind": "EncryptionConfiguration",
        "apiVersion": "apiserver.config.k8s.io/v1",
        "resources": [{"resources": ["secrets"], "providers": chosen}],
    }
    write(config_file(), json.dumps(config, separators=(",", ":")).encode())


def _new_secret() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
