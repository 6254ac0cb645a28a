"""What a server or agent was told: command line, environment, config.yaml and config.yaml.d, with K3s's names and precedence.

A flag on the command line beats the files, the files beat the environment (K3s turns the files into flags that it puts
before the others: pkg/configfilearg/parser.go). Of several files the last one wins; `key+` adds to what came before
(docs.k3s.io/installation/configuration). What this stand-in does not do is refused by name, never ignored.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from . import encryption, layout
from .errors import Refused
from .files import public_folder, write


@dataclass(frozen=True)
class Flag:
    """One flag: `many` flags may be given several times, `switch` flags need no value."""

    name: str
    env: str = ""
    short: str = ""
    default: str = ""
    many: bool = False
    switch: bool = False


AGENT_FLAGS = (
    Flag("config", env="K3S_CONFIG_FILE", short="c", default=str(layout.CONFIG)),
    Flag("debug", env="K3S_DEBUG", switch=True),
    Flag("v", short="v", default="0"),
    Flag("token", env="K3S_TOKEN", short="t"),
    Flag("token-file", env="K3S_TOKEN_FILE"),
    Flag("server", env="K3S_URL", short="s"),
    Flag("node-name", env="K3S_NODE_NAME"),
    Flag("with-node-id", switch=True),
    Flag("node-ip", many=True),
    Flag("node-label", many=True),
    Flag("node-taint", many=True),
    Flag("kubelet-arg", many=True),
    Flag("kube-proxy-arg", many=True),
    Flag("resolv-conf", env="K3S_RESOLV_CONF"),
)
SERVER_FLAGS = (
    *AGENT_FLAGS,
    Flag("agent-token", env="K3S_AGENT_TOKEN"),
    Flag("agent-token-file", env="K3S_AGENT_TOKEN_FILE"),
    Flag("write-kubeconfig", env="K3S_KUBECONFIG_OUTPUT", short="o", default=str(layout.KUBECONFIG)),
    Flag("write-kubeconfig-mode", env="K3S_KUBECONFIG_MODE", default="600"),
    Flag("write-kubeconfig-group", env="K3S_KUBECONFIG_GROUP"),
    Flag("tls-san", many=True),
    Flag("advertise-address"),
    Flag("cluster-cidr", default="10.42.0.0/16"),
    Flag("service-cidr", default="10.43.0.0/16"),
    Flag("service-node-port-range", default="30000-32767"),
    Flag("cluster-dns"),
    Flag("cluster-domain", default="cluster.local"),
    Flag("default-local-storage-path", default=str(layout.LOCAL_STORAGE)),
    Flag("disable", many=True),
    Flag("disable-helm-controller", switch=True),
    Flag("disable-network-policy", switch=True),
    Flag("kube-apiserver-arg", many=True),
    Flag("kube-controller-manager-arg", many=True),
    Flag("kube-scheduler-arg", many=True),
    Flag("secrets-encryption", switch=True),
    Flag("secrets-encryption-provider", default=encryption.AESCBC),
)
# K3s's own name for each packaged component (docs.k3s.io/installation/packaged-components).
PACKAGED = ("coredns", "local-storage", "metrics-server", "runtimes", "servicelb", "traefik")

Values = dict[str, list[str]]


@dataclass(frozen=True)
class Config:
    """A node's settings, complete and checked. An agent learns the cluster's ranges and domain from its server."""

    values: Mapping[str, tuple[str, ...]]
    node_name: str
    node_ip: str
    cluster_dns: str
    kubernetes_ip: str  # the Service `kubernetes`
    kubeconfig_mode: int
    token: str  # as given; empty if none was
    agent_token: str
    disabled: frozenset[str]
    given: tuple[str, ...]  # the command line after configuration files were put into it: annotation k3s.io/node-args

    def one(self, name: str) -> str:
        """The value of a flag that is given once; empty if it was not."""
        return (self.values.get(name) or ("",))[-1]

    def all(self, name: str) -> tuple[str, ...]:
        """The values of a flag that may be repeated, or list several between commas."""
        return tuple(part for value in self.values.get(name, ()) for part in value.split(",") if part)

    def verbatim(self, name: str) -> tuple[str, ...]:
        """The values of a `…-arg` flag: passed on as they are, for they may contain commas."""
        return tuple(self.values.get(name, ()))

    def on(self, name: str) -> bool:
        return self.one(name) == "true"


def read(arguments: Sequence[str], environ: Mapping[str, str] = os.environ, flags: Sequence[Flag] = SERVER_FLAGS) -> Config:
    """Work out the configuration of `k3s server ARGUMENTS`, or of an agent with its flags. Raises Refused."""
    for file in layout.UNREAD:
        if file.exists():
            raise Refused(f"{file} is not known to the K3s stand-in")
    line = parse_line(arguments, flags)
    environment = {flag.name: [environ[flag.env]] for flag in flags if flag.env and environ.get(flag.env)}
    explicit = (line.get("config") or environment.get("config") or [""])[-1]
    files = parse_files(Path(explicit or layout.CONFIG), flags, must_exist=bool(explicit))
    defaults = {flag.name: [flag.default] for flag in flags if flag.default}
    values = {name: tuple(value) for name, value in {**defaults, **environment, **files, **line}.items()}
    return _complete(values, _as_arguments({**files, **line}, flags))


def parse_line(arguments: Sequence[str], flags: Sequence[Flag]) -> Values:
    """Flags of a command line: --name value, --name=value, -n value."""
    known = {f"--{flag.name}": flag for flag in flags if flag.name != "v"} | {f"-{flag.short}": flag for flag in flags if flag.short}
    values: Values = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        flag = known.get(name)
        if flag is None:
            raise Refused(f"{word!r} is not known to the K3s stand-in as a flag of this command")
        if not equals:
            if flag.switch:
                value = "true"
            elif rest:
                value = rest.pop(0)
            else:
                raise Refused(f"flag {name} needs a value")
        _put(values, flag, _checked(flag, value, name))
    return values


def parse_files(path: Path, flags: Sequence[Flag], *, must_exist: bool = False) -> Values:
    """config.yaml, then the *.yaml files of the folder beside it that is called after it, in alphabetical order."""
    known = {flag.name: flag for flag in flags}
    values: Values = {}
    if must_exist and not path.exists():
        raise Refused(f"configuration file {path} does not exist")
    dropins = sorted(file for file in Path(f"{path}.d").glob("*") if file.suffix in (".yaml", ".yml"))
    for file in [path, *dropins] if path.exists() else dropins:
        for key, raw in _load(file).items():
            name = key.removesuffix("+")
            flag = known.get(name)
            if flag is None:
                raise Refused(f"{file}: {name!r} is not known to the K3s stand-in as a configuration key of this command")
            new = [_checked(flag, text, f"{file}: {name}") for text in _texts(raw)]
            values[name] = _append(flag, values.get(name, []), new) if key.endswith("+") else new
    return values


def _load(file: Path) -> dict[str, Any]:
    try:
        data = yaml.load(file.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
    except yaml.YAMLError as error:
        raise Refused(f"{file} is not valid YAML: {' '.join(str(error).split())}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise Refused(f"{file} must hold keys and values")
    return {str(key): value for key, value in cast(dict[Any, Any], data).items()}


def _texts(raw: Any) -> list[str]:
    """A YAML value as K3s passes it to its flags: numbers and booleans become text, a list becomes repetition."""
    if isinstance(raw, list):
        return [text for item in cast(list[Any], raw) for text in _texts(item)]
    if raw is None:
        return []
    return [str(raw).lower() if isinstance(raw, bool) else str(raw)]


def _append(flag: Flag, old: list[str], new: list[str]) -> list[str]:
    return old + new if flag.many else ["".join((old or [""])[-1:] + new)]


def _put(values: Values, flag: Flag, value: str) -> None:
    values[flag.name] = [*values.get(flag.name, []), value] if flag.many else [value]


def _checked(flag: Flag, value: str, where: str) -> str:
    if flag.switch and value not in ("true", "false"):
        raise Refused(f"{where} must be true or false, not {value!r}")
    return value


def _as_arguments(values: Values, flags: Sequence[Flag]) -> tuple[str, ...]:
    secret = {"token", "agent-token"}
    return tuple(
        word
        for flag in flags
        for value in values.get(flag.name, [])
        for word in (f"--{flag.name}", "********" if flag.name in secret else value)
    )


def _complete(values: Mapping[str, tuple[str, ...]], given: tuple[str, ...]) -> Config:
    one = {name: value[-1] for name, value in values.items() if value}
    services = _network(one, "service-cidr", "10.43.0.0/16")
    _network(one, "cluster-cidr", "10.42.0.0/16")
    disabled = frozenset(part for value in values.get("disable", ()) for part in value.split(",") if part)
    for name in sorted(disabled - set(PACKAGED)):  # K3s takes any name: an AddOn of the user's own may be disabled, too
        if meant := difflib.get_close_matches(name, PACKAGED, n=1, cutoff=0.75):
            raise Refused(f"invalid flag value: --disable={name}; did you mean {meant[0]}?")
    try:
        mode = int(one.get("write-kubeconfig-mode", "600"), 8)
    except ValueError:
        raise Refused(f"--write-kubeconfig-mode must be an octal number such as 644, not {one['write-kubeconfig-mode']!r}") from None
    provider = one.get("secrets-encryption-provider", encryption.AESCBC)
    if provider not in encryption.KEY_TYPES:
        raise Refused(f"--secrets-encryption-provider must be {' or '.join(encryption.KEY_TYPES)}, not {provider!r}")
    return Config(
        values=values,
        node_name=_node_name(one),
        node_ip=one.get("node-ip", "").split(",")[0] or default_address(),
        cluster_dns=one.get("cluster-dns") or str(services[10]),
        kubernetes_ip=str(services[1]),
        kubeconfig_mode=mode,
        token=_secret(one, "token"),
        agent_token=_secret(one, "agent-token"),
        disabled=disabled,
        given=given,
    )


def _network(values: Mapping[str, str], name: str, usual: str) -> ipaddress.IPv4Network:
    text = values.get(name, usual)
    try:
        return ipaddress.IPv4Network(text)
    except ValueError as error:
        raise Refused(f"invalid {name} {text}: {error}") from None


def _node_name(values: Mapping[str, str]) -> str:
    """The host's name unless told otherwise; --with-node-id adds a number that this machine keeps (pkg/agent/config/config.go)."""
    name = (values.get("node-name") or socket.gethostname()).lower()
    if values.get("with-node-id") != "true":
        return name
    if not layout.NODE_ID.exists():
        public_folder(layout.NODE_ID.parent)
        write(layout.NODE_ID, f"{secrets.token_hex(4)}\n".encode(), 0o644)
    return f"{name}-{layout.NODE_ID.read_text().strip()}"


def _secret(values: Mapping[str, str], name: str) -> str:
    """A token given as itself or through a file."""
    if values.get(f"{name}-file"):
        try:
            return Path(values[f"{name}-file"]).read_text().strip()
        except OSError as error:
            raise Refused(f"--{name}-file: {error.strerror}: {values[f'{name}-file']}") from None
    return values.get(name, "")


def default_address() -> str:
    """The IPv4 address of the interface that has the default route; nothing is sent."""
    routes = Path("/proc/net/route").read_text().splitlines()[1:]
    if not any(re.match(r"\S+\t00000000\t", line) for line in routes):
        raise Refused("this machine has no default route, so its address is not known: set node-ip")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 9))
        return probe.getsockname()[0]
