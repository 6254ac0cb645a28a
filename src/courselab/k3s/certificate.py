"""Whether the certificate that a cluster's API shows is good: not expired, for this address, from the cluster's own authority."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from courselab.errors import LabError, Unreachable

_CONNECT_S = 5.0
_MEND = "In `lab shell`: `sudo k3s certificate rotate`, then `sudo systemctl restart k3s`"


def check_certificate(kubeconfig: Mapping[str, Any], address: str) -> None:
    """Connect to the API that `kubeconfig` names and look. Raises LabError that says what is wrong with its certificate, Unreachable if
    nothing answers at `address`."""
    cluster = kubeconfig["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster.get("certificate-authority-data", "")).decode("ascii", "replace")
    context = ssl.create_default_context(cadata=authority or None)
    # K3s 1.21 and older made authorities without key usage; Kubernetes's clients take them, and so do we.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    port = urlsplit(str(cluster["server"])).port or 6443
    try:
        with socket.create_connection((address, port), _CONNECT_S) as plain, context.wrap_socket(plain, server_hostname=address):
            return
    except ssl.SSLCertVerificationError as bad:
        raise LabError(
            "The cluster's API shows a certificate that is not good",
            why=f"{_say(bad)} (asked at {address}).",
            fix=f"{_MEND}.",
        ) from bad
    except OSError as broken:
        raise Unreachable(
            "The cluster's API does not answer",
            why=f"{address}, port {port}: {str(broken)[:200]}",
            fix="`lab shell` and `systemctl status k3s` show why K3s is not serving.",
        ) from broken


def _say(bad: ssl.SSLCertVerificationError) -> str:
    """OpenSSL's reason in our words."""
    reason = bad.verify_message or str(bad)
    if "expired" in reason:
        return "It has expired"
    if "not yet valid" in reason:
        return "It is not valid yet: a clock is wrong"
    if "mismatch" in reason or "not match" in reason:
        return "It is not for this address"
    if "self-signed" in reason or "self signed" in reason or "unable to get" in reason or "signature" in reason:
        return "It is from another authority than the kubeconfig names"
    return reason[:200]
