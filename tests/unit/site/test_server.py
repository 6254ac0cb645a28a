"""`lab serve` as a browser, and as an attacker, meets it."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from courselab.cli.serve import _is_ours, _tell  # pyright: ignore[reportPrivateUsage]
from courselab.errors import LabError
from courselab.site import looking as looking_module
from courselab.site.guard import Guard, is_own_program, own_token
from courselab.site.hub import Hub
from courselab.site.jobs import Jobs
from courselab.site.labs import LabRow
from courselab.site.looking import Looking
from courselab.site.server import Server, make_server
from tests.unit.site.fake_labs import HOSTILE, FakeLabs

TOKEN = "t" * 32


class Browser:
    """Asks the server; by default as a page of our own would."""

    def __init__(self, server: Server) -> None:
        self.port = server.port
        self.own = {"Cookie": f"lab-{self.port}={TOKEN}"}
        self.changing = {**self.own, "Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/json"}

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: str | None = None
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body=body, headers=self.own if headers is None else headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers.items()), answer.read().decode()
        finally:
            connection.close()

    def post(self, path: str, wish: Any, **headers: str) -> int:
        return self.ask("POST", path, {**self.changing, **headers}, json.dumps(wish))[0]

    def parts(self) -> dict[str, Any]:
        return json.loads(self.ask("GET", "/api/state")[2])["parts"]

    def until(self, name: str, true: Any) -> Any:
        """The part `name`, as soon as `true` holds of it."""
        ends = time.monotonic() + 10
        while time.monotonic() < ends:
            value = self.parts().get(name)
            if true(value):
                return value
            time.sleep(0.02)
        raise AssertionError(f"{name} is {self.parts().get(name)}")

    def listen(self) -> socket.socket:
        listener = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        listener.sendall(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: {self.own['Cookie']}\r\n\r\n".encode())
        return listener


@pytest.fixture
def labs() -> FakeLabs:
    return FakeLabs()


@pytest.fixture
def browser(tmp_path: Path, labs: FakeLabs) -> Generator[Browser]:
    site = tmp_path / "site"
    (site / "chapters" / "03").mkdir(parents=True)
    (site / "index.html").write_text("<h1>Course</h1>")
    (site / "404.html").write_text("not here")
    (site / "chapters" / "03" / "index.html").write_text("chapter")
    (tmp_path / "secret.txt").write_text("secret")
    (site / "link.txt").symlink_to(tmp_path / "nothing.txt")
    server = make_server(0, TOKEN, site, labs)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield Browser(server)
    server.close()


def test_pages_are_served_with_a_policy_that_runs_no_inline_script(browser: Browser) -> None:
    status, headers, text = browser.ask("GET", "/", {})
    assert (status, text) == (200, "<h1>Course</h1>")
    policy = headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert browser.ask("GET", "/chapters/03", {})[1]["Location"] == "/chapters/03/"
    assert browser.ask("GET", "/", {"If-None-Match": headers["ETag"]})[0] == 304


def test_an_answer_leaves_whole(browser: Browser) -> None:
    """In two parts the second waits until the browser has confirmed the first, which it does 40 ms later; a page is a dozen answers."""
    with socket.create_connection(("127.0.0.1", browser.port), timeout=10) as asking:
        for _ in range(2):
            asking.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{browser.port}\r\n\r\n".encode())
            assert asking.recv(65536).endswith(b"<h1>Course</h1>")


def test_the_printed_address_gives_permission_once_and_hides_the_token(browser: Browser) -> None:
    status, headers, _ = browser.ask("GET", f"/chapters/03/?token={TOKEN}", {})
    assert (status, headers["Location"]) == (303, "/chapters/03/")
    assert "HttpOnly; SameSite=Strict" in headers["Set-Cookie"]
    assert browser.ask("GET", f"//evil.example/?token={TOKEN}", {})[1]["Location"] == "/"
    assert browser.ask("GET", "/?token=guess", {})[0] == 403


def test_a_browser_is_opened_with_a_code_that_is_good_once(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other users of this computer can read a browser's command line."""
    opened: list[str] = []
    monkeypatch.setattr("courselab.cli.serve.webbrowser.open", opened.append)
    monkeypatch.setattr("courselab.cli.serve._has_screen", lambda: True)
    _tell(Guard(browser.port, TOKEN), "chapters/03/", as_json=False, no_open=False, already=False)
    assert f"/chapters/03/?token={TOKEN}" in capsys.readouterr().out
    assert TOKEN not in opened[0]
    address = opened[0].removeprefix(f"http://127.0.0.1:{browser.port}")
    status, headers, _ = browser.ask("GET", address, {})
    assert (status, headers["Location"]) == (303, "/chapters/03/")
    permission = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
    assert browser.ask("GET", "/api/state", permission)[0] == 200
    assert browser.ask("GET", address, {})[0] == 403
    assert browser.ask("GET", address, permission)[0] == 303  # the page was loaded again


@pytest.mark.parametrize("code", ["-", "guess", "9999999999-ab", "9999999999-ab-{proof}", "9999999999-ab-ü"])
def test_a_code_cannot_be_made_up(browser: Browser, code: str) -> None:
    """Anybody may ask for proofs: none of them is a code's signature."""
    question = quote(f"code {browser.port} 9999999999-ab")
    proof = json.loads(browser.ask("GET", f"/api/proof?of={question}", {})[2])["proof"]
    assert browser.ask("GET", f"/?code={quote(code.format(proof=proof))}", {})[0] == 403


def test_a_code_is_good_for_two_minutes_and_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [Guard(7373, TOKEN).code() for _ in range(2)]
    assert not Guard(7374, TOKEN).opens(codes[0])
    assert Guard(7373, TOKEN).opens(codes[0])
    later = time.time() + 125
    monkeypatch.setattr(time, "time", lambda: later)
    assert not Guard(7373, TOKEN).opens(codes[1])


def test_another_user_who_is_faster_than_the_browser_does_not_use_a_code_up(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"/?code={Guard(browser.port, TOKEN).code()}"
    with monkeypatch.context() as patched:
        patched.setattr("courselab.site.server.is_own_program", lambda *_: False)
        assert browser.ask("GET", address, {})[0] == 403
    assert browser.ask("GET", address, {})[0] == 303


@pytest.mark.parametrize(("uid", "own"), [("1000", True), ("0", True), ("1001", False)])
@pytest.mark.parametrize("mapped", ["", "0000000000000000FFFF0000"])
def test_linux_tells_whose_a_connection_is(tmp_path: Path, uid: str, own: bool, mapped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("courselab.site.guard.sys.platform", "linux")
    monkeypatch.setattr("courselab.site.guard.os.getuid", lambda: 1000)
    row = "{}: {}:{:04X} {}:{:04X} 01 00000000:00000000 00:00000000 00000000  {}        0 1066 1 0000 100 0 0 10 0\n"
    near, far = (f"{mapped}{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}" for address in ("127.0.0.1", "127.0.0.2"))
    table = tmp_path / "tcp"
    table.write_text(
        "  sl  local_address rem_address   st\n" + row.format(0, far, 4711, near, 7373, "1000") + row.format(1, near, 4711, near, 7373, uid)
    )
    assert is_own_program(("127.0.0.1", 4711), ("127.0.0.1", 7373), (tmp_path / "gone", table)) is own
    assert is_own_program(("127.0.0.1", 4712), ("127.0.0.1", 7373), (table,)), "a browser that is not on this Linux, as with WSL"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}", "", "[::1]:{port}"])
def test_another_host_name_is_refused(browser: Browser, host: str) -> None:
    """DNS rebinding: a name of the attacker's that leads to 127.0.0.1."""
    status, _, text = browser.ask("GET", "/api/state", {**browser.own, "Host": host.format(port=browser.port)})
    assert status == 421
    assert "chapters" not in text


def test_browsers_do_not_name_the_port_of_http() -> None:
    assert Guard(80, TOKEN).refuse_host({"Host": "127.0.0.1"}) is None
    assert Guard(8080, TOKEN).refuse_host({"Host": "127.0.0.1"})


def test_two_host_headers_are_refused(browser: Browser) -> None:
    with socket.create_connection(("127.0.0.1", browser.port), timeout=10) as raw:
        good = f"Host: 127.0.0.1:{browser.port}\r\n"
        raw.sendall(f"GET / HTTP/1.1\r\n{good}Host: evil.example\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 421")


@pytest.mark.parametrize("cookie", ["", "lab={token}", "lab-{port}=wrong", "lab-{port}=", 'lab-{port}="\\', "lab-{port}=ü"])
def test_without_permission_the_api_says_nothing(browser: Browser, cookie: str, labs: FakeLabs) -> None:
    headers = {**browser.changing, "Cookie": cookie.format(port=browser.port, token=TOKEN).encode().decode("latin-1")}
    assert browser.ask("GET", "/api/state", headers)[0] == 401
    assert browser.ask("GET", "/api/events", headers)[0] == 401
    assert browser.ask("POST", "/api/job", headers, '{"verb": "reset", "lab": "03"}')[0] == 401
    assert labs.ran == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
def test_another_site_cannot_change_anything(browser: Browser, headers: dict[str, str], labs: FakeLabs) -> None:
    assert browser.post("/api/job", {"verb": "reset", "lab": "03"}, **headers) in (403, 415)
    assert labs.ran == []


def test_get_changes_nothing(browser: Browser, labs: FakeLabs) -> None:
    for path in ("/api/job?verb=reset&lab=03", "/api/check?lab=03", "/api/hint?task=03.route&level=1", "/api/start/03"):
        assert browser.ask("GET", path)[0] == 404
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert browser.ask(method, "/api/job", browser.changing)[0] == 501
    assert (labs.ran, labs.hinted) == ([], [])


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/chapters/../../secret.txt",
        "//secret.txt",
        "/%00",
        "/..\\secret.txt",
        "/link.txt",
        "/.git/config",
    ],
)
def test_no_address_leads_out_of_the_site(browser: Browser, path: str) -> None:
    status, _, text = browser.ask("GET", path, {})
    assert (status, text) == (404, "not here")


def test_oversized_input_is_refused(browser: Browser, labs: FakeLabs) -> None:
    assert browser.ask("POST", "/api/job", browser.changing, "x" * 5000)[0] == 413
    assert browser.ask("POST", "/api/job", {**browser.changing, "Content-Length": "-1"})[0] == 413
    assert browser.ask("GET", f"/{'a' * 3000}", {})[0] == 414
    assert browser.ask("GET", "/", {"X": "y" * 70000})[0] == 431
    for body in ("", "[", "[" * 4000, "[]", "null", '{"verb": "start"}', '{"verb": "start", "lab": "../"}', '{"verb": "start", "lab": 3}'):
        assert browser.ask("POST", "/api/job", browser.changing, body)[0] == 400
    assert browser.ask("POST", "/api/hint", browser.changing, '{"task": "03.route", "level": 1e999}')[0] == 400
    assert browser.post("/api/job", {"verb": "delete", "lab": "03"}) == 409
    assert browser.post("/api/hint", {"task": "99.x", "level": 1}) == 409
    assert labs.ran == []


def test_hostile_words_reach_the_page_as_data_only(browser: Browser) -> None:
    verdicts = browser.until("verdicts/03", bool)
    (check,) = verdicts["checks"]
    assert check["details"][0] == ["", HOSTILE]  # the script puts it in as text; see tests/browser
    assert browser.ask("GET", "/api/state")[1]["Content-Type"] == "application/json"
    assert browser.ask("GET", f"/{HOSTILE.replace(' ', '%20').replace(chr(27), '%1b')}", {})[2] == "not here"


def test_a_job_shows_its_stages_and_one_runs_at_a_time(browser: Browser, labs: FakeLabs) -> None:
    labs.go_on.clear()
    assert browser.post("/api/job", {"verb": "reset", "lab": "03"}) == 202
    job = browser.until("job", lambda job: job and job["stages"])
    assert (job["state"], job["stages"][0]["text"]) == ("running", "Starting machines server")
    assert browser.post("/api/job", {"verb": "start", "lab": "03"}) == 409
    labs.go_on.set()
    assert browser.until("job", lambda job: job["state"] != "running")["state"] == "done"
    assert labs.ran == [("reset", "03")]


def test_a_job_that_fails_says_why(browser: Browser, labs: FakeLabs) -> None:
    labs.fails = LabError("Too little memory", why="2 GiB are needed.", fix="Close something.")
    assert browser.post("/api/job", {"verb": "start", "lab": "03"}) == 202
    job = browser.until("job", lambda job: job and job["state"] != "running")
    assert job["error"] == {"what": "Too little memory", "why": "2 GiB are needed.", "fix": "Close something."}


def test_a_check_and_a_hint(browser: Browser, labs: FakeLabs) -> None:
    browser.until("verdicts/03", bool)
    assert browser.post("/api/check", {"lab": "03"}) == 202
    browser.until("verdicts/03", lambda seen: seen["checks"][0]["verdict"] == "pass")
    assert browser.post("/api/check", {"lab": "04"}) == 500
    assert browser.post("/api/hint", {"task": "03.route", "level": 2}) == 202
    assert labs.hinted == [("03.route", 2)]


def test_a_lab_that_was_made_anew_or_deleted_is_noticed(browser: Browser, labs: FakeLabs) -> None:
    browser.until("verdicts/03", bool)
    labs.row = None
    browser.until("lab/03", lambda row: row is None)
    browser.until("verdicts/03", lambda seen: seen is None)
    labs.row = LabRow("03", "ready", "local", "K3s", "two")
    browser.until("verdicts/03", bool)


def test_two_hundred_pages_listen_and_all_hear_of_a_change(browser: Browser, labs: FakeLabs) -> None:
    listeners = [browser.listen() for _ in range(200)]
    try:
        for listener in listeners:
            assert listener.recv(64).startswith(b"HTTP/1.1 200")
        assert browser.ask("GET", "/", {})[0] == 200
        browser.until("verdicts/03", bool)
        assert browser.post("/api/check", {"lab": "03"}) == 202
        for listener in listeners:
            heard = b""
            while b'"verdict":"pass"' not in heard:
                more = listener.recv(65536)
                assert more
                heard += more
    finally:
        for listener in listeners:
            listener.close()


def test_a_lab_that_was_stopped_elsewhere_leaves_no_verdicts_behind(labs: FakeLabs) -> None:
    """Its watch may notice that before the next look does, and has ended by then."""
    hub = Hub()
    looking = Looking(labs, hub, Jobs(labs, hub))
    looking._look()  # pyright: ignore[reportPrivateUsage]
    while "verdicts/03" not in hub.since(0)[1]:
        time.sleep(0.01)
    labs.gone.set()
    while not looking._watches["03"].ended:  # pyright: ignore[reportPrivateUsage]
        time.sleep(0.01)
    assert labs.row
    labs.row = replace(labs.row, phase="stopped")
    looking._look()  # pyright: ignore[reportPrivateUsage]
    assert "verdicts/03" not in hub.since(0)[1]


def test_whoever_sees_a_verdict_can_ask_for_a_check(labs: FakeLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch's thread may be far ahead of the one that starts it."""
    start = threading.Thread.start

    def far_ahead(thread: threading.Thread) -> None:
        start(thread)
        thread.join(0.2)

    monkeypatch.setattr(threading.Thread, "start", far_ahead)
    hub = Hub()
    looking = Looking(labs, hub, Jobs(labs, hub))
    watched: list[list[str]] = []
    monkeypatch.setattr(labs, "watch", lambda _: watched.append(looking.watched) or labs)
    looking._look()  # pyright: ignore[reportPrivateUsage]
    looking._end_watches(set())  # pyright: ignore[reportPrivateUsage]
    assert watched == [["03"]]


def test_a_provider_that_does_not_answer_is_not_asked_again_meanwhile(labs: FakeLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking_module, "MACHINES_EVERY_S", 0.0)
    hub = Hub()
    looking = Looking(labs, hub, Jobs(labs, hub))
    labs.answers.clear()
    for _ in range(5):
        looking._look()  # pyright: ignore[reportPrivateUsage]
    assert labs.asked == 1
    labs.answers.set()
    while "machines/03" not in hub.since(0)[1]:
        time.sleep(0.01)
    looking._look()  # pyright: ignore[reportPrivateUsage]
    assert labs.asked == 2
    looking._end_watches(set())  # pyright: ignore[reportPrivateUsage]


def test_a_look_that_fails_is_told_and_not_the_last_one(browser: Browser, labs: FakeLabs) -> None:
    browser.until("lab/03", bool)
    labs.look_fails = FileNotFoundError("lab.yaml")
    assert "FileNotFoundError" in browser.until("trouble", bool)["what"]
    labs.look_fails = None
    browser.until("trouble", lambda trouble: trouble is None)


def test_cookies_of_other_programs_on_this_host_do_not_hide_ours(browser: Browser) -> None:
    for other in ('prefs={"theme":"dark"}', "a/b=1", '_xsrf="2|a b', "=", "odd"):
        assert browser.ask("GET", "/api/state", {"Cookie": f"{other}; {browser.own['Cookie']}; {other}"})[0] == 200
        assert browser.ask("GET", "/api/state", {"Cookie": f"{other}; {browser.own['Cookie']}x"})[0] == 401


def test_a_page_of_a_serve_before_this_one_is_told_everything(browser: Browser) -> None:
    browser.until("verdicts/03", bool)
    assert "lab/03" in json.loads(browser.ask("GET", "/api/state?since=100000")[2])["parts"]


def test_serve_finds_its_own_and_tells_nobody_the_token(browser: Browser) -> None:
    """Another user may listen on the port first, to be told what opens the labs of whoever comes next."""
    assert _is_ours(browser.port, TOKEN)
    assert not _is_ours(browser.port, "x" * 32)
    heard = b""
    with socket.create_server(("127.0.0.1", 0)) as other:

        def listen() -> None:
            nonlocal heard
            line, _ = other.accept()
            with line:
                heard = line.recv(65536)
                question = heard.partition(b"of=")[2].partition(b" ")[0].decode()
                proof = browser.ask("GET", f"/api/proof?of={question}", {})[2]  # passed on from one that knows
                line.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(proof)}\r\n\r\n{proof}".encode())

        listening = threading.Thread(target=listen, daemon=True)
        listening.start()
        assert not _is_ours(other.getsockname()[1], TOKEN)
        listening.join(10)
    assert heard
    assert TOKEN.encode() not in heard


def test_the_token_is_made_once_and_private(tmp_path: Path) -> None:
    assert own_token(tmp_path) == own_token(tmp_path)
    assert (tmp_path / "serve-token").stat().st_mode & 0o777 == 0o600
