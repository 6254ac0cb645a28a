"""`lab serve`: the course on a page of this computer, with the reader's own lab in it."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from typing import TYPE_CHECKING

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option
from courselab.errors import LabError

if TYPE_CHECKING:
    from courselab.site.guard import Guard

PORT = 7373


@click.command("serve", epilog="Example:  lab serve        lab serve 03 --no-open     (opens at chapter 03)")
@chapter_argument
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=None,
    metavar="N",
    help=f"Listen on this port; without it on {PORT}, or another if that is taken.",
)
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@json_option
@debug_option
def command(chapter: str | None, port: int | None, no_open: bool, as_json: bool) -> int:
    """Read the course in your browser, with your lab on its pages: verdicts as they change, your cluster as a picture, buttons.

    Only you can open it, and only on this computer. Ctrl-C ends it; your labs go on running.
    """
    from courselab.cli.served_labs import ServedLabs
    from courselab.site.build import built_site
    from courselab.site.guard import Guard, own_token
    from courselab.site.server import make_server

    app = App.here()
    page = f"chapters/{app.catalog.find(chapter).folder.name}/" if chapter else ""
    site = built_site(app.paths, app.progress)
    token = own_token(app.paths.state)
    wish = PORT if port is None else port
    try:
        server = make_server(wish, token, site, ServedLabs(app))
    except OSError as taken:
        if _is_ours(wish, token):
            return _tell(Guard(wish, token), page, as_json=as_json, no_open=no_open, already=True)
        if port is not None:
            raise LabError(f"Port {wish} cannot be used", why=str(taken), fix="Name another one with --port, or leave it out.") from taken
        server = make_server(0, token, site, ServedLabs(app))
    _tell(Guard(server.port, token), page, as_json=as_json, no_open=no_open, already=False)
    try:
        server.serve_forever(poll_interval=0.5)
    except KeyboardInterrupt:
        server.close()
        print("\nThe page has ended. Your labs go on running.", file=sys.stderr)
    return 0


def _tell(guard: Guard, page: str, *, as_json: bool, no_open: bool, already: bool) -> int:
    address = f"http://127.0.0.1:{guard.port}/{page}"
    url = f"{address}?token={guard.token}"
    if as_json:
        print(json.dumps({"schema": 1, "url": url, "port": guard.port, "already": already}), flush=True)
    else:
        print(f"The course is {'already ' if already else ''}at {url}", flush=True)
        if not already:
            print("The address is for you alone. Ctrl-C ends it.", file=sys.stderr)
    if not no_open and _has_screen():
        webbrowser.open(f"{address}?code={guard.code()}")  # it stands in the browser's command line, which everybody can read
    return 0


def _has_screen() -> bool:
    """Whether a browser with windows can be expected; a text browser would take the terminal over."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _is_ours(port: int, token: str) -> bool:
    """Whether what listens on the port is this user's own `lab serve`. It is not told the token: it may be another user's program."""
    import hmac
    import http.client
    import secrets

    from courselab.site.guard import Guard

    question = secrets.token_hex(16)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", f"/api/proof?of={question}")
        answer = json.loads(connection.getresponse().read(4096))
        return hmac.compare_digest(str(answer["proof"]).encode(), Guard(port, token).proof(question).encode())
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return False
    finally:
        connection.close()
