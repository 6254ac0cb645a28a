"""The web server of `lab serve`: the built site and the live API, from one origin on 127.0.0.1.

Python's own threading server: it is there, it starts at once, and a thread per listening page is cheap for the handful of pages that one
person opens (200 are tested). GET changes nothing; every change is a POST that the guard has judged.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

from courselab.errors import LabError, UsageError
from courselab.site.guard import SAFE_HEADERS, Guard, Refused, is_own_program
from courselab.site.hub import Hub
from courselab.site.jobs import Jobs
from courselab.site.labs import Labs
from courselab.site.looking import Looking
from courselab.site.pages import Page, Pages

ADDRESS = "127.0.0.1"
BODY_BYTES = 4096
MOST_CONNECTIONS = 400
REQUEST_TIMEOUT_S = 15.0
IDLE_S = 15.0  # a listening page is told so often that we are there
_RETRY_MS = 1000


@dataclass(frozen=True)
class Served:
    """Everything a request may need."""

    pages: Pages
    guard: Guard
    hub: Hub
    jobs: Jobs
    looking: Looking
    labs: Labs


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1 alone. `port` 0 takes any free one. Raises OSError if the port is taken."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__((ADDRESS, port), Handler)
        self.served: Served | None = None
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self.ending = threading.Event()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for each connection, up to a bound; beyond it the connection is closed."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no event; anything else ends only its own request."""

    def close(self) -> None:
        """End, with all listening pages."""
        self.ending.set()
        if self.served:
            self.served.looking.stop()
            self.served.hub.put("ending", True)
        self.shutdown()
        self.server_close()


def make_server(port: int, token: str, site: Path, labs: Labs) -> Server:
    """A server that is ready to serve_forever(). Raises OSError if the port is taken."""
    server = Server(port)
    hub = Hub()
    jobs = Jobs(labs, hub)
    looking = Looking(labs, hub, jobs)
    server.served = Served(Pages(site), Guard(server.port, token), hub, jobs, looking, labs)
    looking.start()
    return server


class Handler(BaseHTTPRequestHandler):
    """One connection of a browser."""

    protocol_version = "HTTP/1.1"
    timeout = REQUEST_TIMEOUT_S
    server_version = "lab"
    sys_version = ""
    disable_nagle_algorithm = True  # else an answer in two parts waits 40 ms for the browser's word that it has the first
    wbufsize = -1  # an answer's head and content leave together

    @property
    def _lab(self) -> Server:
        return cast(Server, self.server)

    @property
    def _served(self) -> Served:
        if self._lab.served is None:  # connections are taken only after it is set
            raise RuntimeError("the server is not ready")
        return self._lab.served

    @property
    def _asked(self) -> dict[str, str]:
        """The request's headers. One that was sent twice counts as none: nobody honest does that."""
        names = [name.title() for name in self.headers]
        return {name.title(): value for name, value in self.headers.items() if names.count(name.title()) == 1}

    def do_GET(self) -> None:
        """A page, the state, or the stream of changes."""
        self._answer(self._get)

    def do_HEAD(self) -> None:
        """As GET, without the content."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """A change."""
        self._answer(self._post)

    def _answer(self, how: Callable[[str, str], None]) -> None:
        if self._lab.ending.is_set():  # on a connection that was kept open
            self.close_connection = True
            return
        refused = self._served.guard.refuse_host(self._asked)
        parts = urlsplit(self.path)
        if refused:
            self._refuse(refused)
        elif len(self.path) > 2048:
            self._refuse(Refused(414, "The address is too long."))
        else:
            how(unquote(parts.path, errors="replace"), parts.query)

    # Reading ------------------------------------------------------------------------------------------------------------------------

    def _get(self, address: str, query: str) -> None:
        if address.startswith("/api/"):
            self._get_api(address, query)
            return
        asked = parse_qs(query)
        if "token" in asked:
            words = "This is not the address that `lab serve` printed, or not all of it."
            self._give_permission(address, words, allowed=self._served.guard.knows(asked["token"][0]))
            return
        if "code" in asked:
            words = "This address was good once, and for two minutes. Open the one that `lab serve` printed."
            self._give_permission(address, words, allowed=self._is_opened_by(asked["code"][0]))
            return
        page = self._served.pages.find(address)
        if page is not None:
            self._send_page(page, 200)
        elif self._served.pages.moved(address):
            self._send(301, b"", {"Location": f"{urlsplit(self.path).path}/"})
        elif self._served.pages.missing:
            self._send_page(self._served.pages.missing, 404)
        else:
            self._refuse(Refused(404, "There is nothing here."))

    def _is_opened_by(self, code: str) -> bool:
        """Whether the browser was opened by us just now, or has permission already: of a reloaded page the code is used up."""
        own = is_own_program(self.client_address, self.connection.getsockname())
        return (own and self._served.guard.opens(code)) or self._served.guard.refuse_api(self._asked) is None

    def _give_permission(self, address: str, otherwise: str, *, allowed: bool) -> None:
        """The address that `lab serve` printed, or opened: what is in it goes into a cookie and out of the address bar."""
        if not allowed:
            self._refuse(Refused(403, otherwise))
            return
        known = self._served.pages.find(address) is not None
        cookie = self._served.guard.set_cookie
        self._send(303, b"", {"Location": address if known else "/", "Set-Cookie": cookie, "Cache-Control": "no-store"})

    def _get_api(self, address: str, query: str) -> None:
        if address == "/api/proof":  # asked by another `lab serve`, which must not show its token before it knows us
            self._send_json(200, {"proof": self._served.guard.proof(parse_qs(query).get("of", [""])[0])})
        elif refused := self._served.guard.refuse_api(self._asked):  # type: ignore[arg-type]
            self._refuse(refused)
        elif address == "/api/state":
            self._served.hub.heard()
            version, parts = self._served.hub.since(_number(query, "since"))
            self._send_json(200, {"version": version, "parts": parts})
        elif address == "/api/events" and self.command == "GET":
            self._send_events()
        else:
            self._refuse(Refused(404, "There is nothing here."))

    def _send_events(self) -> None:
        """Server-sent events: everything first, then what changes, until the page goes away."""
        self.close_connection = True
        self.send_response(200)
        self._headers({"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "Connection": "close"})
        self.end_headers()
        hub, version = self._served.hub, 0
        try:
            with hub.listening():
                self._stream(f"retry: {_RETRY_MS}\n\n")
                while not self._lab.ending.is_set():
                    version, parts = hub.wait(version, IDLE_S) if version else hub.since(0)
                    data = json.dumps({"version": version, "parts": parts}, ensure_ascii=False, separators=(",", ":"))
                    self._stream(f"id: {version}\ndata: {data}\n\n" if parts else ": still here\n\n")
                    version = version or 1
        except OSError:
            pass  # the page was closed

    def _stream(self, words: str) -> None:
        """A part of an answer that goes on."""
        self.wfile.write(words.encode())
        self.wfile.flush()

    def _send_page(self, page: Page, status: int) -> None:
        headers = {"Content-Type": page.type, "ETag": page.tag, "Vary": "Accept-Encoding"}
        headers["Cache-Control"] = "max-age=31536000, immutable" if page.lasting else "no-cache"
        if status == 200 and page.tag in self.headers.get("If-None-Match", ""):
            self._send(304, b"", headers)
            return
        small = page.compressed and "gzip" in self.headers.get("Accept-Encoding", "")
        try:
            content = page.read(compressed=small)
        except OSError:
            self._refuse(Refused(404, "The site was removed. Start `lab serve` again."))
            return
        self._send(status, content, headers | ({"Content-Encoding": "gzip"} if small else {}))

    # Changing -----------------------------------------------------------------------------------------------------------------------

    def _post(self, address: str, _query: str) -> None:
        guard = self._served.guard
        refused = guard.refuse_api(self._asked) or guard.refuse_change(self._asked)
        if refused:
            self._refuse(refused)
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > BODY_BYTES:
            self._refuse(Refused(413, "That is too much."))
            return
        try:
            wish = json.loads(self.rfile.read(int(length)))
            self._do(address.removeprefix("/api/"), wish)
        except (ValueError, OverflowError, RecursionError, KeyError, TypeError, AttributeError):
            self._send_json(400, {"what": "The page asked for something that cannot be", "why": "", "fix": "Load it again."})
        except UsageError as wrong:
            self._send_json(409, {"what": wrong.what, "why": wrong.why, "fix": wrong.fix})
        except LabError as failed:
            self._send_json(500, {"what": failed.what, "why": failed.why, "fix": failed.fix})

    def _do(self, what: str, wish: Any) -> None:
        served = self._served
        if what == "hint":
            served.labs.take_hint(str(wish["task"]), int(wish["level"]))
        elif what == "check":
            served.looking.check_now(_chapter(wish))
        elif what == "job":
            served.jobs.start(str(wish["verb"]), _chapter(wish))
        else:
            self._send_json(404, {"what": "There is nothing here", "why": "", "fix": "Load the page again."})
            return
        self._send_json(202, {})

    # Sending ------------------------------------------------------------------------------------------------------------------------

    def _send_json(self, status: int, value: Any) -> None:
        self._send(
            status, json.dumps(value, ensure_ascii=False).encode(), {"Content-Type": "application/json", "Cache-Control": "no-store"}
        )

    def _refuse(self, refused: Refused) -> None:
        """Say why not, and read nothing more of what was sent."""
        self.close_connection = True
        headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", "Connection": "close"}
        self._send(refused.status, f"{refused.why}\n".encode(), headers)

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            self._headers({**headers, "Content-Length": str(len(content))})
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
        except OSError:
            self.close_connection = True  # the browser went away

    def _headers(self, headers: dict[str, str]) -> None:
        for name, value in {**SAFE_HEADERS, **headers}.items():
            self.send_header(name, value.replace("\r", "").replace("\n", ""))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal belongs to the user."""


def _chapter(wish: Any) -> str:
    chapter = wish["lab"]
    if not (isinstance(chapter, str) and len(chapter) == 2 and chapter.isdigit()):
        raise ValueError(chapter)
    return chapter


def _number(query: str, name: str) -> int:
    found = parse_qs(query).get(name, ["0"])[0]
    return int(found) if found.isdigit() and len(found) < 16 else 0
