"""Which K3s: given, kept, fetched and verified, or the stand-in; and never a surprise."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from courselab.errors import LabError, UsageError
from courselab.k3s.download import Unavailable
from courselab.k3s.release import Release, find_release
from courselab.paths import Paths
from courselab.progress import Silent

VERSION = "v1.36.5+k3s1"
BINARY = b"#!/bin/sh\necho k3s\n" * 1000


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    infra = tmp_path / "course" / "infra"
    infra.mkdir(parents=True)
    (infra / "k3s.toml").write_text(f'version = "{VERSION}"\nreleases = "https://localhost:1/none"\n')
    return Paths(tmp_path / "course", tmp_path / "state", tmp_path / "cache", tmp_path / "config", tmp_path / "work")


class Server:
    """A release server on this computer, and what it was asked."""

    def __init__(self) -> None:
        self.files = {"k3s": BINARY, "k3s-airgap-images-amd64.tar.zst": b"images"}
        self.asked: list[tuple[str, str]] = []
        self.wrong_hash = False
        self.cut_at: int | None = None
        self.down = False
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[1]
                server.asked.append((name, self.headers.get("Range", "")))
                data = server.body(name)
                if data is None or server.down:
                    self.send_error(503 if server.down else 404)
                    return
                start = int(self.headers.get("Range", "bytes=0-")[6:-1])
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                end = server.cut_at if server.cut_at and name == "k3s" and not start else None
                self.wfile.write(data[start:end])

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/releases"

    def body(self, name: str) -> bytes | None:
        if name == "sha256sum-amd64.txt":
            hashes = ((hashlib.sha256(b"other" if self.wrong_hash else data).hexdigest(), file) for file, data in self.files.items())
            return "".join(f"{digest}  {file}\n" for digest, file in hashes).encode()
        return self.files.get(name)


@pytest.fixture
def server() -> Generator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def stand_in() -> Release:
    return Release("stand-in", "1.36.3", Path("/stand-in/k3s"))


def find(paths: Paths, **environ: str) -> Release:
    return find_release(paths, Silent(), stand_in=stand_in, environ=environ, arch="x86_64")


def test_a_release_is_fetched_verified_and_kept(paths: Paths, server: Server) -> None:
    found = find(paths, LAB_K3S_MIRROR=server.url)
    assert (found.distribution, found.label, found.binary.read_bytes()) == ("k3s", f"K3s {VERSION}", BINARY)
    assert [image.name for image in found.images] == ["k3s-airgap-images-amd64.tar.zst"]
    asked = len(server.asked)
    server.http.shutdown()
    assert find(paths, LAB_K3S_MIRROR=server.url) == found, "the kept files serve without the server"
    assert len(server.asked) == asked


def test_a_wrong_hash_is_refused_and_nothing_kept(paths: Paths, server: Server) -> None:
    server.wrong_hash = True
    with pytest.raises(LabError, match="not what the K3s release says"):
        find(paths, LAB_K3S_MIRROR=server.url)
    assert not [file for file in paths.cache.rglob("k3s*") if file.is_file()]


def test_a_cut_download_goes_on_where_it_stopped(paths: Paths, server: Server) -> None:
    server.cut_at = 5000
    with pytest.raises(Unavailable, match="cannot be fetched"):
        find(paths, LAB_K3S="k3s", LAB_K3S_MIRROR=server.url)
    server.cut_at = None
    (paths.cache / "k3s" / VERSION.replace("+", "-") / "amd64" / "unreachable.json").unlink(missing_ok=True)
    assert find(paths, LAB_K3S_MIRROR=server.url).binary.read_bytes() == BINARY
    assert ("k3s", "bytes=5000-") in server.asked


def test_two_commands_that_fetch_the_same_release_do_not_spoil_it(paths: Paths, server: Server) -> None:
    met = threading.Barrier(2, timeout=0.3)

    def body(name: str, usual: Callable[[str], bytes | None] = server.body) -> bytes | None:
        if name == "k3s":
            with suppress(threading.BrokenBarrierError):  # whoever is alone goes on
                met.wait()
        return usual(name)

    server.body = body  # type: ignore[method-assign]
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(find, paths, LAB_K3S="k3s", LAB_K3S_MIRROR=server.url) for _ in range(2)]
        assert [found.result(20).binary.read_bytes() for found in both] == [BINARY, BINARY]
    assert [name for name, _ in server.asked].count("k3s") == 1


def test_a_server_that_speaks_no_http_is_one_that_cannot_be_reached(paths: Paths) -> None:
    with socket.create_server(("127.0.0.1", 0)) as odd:

        def answer() -> None:
            while True:
                try:
                    one, _ = odd.accept()
                except OSError:
                    return
                with one:
                    one.recv(4096)
                    one.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        threading.Thread(target=answer, daemon=True).start()
        mirror = f"http://127.0.0.1:{odd.getsockname()[1]}/k3s"
        assert find(paths, LAB_K3S_MIRROR=mirror).distribution == "stand-in"
        odd.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Unavailable):
        find(paths, LAB_K3S="k3s", LAB_K3S_MIRROR="https://mirror.example/k3s files")


def test_a_pin_that_differs_is_refused(paths: Paths, server: Server) -> None:
    pins = paths.infra / "k3s.toml"
    pins.write_text(pins.read_text() + '[sha256]\nk3s = "00"\n')
    with pytest.raises(LabError, match=r"hash of k3s in infra/k3s.toml"):
        find(paths, LAB_K3S_MIRROR=server.url)


def test_without_k3s_the_stand_in_serves_and_says_why(paths: Paths) -> None:
    found = find(paths, LAB_K3S_MIRROR="http://127.0.0.1:9/none")
    assert found.label == "stand-in 1.36.3"
    assert "K3s itself cannot be had" in found.why
    with pytest.raises(Unavailable):
        find(paths, LAB_K3S="k3s", LAB_K3S_MIRROR="http://127.0.0.1:9/none")


def test_a_server_that_was_down_is_not_waited_for_again(paths: Paths, server: Server) -> None:
    server.down = True
    find(paths, LAB_K3S_MIRROR=server.url)
    asked = len(server.asked)
    assert find(paths, LAB_K3S_MIRROR=server.url).distribution == "stand-in"
    assert len(server.asked) == asked


def test_a_given_binary_and_its_images_are_used(paths: Paths, tmp_path: Path) -> None:
    binary = tmp_path / "my k3s"
    binary.write_bytes(BINARY)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.tar.zst").write_bytes(b"")
    found = find(paths, LAB_K3S_BINARY=str(binary), LAB_K3S_IMAGES=str(tmp_path / "images"))
    assert (found.distribution, found.binary, len(found.images)) == ("k3s", binary, 1)
    with pytest.raises(UsageError, match="holds no images"):
        find(paths, LAB_K3S_BINARY=str(binary), LAB_K3S_IMAGES=str(tmp_path / "empty"))
    with pytest.raises(UsageError, match="names no file"):
        find(paths, LAB_K3S_BINARY=str(tmp_path / "gone"))
    with pytest.raises(UsageError, match="not known"):
        find(paths, LAB_K3S="k4s")


def test_only_https_is_fetched(paths: Paths) -> None:
    with pytest.raises(LabError, match="Only https"):
        find(paths, LAB_K3S_MIRROR="http://mirror.example/k3s")
