"""Bootstrap tokens: Secrets in kube-system that let nodes join for a while (pkg/kubeadm; kubernetes.io: bootstrap-tokens).

The controller manager's token cleaner deletes those that have ended.
"""

from __future__ import annotations

import base64
import datetime
import hmac
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass

from .api import Object

SECRETS = "/api/v1/namespaces/kube-system/secrets"
TYPE = "bootstrap.kubernetes.io/token"
GROUP = "system:bootstrappers"
DEFAULT_GROUP = "system:bootstrappers:k3s:default-node-token"
USAGES = ("signing", "authentication")
USAGE_PREFIX = "usage-bootstrap-"
LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class BootstrapToken:
    """What a Secret says of a token."""

    id: str
    secret: str
    description: str = ""
    expires: datetime.datetime | None = None
    usages: tuple[str, ...] = USAGES
    groups: tuple[str, ...] = (DEFAULT_GROUP,)

    def lets_in(self, secret: str, now: datetime.datetime) -> bool:
        """Whether a node that shows this secret may join."""
        alive = self.expires is None or now < self.expires
        return alive and "authentication" in self.usages and hmac.compare_digest(self.secret.encode(), secret.encode())


def new() -> str:
    """A random token, id.secret."""
    return "".join(secrets.choice(LETTERS) for _ in range(6)) + "." + "".join(secrets.choice(LETTERS) for _ in range(16))


def path_of(token_id: str) -> str:
    """Where the API has the Secret of a token."""
    return f"{SECRETS}/bootstrap-token-{token_id}"


def to_secret(token: BootstrapToken) -> Object:
    """The Secret of a token."""
    data = {"token-id": token.id, "token-secret": token.secret, **{f"{USAGE_PREFIX}{usage}": "true" for usage in token.usages}}
    if token.description:
        data["description"] = token.description
    if token.expires:
        data["expiration"] = token.expires.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if token.groups:
        data["auth-extra-groups"] = ",".join(token.groups)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"bootstrap-token-{token.id}", "namespace": "kube-system"},
        "type": TYPE,
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in data.items()},
    }


def from_secret(thing: Object) -> BootstrapToken:
    """The token of a Secret. Raises ValueError where it is none."""
    data = {name: base64.b64decode(value).decode("utf-8", "replace") for name, value in (thing.get("data") or {}).items()}
    if not (data.get("token-id") and data.get("token-secret")):
        raise ValueError(f"bootstrap Token Secret has no token-id data: {thing['metadata']['name']}")
    expiration = data.get("expiration", "")
    return BootstrapToken(
        id=data["token-id"],
        secret=data["token-secret"],
        description=data.get("description", ""),
        expires=datetime.datetime.fromisoformat(expiration.replace("Z", "+00:00")) if expiration else None,
        usages=_usages(data),
        groups=tuple(group for group in data.get("auth-extra-groups", "").split(",") if group),
    )


def _usages(data: Mapping[str, str]) -> tuple[str, ...]:
    names = (name.removeprefix(USAGE_PREFIX) for name, value in data.items() if name.startswith(USAGE_PREFIX) and value == "true")
    return tuple(sorted(names))
