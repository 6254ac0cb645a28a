"""Who may ask `lab serve` for what: the browser of the user who started it, on pages of its own, and nobody else.

Other sites in the same browser cannot send our cookie (SameSite=Strict), cannot name our host (the Host header is compared, against DNS
rebinding), cannot post (the Origin is compared), cannot read (no CORS header is ever sent). Other users of this computer have no token.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from courselab.files import write_atomic

TOKEN_BYTES = 24
COOKIE_DAYS = 30
OPENING_S = 120.0  # so long a browser may take to start
_ROUNDED_S = 1.0  # a code's time has whole seconds
HTTP_PORT = 80  # which browsers do not name

# Everything a page may load comes from us; nothing inside of a page is a script; nobody may put a page into a frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Refused:
    """Why a request is not answered."""

    status: int
    why: str


@dataclass(frozen=True)
class Guard:
    """Judges requests by their headers."""

    port: int
    token: str
    opened: dict[str, object] = field(default_factory=dict[str, object])  # codes that were used
    since: float = field(default_factory=time.time)  # who served before may have seen older codes used

    @property
    def hosts(self) -> frozenset[str]:
        """The names under which we are asked."""
        names = ("127.0.0.1", "localhost")
        return frozenset({*(f"{name}:{self.port}" for name in names), *(names if self.port == HTTP_PORT else ())})

    @property
    def cookie(self) -> str:
        """The cookie's name; browsers keep cookies per host, not per port."""
        return f"lab-{self.port}"

    @property
    def set_cookie(self) -> str:
        """The header that gives a browser permission."""
        return f"{self.cookie}={self.token}; Path=/; Max-Age={COOKIE_DAYS * 86400}; HttpOnly; SameSite=Strict"

    def refuse_host(self, headers: Mapping[str, str]) -> Refused | None:
        """Whether the request is meant for somebody else."""
        if headers.get("Host", "") not in self.hosts:
            return Refused(421, "This address is not served here. Open the address that `lab serve` printed.")
        return None

    def refuse_api(self, headers: Mapping[str, str]) -> Refused | None:
        """Whether the API is closed to this request."""
        if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return Refused(403, "Only pages of this course may ask.")
        if not self.knows(self._token_of(headers)):
            return Refused(401, "This browser has no permission yet. Open the whole address that `lab serve` printed.")
        return None

    def refuse_change(self, headers: Mapping[str, str]) -> Refused | None:
        """Whether a request that changes something is refused; refuse_api was asked before."""
        if headers.get("Origin", "") != f"http://{headers.get('Host', '')}":
            return Refused(403, "Only pages of this course may change something.")
        if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            return Refused(415, "A change is sent as JSON.")
        return None

    def knows(self, token: str) -> bool:
        """Whether this is our token; takes as long for a wrong one."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())

    def proof(self, question: str) -> str:
        """Shows whoever has the token that we have it, without telling it; the port in it is ours, so nobody can pass the answer off as theirs."""
        return self._signature(f"{self.port} {question}")

    def code(self) -> str:
        """Gives permission once, and soon: for a browser's command line, which other users of this computer can read."""
        until = f"{time.time() + OPENING_S:.0f}-{secrets.token_hex(8)}"
        return f"{until}-{self._code_signature(until)}"

    def opens(self, code: str) -> bool:
        """Whether this is a code, in time, that was not used before. From here on it was."""
        until, _, signature = code.rpartition("-")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._code_signature(until).encode()):
            return False
        end, first = float(until.partition("-")[0]), object()
        in_time = time.time() <= end and self.since <= end - OPENING_S + _ROUNDED_S
        return in_time and self.opened.setdefault(code, first) is first

    def _code_signature(self, until: str) -> str:
        return self._signature(f"code {self.port} {until}")  # no proof begins so: anybody may ask for proofs

    def _signature(self, words: str) -> str:
        return hmac.new(self.token.encode(), words.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def _token_of(self, headers: Mapping[str, str]) -> str:
        """By hand: SimpleCookie gives up at a cookie it does not like, and browsers send along those of every other port of this host."""
        cookies = (one.partition("=") for one in headers.get("Cookie", "").split(";"))
        return next((value.strip() for name, _, value in cookies if name.strip() == self.cookie), "")


def is_own_program(
    client: tuple[str, int], server: tuple[str, int], tables: tuple[Path, ...] = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
) -> bool:
    """Whether the program at the client's end of a connection is this user's, or root's. It counts as theirs where nobody tells: that is so
    beside Linux, and of what a virtual machine's network passes on, as in WSL."""
    if sys.platform != "linux":
        return True
    ends = [_as_listed(client), _as_listed(server)]
    for line in (line for table in tables if table.exists() for line in table.read_text().splitlines()[1:]):
        _, near, far, *_, uid = line.split()[:8]
        if [near[-13:], far[-13:]] == ends:  # in the table of IPv6 an address of IPv4 stands at the end of a longer one
            return int(uid) in (0, os.getuid())
    return True


def _as_listed(end: tuple[str, int]) -> str:
    return f"{int.from_bytes(socket.inet_aton(end[0]), sys.byteorder):08X}:{end[1]:04X}"


def own_token(state: Path) -> str:
    """The token of this user, made once: a page that is open keeps its permission when `lab serve` starts again."""
    path = state / "serve-token"
    try:
        kept = path.read_text(encoding="ascii").strip()
        if len(kept) >= TOKEN_BYTES:
            return kept
    except (FileNotFoundError, UnicodeDecodeError):
        pass
    fresh = secrets.token_urlsafe(TOKEN_BYTES)
    write_atomic(path, f"{fresh}\n".encode())
    return fresh
