"""`k3s certificate check | rotate`: until when a node's certificates are good, and having them made anew at the next start
(docs.k3s.io/cli/certificate, pkg/cli/cert/cert.go, pkg/util/services/services.go).
"""

from __future__ import annotations

import datetime
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import certs, journal, layout
from .errors import Refused

AGENT_SERVICES = ("kube-proxy", "kubelet", "k3s-controller")
SERVER_SERVICES = (
    "api-server", "admin", "auth-proxy", "cloud-controller", "controller-manager", "etcd", "scheduler", "supervisor", "k3s-server",
)  # fmt: skip
SERVER_FILES = {
    "admin": ("client-admin",),
    "api-server": ("client-kube-apiserver", "serving-kube-apiserver"),
    "auth-proxy": ("client-auth-proxy",),
    "controller-manager": ("client-controller",),
    "kube-proxy": ("client-kube-proxy",),
    "scheduler": ("client-scheduler",),
    "supervisor": ("client-supervisor",),
}
AGENT_FILES = {"kubelet": ("client-kubelet", "serving-kubelet"), "kube-proxy": ("client-kube-proxy",)}
USAGE_NAMES = {ExtendedKeyUsageOID.SERVER_AUTH: "ServerAuth", ExtendedKeyUsageOID.CLIENT_AUTH: "ClientAuth"}
PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
HEAD = ("FILENAME", "SUBJECT", "USAGES", "EXPIRES", "RESIDUAL TIME", "STATUS")
COLUMN_GAP = 3
DAY_S = 24 * 3600
YEAR_S = 12 * 30 * DAY_S  # as go-humanize counts, which K3s uses
UNITS = ((YEAR_S, "year"), (30 * DAY_S, "month"), (7 * DAY_S, "week"), (DAY_S, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
USAGE = """usage: k3s certificate check [--output text|table|json|yaml] [--service NAME,…]   until when certificates are good
       k3s certificate rotate [--service NAME,…]    set them aside, with their keys; the next start makes new ones"""


@dataclass(frozen=True)
class Certificate:
    """One certificate of a file, and what K3s says of it."""

    file: str
    subject: str
    issuer: str
    usages: tuple[str, ...]
    expires: datetime.datetime
    left_s: float
    status: str

    def to_json(self) -> dict[str, Any]:
        return {
            "Filename": self.file, "Subject": self.subject, "Issuer": self.issuer, "Usages": list(self.usages),
            "ExpiryTime": stamp(self.expires), "ResidualTime": int(self.left_s) * 1_000_000_000, "Status": self.status,
        }  # fmt: skip


def run(arguments: Sequence[str]) -> int:
    """One command. Raises Refused."""
    command, options = _parse(arguments)
    if command not in ("check", "rotate"):
        print(USAGE)
        if command in ("", "help", "--help", "-h"):
            return 0
        raise Refused(f"no command 'certificate {command}' in the K3s stand-in")
    try:
        services = _services(options.get("service", ""), "checking" if command == "check" else "rotating")
        if command == "check":
            _check(services, options.get("output", "text"))
        else:
            _rotate(services)
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}") from None
    return 0


def _parse(arguments: Sequence[str]) -> tuple[str, dict[str, str]]:
    names = {"-o": "output", "--output": "output", "-s": "service", "--service": "service"}
    options: dict[str, str] = {}
    command, rest = (list(arguments) or [""])[0], list(arguments[1:])
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name not in names or not (equals or rest):
            raise Refused(f"certificate {command} does not know {name}, or {name} needs a value")
        options[names[name]] = value if equals else rest.pop(0)
    return command, options


def _services(named: str, doing: str) -> list[str]:
    """The services that are meant; all of this node if none is named."""
    if named:
        services = [name.strip() for name in named.split(",")]
        for name in services:
            if name not in SERVER_SERVICES + AGENT_SERVICES:
                raise Refused(f"service {name} is not recognized")
        return services
    if not layout.SERVER.exists():
        journal.info(f"Agent detected, {doing} agent certificates")
        return list(AGENT_SERVICES)
    journal.info(f"Server detected, {doing} agent and server certificates")
    return [*SERVER_SERVICES, *AGENT_SERVICES]


def _paths(service: str) -> Iterator[Path]:
    """A service's certificates, without suffix."""
    yield from (layout.TLS / name for name in SERVER_FILES.get(service, ()))
    yield from (layout.AGENT / name for name in AGENT_FILES.get(service, ()))


def _check(services: Sequence[str], form: str) -> None:
    forms: dict[str, Callable[[list[Certificate]], None]] = {
        "text": _say,
        "table": _table,
        "json": lambda found: print(json.dumps({"Certificates": [one.to_json() for one in found]}, separators=(",", ":"))),
        "yaml": lambda found: print(yaml.safe_dump({"certificates": [_lower(one.to_json()) for one in found]}, sort_keys=False), end=""),
    }
    if form not in forms:
        raise Refused(f"invalid output format {form}")
    now = datetime.datetime.now(datetime.UTC)
    forms[form]([one for service in services for path in _paths(service) for one in read(path.with_suffix(".crt"), now)])


def read(path: Path, now: datetime.datetime) -> Iterator[Certificate]:
    """The certificates of a file: its own, then its authority's; none if there is no such file."""
    if not path.exists():
        return
    for pem in PEM.findall(path.read_bytes()):
        found = x509.load_pem_x509_certificate(pem)
        begin, end = certs.begin_of(found), certs.end_of(found)
        status = "OK"
        if now < begin:
            status = "NOT YET VALID"
        elif now > end:
            status = "EXPIRED"
        elif now + certs.RENEW_WITHIN > end:
            status = "WARNING"
        expires = begin if status == "NOT YET VALID" else end
        yield Certificate(
            path.name, _name(found.subject), _name(found.issuer), _usages(found), expires, (end - now).total_seconds(), status
        )


def _name(name: x509.Name) -> str:
    return next((str(part.value) for part in name.get_attributes_for_oid(NameOID.COMMON_NAME)), "")


def _usages(found: x509.Certificate) -> tuple[str, ...]:
    usages: list[str] = []
    for extension in found.extensions:
        if isinstance(extension.value, x509.KeyUsage) and extension.value.key_cert_sign:
            usages.insert(0, "CertSign")
        if isinstance(extension.value, x509.ExtendedKeyUsage):
            usages += [USAGE_NAMES[usage] for usage in extension.value if usage in USAGE_NAMES]
    return tuple(usages or ["Unknown"])


def _say(found: list[Certificate]) -> None:
    days = certs.RENEW_WITHIN.days
    for one in found:
        about = f"{one.file}: certificate {one.subject} ({','.join(one.usages)})"
        write, text = {
            "NOT YET VALID": (journal.error, "is not valid before"),
            "EXPIRED": (journal.error, "expired at"),
            "WARNING": (journal.warning, f"will expire within {days} days at"),
        }.get(one.status, (journal.info, "is ok, expires at"))
        write(f"{about} {text} {stamp(one.expires)}")


def _table(found: list[Certificate]) -> None:
    rows = [HEAD, tuple("-" * len(word) for word in HEAD)]
    for one in found:
        expires = one.expires.strftime("%b %d, %Y %H:%M UTC")
        rows.append((one.file, one.subject, ",".join(one.usages), expires, in_words(one.left_s), one.status))
    widths = [max(len(row[column]) for row in rows) + COLUMN_GAP for column in range(len(HEAD))]
    print()
    for row in rows:
        print("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def in_words(seconds: float) -> str:
    """A span of time as K3s's tables say it: "10 years", "4 weeks"; a year and a half or more counts as two."""
    span = abs(seconds)
    if 1.5 * YEAR_S <= span < 2 * YEAR_S:
        return "2 years"
    for size, unit in UNITS:
        if span >= size:
            count = int(span // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "now"


def _rotate(services: Sequence[str]) -> None:
    """Copy what is there to server/tls-TIME (an agent's to agent/tls-TIME), then remove certificates and keys."""
    on_server = layout.TLS.exists()
    kept = (layout.SERVER if on_server else layout.AGENT) / f"tls-{int(time.time())}"
    if on_server:
        shutil.copytree(layout.TLS, kept)
    kept.mkdir(mode=0o700, exist_ok=True)
    for service in services:
        journal.info(f"Rotating certificates for {service}")
        for path in _paths(service):
            for file in (path.with_suffix(".crt"), path.with_suffix(".key")):
                if file.parent == layout.AGENT and file.exists():
                    shutil.copy2(file, kept / file.name)
                file.unlink(missing_ok=True)
    journal.info(f"Successfully backed up certificates to {kept}, please restart k3s server or agent to rotate certificates")


def stamp(when: datetime.datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _lower(entry: dict[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in entry.items()}
