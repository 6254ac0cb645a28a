"""`k3s secrets-encrypt …`: what a server's secrets encryption is and how its keys change (docs.k3s.io/cli/secrets-encrypt).

K3s asks its server over HTTPS to do this (pkg/server/handlers/secrets-encrypt.go); here the command does it itself, with the
server's files and its API.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import encryption
from .api import TROUBLE, Api, ApiError, Object
from .encryption import AESCBC, KEY_TYPES, SECRETBOX, Keys, Running
from .errors import Refused

PAGE = 100
RELOAD_WITHIN_S = 120.0
RELOADS = re.compile(r'^apiserver_encryption_config_controller_automatic_reloads_total\{[^}]*status="success"[^}]*\} (\S+)', re.MULTILINE)
CONTROL_PLANE = "labelSelector=node-role.kubernetes.io%2Fcontrol-plane%3Dtrue"
USAGE = """usage: k3s secrets-encrypt status [--output json]   show whether secrets are encrypted, and with which key
       k3s secrets-encrypt enable | disable         encrypt new secrets, or no longer (then restart and reencrypt --force --skip)
       k3s secrets-encrypt rotate-keys              make a new key, encrypt everything with it, drop the old one
       k3s secrets-encrypt prepare | rotate | reencrypt [--force] [--skip]   the same in three steps, with a restart after each"""


def run(arguments: Sequence[str]) -> int:
    """One command. Raises Refused."""
    command, options = _parse(arguments)
    actions: dict[str, Callable[[Cluster, Mapping[str, str]], str]] = {
        "status": _status,
        "enable": lambda cluster, _: _enable(cluster),
        "disable": lambda cluster, _: _disable(cluster),
        "prepare": _prepare,
        "rotate": _rotate,
        "reencrypt": _reencrypt,
        "rotate-keys": lambda cluster, _: _rotate_keys(cluster),
    }
    if command not in actions:
        print(USAGE)
        if command in ("", "help", "--help", "-h"):
            return 0
        raise Refused(f"no command 'secrets-encrypt {command}' in the K3s stand-in")
    started_with = encryption.running()
    try:
        print(actions[command](Cluster(started_with, Api()), options))
    except TROUBLE as error:
        raise Refused(f"the API server on this machine did not answer as it should: {error}") from None
    return 0


@dataclass(frozen=True)
class Cluster:
    """The server whose secrets these are."""

    started: Running
    api: Api

    @property
    def provider(self) -> str:
        return self.started.provider

    def stage(self) -> tuple[str, str]:
        """Stage and hash of our node's annotation. Raises Refused."""
        node = self.api.get(f"/api/v1/nodes/{self.started.node_name}")
        text = node["metadata"].get("annotations", {}).get(encryption.ANNOTATION)
        if text is None:
            raise Refused(f"missing annotation on node {self.started.node_name}")
        stage, _, digest = text.partition("-")
        return stage, digest

    def disagreement(self) -> str:
        """Which two servers have different configurations; empty if none have."""
        seen: dict[str, str] = {}
        for node in self.api.get(f"/api/v1/nodes?{CONTROL_PLANE}")["items"]:
            text = node["metadata"].get("annotations", {}).get(encryption.ANNOTATION)
            if text is not None:
                seen[node["metadata"]["name"]] = text
        first = next(iter(seen), "")
        other = next((name for name, text in seen.items() if text != seen[first]), "")
        return f"hash does not match between {first} and {other}" if other else ""

    def require(self, *stages: str) -> None:
        """Raise Refused unless all servers agree and are at one of these stages with the configuration that is in the file."""
        if trouble := self.disagreement():
            raise Refused(trouble)
        stage, digest = self.stage()
        if stage not in stages:
            raise Refused(f"incorrect stage: {stage} found on node {self.started.node_name}")
        if encryption.state(stage) != f"{stage}-{digest}":
            raise Refused(f"invalid hash: {digest} found on node {self.started.node_name}")

    def mark(self, text: str) -> None:
        patch = {"metadata": {"annotations": {encryption.ANNOTATION: text}}}
        self.api.merge(f"/api/v1/nodes/{self.started.node_name}", patch)

    def reloads(self) -> float:
        """How often the API server has read a changed configuration."""
        found = RELOADS.search(self.api.request("GET", "/metrics").decode())
        return float(found[1]) if found else 0.0

    @contextmanager
    def reloaded(self) -> Generator[None]:
        """A configuration is saved within; goes on once the API server has read it, if it changed. Raises Refused if it does not."""
        before, content = self.reloads(), encryption.config_file().read_bytes()
        yield
        if encryption.config_file().read_bytes() == content:
            return
        deadline = time.monotonic() + RELOAD_WITHIN_S
        while self.reloads() <= before:
            if time.monotonic() > deadline:
                raise Refused("apiserver has not reloaded encryption configuration")
            time.sleep(0.5)

    def rewrite_secrets(self) -> None:
        """Write every Secret as it is: the API server encrypts it with the key that is active now."""
        following = ""
        while True:
            page = self.api.get(f"/api/v1/secrets?limit={PAGE}&continue={following}")
            for secret in page["items"]:
                self._rewrite(secret)
            following = page["metadata"].get("continue", "")
            if not following:
                return

    def _rewrite(self, secret: Object) -> None:
        meta = secret["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/secrets/{meta['name']}"
        try:
            self.api.request("PUT", path, {"apiVersion": "v1", "kind": "Secret", **secret})
        except ApiError as error:
            if error.code not in (404, 409):  # gone or changed meanwhile: then it is written anew anyway
                raise


def _status(cluster: Cluster, options: Mapping[str, str]) -> str:
    state = status(cluster)
    if options.get("output", "").lower() == "json":
        return json.dumps(state, indent="\t")
    if "enable" not in state:
        return "Encryption Status: Disabled, no configuration file found"
    rows = [("Active", "Key Type", "Name"), ("------", "--------", "----")]
    if state["activekey"]:
        rows.append((" *", *state["activekey"].split(" ", 1)))
    rows += [("", *key.split(" ", 1)) for key in state.get("inactivekeys", [])]
    widths = [max(len(row[column]) for row in rows) + 2 for column in (0, 1)]
    table = "".join(f"{first:{widths[0]}}{second:{widths[1]}}{third}\n" for first, second, third in rows)
    hashes = "All hashes match" if state.get("hashmatch") else state["hasherror"]
    return (
        f"Encryption Status: {'Enabled' if state['enable'] else 'Disabled'}\n"
        f"Current Rotation Stage: {state['stage']}\n"
        f"Server Encryption Hashes: {hashes}\n\n{table}"
    )


def status(cluster: Cluster) -> dict[str, Any]:
    """What `status --output json` prints; without `enable` where there is no configuration."""
    try:
        found = encryption.providers()
    except FileNotFoundError:
        return {"stage": "", "activekey": ""}
    trouble = cluster.disagreement()
    names = [(kind, key["name"]) for provider in found for kind in KEY_TYPES if kind in provider for key in provider[kind]["keys"]]
    keys = [f"{KEY_TYPES[kind]} {name}" for kind, name in names]
    encrypts = "identity" not in found[0]
    state: dict[str, Any] = {
        "stage": cluster.stage()[0],
        "activekey": keys[0] if encrypts and keys else "",
        "enable": encrypts,
        **({"hasherror": trouble} if trouble else {"hashmatch": True}),
    }
    inactive = keys[1:] if encrypts else keys
    return state | ({"inactivekeys": inactive} if inactive else {})


def _enable(cluster: Cluster) -> str:
    done = "secrets-encryption enabled"
    try:
        found = encryption.providers()
    except FileNotFoundError:
        encryption.save_identity()
        return done
    if "identity" in found[0]:
        keys = encryption.keys_of(found)
        if not keys.of(cluster.provider):
            raise Refused(f"cannot enable secrets encryption with {cluster.provider} key type, no keys found")
        with cluster.reloaded():
            encryption.save(keys, cluster.provider, enable=True)
        _rewrite_and_keep_stage(cluster)
    return done


def _disable(cluster: Cluster) -> str:
    try:
        found = encryption.providers()
    except FileNotFoundError:
        raise Refused("this server does not encrypt secrets: there is no configuration file") from None
    if "identity" not in found[0]:
        with cluster.reloaded():
            encryption.save(encryption.keys_of(found), cluster.provider, enable=False)
        _rewrite_and_keep_stage(cluster)
    return "secrets-encryption disabled"


def _prepare(cluster: Cluster, options: Mapping[str, str]) -> str:
    keys = _keys_for_step(cluster, "prepare", options, encryption.START, "reencrypt_finished")
    encryption.save(keys.having(AESCBC, (*keys.aescbc, encryption.new_key(AESCBC))), AESCBC, enable=True)
    cluster.mark(encryption.write_state("prepare"))
    return "prepare completed successfully"


def _rotate(cluster: Cluster, options: Mapping[str, str]) -> str:
    keys = _keys_for_step(cluster, "rotate", options, "prepare")
    encryption.save(keys.having(AESCBC, (*keys.aescbc[-1:], *keys.aescbc[:-1])), AESCBC, enable=True)
    cluster.mark(encryption.write_state("rotate"))
    return "rotate completed successfully"


def _reencrypt(cluster: Cluster, options: Mapping[str, str]) -> str:
    _keys_for_step(cluster, "reencrypt", options, "rotate")
    cluster.mark(encryption.state("reencrypt_active"))
    if "skip" in options:
        _rewrite_and_keep_stage(cluster)
    else:
        _rewrite_and_drop_old_key(cluster)
    return "reencryption started"


def _rotate_keys(cluster: Cluster) -> str:
    if not encryption.config_file().exists():
        raise Refused("this server does not encrypt secrets: there is no configuration file")
    cluster.require(encryption.START, "reencrypt_finished")
    cluster.mark(encryption.state("reencrypt_active"))
    keys = encryption.keys_of(encryption.providers())
    newest_first = (encryption.new_key(cluster.provider), *keys.of(cluster.provider))
    with cluster.reloaded():
        encryption.save(keys.having(cluster.provider, newest_first), cluster.provider, enable=True)
    _rewrite_and_drop_old_key(cluster)
    return "keys rotated, reencryption started"


def _keys_for_step(cluster: Cluster, step: str, options: Mapping[str, str], *stages: str) -> Keys:
    """The keys, if this step of the older way may be taken now."""
    if not encryption.config_file().exists():
        raise Refused("this server does not encrypt secrets: there is no configuration file")
    if "force" not in options:
        cluster.require(*stages)
    if cluster.provider == SECRETBOX:
        raise Refused(f"{step} does not support secretbox key type, use rotate-keys instead")
    return encryption.keys_of(encryption.providers())


def _rewrite_and_keep_stage(cluster: Cluster) -> None:
    cluster.rewrite_secrets()
    cluster.mark(encryption.kept_state())


def _rewrite_and_drop_old_key(cluster: Cluster) -> None:
    cluster.rewrite_secrets()
    with cluster.reloaded():  # else the next command would take this reload for its own
        encryption.save(without_old_key(encryption.keys_of(encryption.providers()), cluster.provider), cluster.provider, enable=True)
    cluster.mark(encryption.write_state("reencrypt_finished"))


def without_old_key(keys: Keys, provider: str) -> Keys:
    """Without the key that nothing is encrypted with any more: the last of its kind, or of the other kind after a change of provider."""
    other = SECRETBOX if provider == AESCBC else AESCBC
    if len(keys.of(provider)) > 1:
        return keys.having(provider, keys.of(provider)[:-1])
    return keys.having(other, keys.of(other)[:-1])


def _parse(arguments: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The command and its options. Raises Refused for what it does not know."""
    rest, words, options = list(arguments), list[str](), dict[str, str]()
    names = {"-o": "output", "--output": "output", "-f": "force", "--force": "force", "--skip": "skip"}
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("-") or word in ("-h", "--help"):
            words.append(word)
        elif name not in names:
            raise Refused(f"{name!r} is not known to the K3s stand-in as a flag of secrets-encrypt")
        elif names[name] == "output" and not equals:
            if not rest:
                raise Refused(f"flag {name} needs a value")
            options["output"] = rest.pop(0)
        else:
            options[names[name]] = value or "true"
    return " ".join(words), options
