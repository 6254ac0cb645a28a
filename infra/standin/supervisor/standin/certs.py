"""The cluster's certificate authorities and certificates: K3s's files, names and subjects (pkg/daemons/control/deps/deps.go).

ECDSA P-256 throughout; authorities last ten years, certificates one, renewed at a start within 120 days of their end
(docs.k3s.io/cli/certificate).
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import layout
from .files import write

RENEW_WITHIN = datetime.timedelta(days=120)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Wanted:
    """A certificate that should be there: `path` without suffix, signed by the authority `ca`."""

    path: Path
    ca: str
    name: str
    groups: Sequence[str] = ()
    usage: x509.ObjectIdentifier = CLIENT
    sans: Sequence[str] = field(default=())


def ensure_server(node_name: str, node_ip: str, sans: Sequence[str], cluster_domain: str, service_ip: str) -> None:
    """Make what a server needs below server/tls and what is not there, has other names, or ends soon."""
    for authority in ("client", "server", "request-header"):
        ensure_authority(authority)
    service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{cluster_domain}"]
    here = ["127.0.0.1", "::1", "localhost"]
    names = [*service, *sans, *here, node_name, node_ip, service_ip]
    masters = ["system:masters"]
    for wanted in (
        Wanted(layout.TLS / "client-admin", "client", "system:admin", masters),
        Wanted(layout.TLS / "client-supervisor", "client", "system:k3s-supervisor", masters),
        Wanted(layout.TLS / "client-controller", "client", "system:kube-controller-manager"),
        Wanted(layout.TLS / "client-scheduler", "client", "system:kube-scheduler"),
        Wanted(layout.TLS / "client-kube-apiserver", "client", "system:apiserver", masters),
        Wanted(layout.TLS / "client-kube-proxy", "client", "system:kube-proxy"),
        Wanted(layout.TLS / "client-k3s-controller", "client", "system:k3s-controller"),
        Wanted(layout.TLS / "client-auth-proxy", "request-header", "system:auth-proxy"),
        Wanted(layout.TLS / "serving-kube-apiserver", "server", "kube-apiserver", usage=SERVER, sans=names),
        *(
            Wanted(layout.TLS / component / component, "server", component, usage=SERVER, sans=here)
            for component in ("kube-controller-manager", "kube-scheduler")
        ),
    ):
        ensure(wanted)
    service_key = layout.TLS / "service.key"
    if not service_key.exists():
        write(service_key, _key_pem(_new_key()))
    write(layout.TLS / "service.current.key", service_key.read_bytes())


def ensure_node(node_name: str, node_ip: str) -> None:
    """Make what the server's own node needs below agent/."""
    for authority in ("client", "server"):
        write(layout.AGENT / f"{authority}-ca.crt", (layout.TLS / f"{authority}-ca.crt").read_bytes())
    ensure(Wanted(layout.AGENT / "client-kubelet", "client", f"system:node:{node_name}", ["system:nodes"]))
    ensure(Wanted(layout.AGENT / "client-kube-proxy", "client", "system:kube-proxy"))
    ensure(Wanted(layout.AGENT / "client-k3s-controller", "client", "system:k3s-controller"))
    ensure(Wanted(layout.AGENT / "serving-kubelet", "server", node_name, usage=SERVER, sans=[node_name, "localhost", "127.0.0.1", node_ip]))


def ensure_authority(which: str) -> None:
    """Make a certificate authority below server/tls if it is not there."""
    path = layout.TLS / f"{which}-ca"
    certificate, key = path.with_suffix(".crt"), path.with_suffix(".key")
    if not (certificate.exists() and key.exists()):
        private = _new_key()
        name = _subject(f"k3s-{which}-ca@{int(time.time())}")
        made = (
            _builder(name, name, private.public_key(), days=3650)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .sign(private, hashes.SHA256())
        )
        write(key, _key_pem(private))
        write(certificate, made.public_bytes(PEM), 0o644)
    write(layout.TLS / f"{which}-ca.nochain.crt", certificate.read_bytes(), 0o644)


def ensure(wanted: Wanted) -> None:
    """Make or renew one certificate; its file also carries the authority's."""
    certificate, key = wanted.path.with_suffix(".crt"), wanted.path.with_suffix(".key")
    ca, _ = _authority(wanted.ca)
    if certificate.exists() and key.exists() and _still_good(certificate, wanted, ca):
        return
    write(certificate, issue(wanted, ensure_key(key).public_key()), 0o644)


def issue(wanted: Wanted, public: ec.EllipticCurvePublicKey) -> bytes:
    """A certificate for the holder of a key, with the authority's after it. What the wanted one's path says does not matter."""
    ca, ca_key = _authority(wanted.ca)
    builder = (
        _builder(_subject(wanted.name, wanted.groups), ca.subject, public, days=365)
        .add_extension(x509.ExtendedKeyUsage([wanted.usage]), critical=False)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if wanted.sans:
        builder = builder.add_extension(x509.SubjectAlternativeName([_san(name) for name in dict.fromkeys(wanted.sans)]), critical=False)
    return builder.sign(ca_key, hashes.SHA256()).public_bytes(PEM) + ca.public_bytes(PEM)


def signing_request(key: Path) -> bytes:
    """A request for a certificate for the key in this file, which is made if it is not there. The server says whose it is (DER)."""
    private = ensure_key(key)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def requested_key(request: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a signing request. Raises ValueError if it is none, or not by the holder of its key."""
    loaded = x509.load_der_x509_csr(request)
    public = loaded.public_key()
    if not (isinstance(public, ec.EllipticCurvePublicKey) and loaded.is_signature_valid):
        raise ValueError("the signing request is not by the holder of an elliptic curve key")
    return public


def ensure_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in this file; a new one if there is none."""
    if path.exists():
        return _load_key(path)
    private = _new_key()
    write(path, _key_pem(private))
    return private


def _still_good(path: Path, wanted: Wanted, ca: x509.Certificate) -> bool:
    try:
        have = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        return False
    sans: list[x509.GeneralName] = []
    if wanted.sans:
        sans = list(have.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    return (
        have.subject == _subject(wanted.name, wanted.groups)
        and have.issuer == ca.subject
        and end_of(have) - datetime.datetime.now(datetime.UTC) > RENEW_WITHIN
        and all(_san(name) in sans for name in wanted.sans)
    )


def end_of(certificate: x509.Certificate) -> datetime.datetime:
    """Until when it is good."""
    aware = getattr(certificate, "not_valid_after_utc", None)  # cryptography has it since 42; Debian 12's is 38
    return aware or certificate.not_valid_after.replace(tzinfo=datetime.UTC)


def begin_of(certificate: x509.Certificate) -> datetime.datetime:
    """From when it is good."""
    aware = getattr(certificate, "not_valid_before_utc", None)
    return aware or certificate.not_valid_before.replace(tzinfo=datetime.UTC)


@functools.lru_cache
def _authority(which: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    path = layout.TLS / f"{which}-ca"
    return x509.load_pem_x509_certificate(path.with_suffix(".crt").read_bytes()), _load_key(path.with_suffix(".key"))


def _builder(subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, *, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))  # machines' clocks may differ a little
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_encipherment=True, key_cert_sign=authority, content_commitment=False,
        data_encipherment=False, key_agreement=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _subject(name: str, groups: Sequence[str] = ()) -> x509.Name:
    organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), f"{path} is not an elliptic curve key"
    return key
