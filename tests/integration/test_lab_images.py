"""The lab images as they are really made: the web application's behaviour, and the archives for both architectures."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from courselab.k3s.images import NAMES, lab_images
from courselab.paths import find_paths
from courselab.progress import Silent

ELF_MACHINE = {"amd64": 62, "arm64": 183}


@pytest.fixture(scope="module", params=["amd64", "arm64"])
def archives(request: pytest.FixtureRequest) -> tuple[str, list[Path]]:
    return request.param, lab_images(find_paths(), NAMES, request.param, Silent())


def image_of(archive: Path) -> tuple[str, dict[str, object], dict[str, bytes], dict[str, str]]:
    """Its name, config, files and links."""
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> bytes:
            file = tar.extractfile(f"blobs/{digest.replace(':', '/')}")
            assert file
            return file.read()

        index = tar.extractfile("index.json")
        assert index
        [entry] = json.load(index)["manifests"]
        manifest = json.loads(blob(entry["digest"]))
        with tarfile.open(fileobj=io.BytesIO(blob(manifest["layers"][0]["digest"]))) as layer:
            files = {f"/{member.name}": file.read() for member in layer if member.isreg() and (file := layer.extractfile(member))}
            links = {f"/{member.name}": member.linkname for member in layer if member.issym()}
        return entry["annotations"]["io.containerd.image.name"], json.loads(blob(manifest["config"]["digest"])), files, links


def test_images_are_named_and_built_for_their_architecture(archives: tuple[str, list[Path]]) -> None:
    arch, paths = archives
    for name, path in zip(NAMES, paths, strict=True):
        found, config, files, links = image_of(path)
        assert found == f"docker.io/{name}"
        assert config["architecture"] == arch
        programs = [file for file in files if file.startswith("/usr/bin/")]
        assert {int.from_bytes(files[file][18:20], "little") for file in programs} == {ELF_MACHINE[arch]}
        assert links["/usr/bin/sh"] == "busybox"


def test_the_tools_image_has_every_library_its_programs_load(archives: tuple[str, list[Path]]) -> None:
    _, _, files, _ = image_of(archives[1][2])
    assert {"/usr/bin/curl", "/usr/bin/dig", "/usr/bin/openssl", "/usr/bin/nc.openbsd"} <= set(files)
    assert files["/etc/ssl/certs/ca-certificates.crt"].count(b"BEGIN CERTIFICATE") > 50


def test_containers_do_not_run_as_root(archives: tuple[str, list[Path]]) -> None:
    for path in archives[1]:
        assert image_of(path)[1]["config"]["User"] == "1000:1000"  # type: ignore[index]


def test_a_second_call_makes_nothing(archives: tuple[str, list[Path]]) -> None:
    def no_go() -> Path:
        raise AssertionError("nothing is to be built")

    assert lab_images(find_paths(), NAMES, archives[0], Silent(), go=no_go) == archives[1]


Web = Callable[..., tuple[subprocess.Popen[str], int]]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The web application."""
    binary = tmp_path / "web"
    binary.write_bytes(image_of(lab_images(find_paths(), ["course/web:2"], _host_arch(), Silent())[0])[2]["/usr/bin/web"])
    binary.chmod(0o755)
    return binary


@pytest.fixture
def web(program: Path) -> Iterator[Web]:
    """Starts the web application with flags and environment, on a free port; returns it and the port."""
    started: list[subprocess.Popen[str]] = []

    def start(*flags: str, **env: str) -> tuple[subprocess.Popen[str], int]:
        port = _free_port()
        process = subprocess.Popen([program, f"-port={port}", *flags], env=env, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process, port

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ask(port: int, path: str = "/", host: str = "shop.example") -> tuple[int, str]:
    for _ in range(100):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.request("GET", path, headers={"Host": host})
            except ConnectionRefusedError:
                time.sleep(0.05)
                continue
            response = connection.getresponse()
            return response.status, response.read().decode()
    raise AssertionError("it does not listen")


def test_web_says_its_body_version_and_host(web: Web) -> None:
    _, port = web("-body=Fresh bread", WEB_VERSION="2")
    status, text = ask(port)
    assert status == 200
    assert text.splitlines() == ["Fresh bread", "version: 2", f"pod: {os.uname().nodename}", "host: shop.example", "path: /"]


def test_web_answers_below_its_path_only_and_says_so(web: Web) -> None:
    _, port = web(WEB_PATH="/cart/")
    assert [ask(port, path)[0] for path in ("/cart", "/cart/items", "/", "/cartoon", "/healthz")] == [200, 200, 404, 404, 200]
    assert "answers at /cart, not at /cartoon" in ask(port, "/cartoon")[1]


def test_web_lives_before_it_is_ready(web: Web) -> None:
    _, port = web("-ready-after=1h")
    assert ask(port, "/healthz") == (200, "ok\n")
    assert ask(port, "/readyz")[0] == 503
    assert ask(web("-ready-after=0s")[1], "/readyz") == (200, "ready\n")


def test_web_logs_each_request_and_ends_in_order(web: Web) -> None:
    process, port = web()
    ask(port, "/a")
    process.terminate()
    _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    assert 'GET path="/a" host="shop.example" status=200' in log


@pytest.mark.parametrize(
    ("flags", "env", "line"),
    [
        (["-require-env=SHOP_KEY"], {}, "FATAL: the environment variable SHOP_KEY is not set"),
        (["-require-file=/etc/shop/rates.csv"], {}, "FATAL: cannot start without this file: open /etc/shop/rates.csv: no such file"),
        (["-port=http"], {}, 'FATAL: wrong settings: port "http" is not a number'),
        (["-prot=1"], {}, "FATAL: wrong settings: flag provided but not defined: -prot"),
        (["8080"], {}, 'FATAL: wrong settings: "8080" is not a flag'),
        ([], {"WEB_PATH": "cart"}, 'FATAL: wrong settings: path "cart" does not begin with /'),
        (["-ready-after=soon"], {}, 'FATAL: wrong settings: ready-after "soon" is not a time'),
    ],
)
def test_web_ends_with_one_clear_line_when_it_cannot_work(web: Web, flags: list[str], env: dict[str, str], line: str) -> None:
    process, _ = web(*flags, **env)
    _, log = process.communicate(timeout=20)
    assert process.returncode == 1
    assert line in log
    assert len(log.splitlines()) == 1


def test_web_is_not_led_astray_by_a_service_named_web(program: Path) -> None:
    """Pods that start after it find WEB_PORT=tcp://… in their environment. The wrong path keeps the program from listening."""
    told = {"WEB_PORT": "tcp://10.43.0.9:80", "WEB_PATH": "cart"}
    done = subprocess.run([program], env=told, capture_output=True, text=True, timeout=20, check=False)
    assert 'path "cart" does not begin with /' in done.stderr


def _host_arch() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
