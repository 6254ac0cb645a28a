"""The course's own images: web in two versions, and tools. Made on the host, kept in the cache, imported into every node of a lab."""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from courselab.errors import LabError, UsageError
from courselab.k3s import debian, oci
from courselab.k3s.oci import Entry, File, Folder, ImageConfig, Link
from courselab.paths import Paths
from courselab.process import run

NAMES = ("course/web:1", "course/web:2", "course/tools:1")

Progress = Callable[[str], None]

_BUILD_S = 600
_BUSYBOX = "/bin/busybox"
_USER = "1000:1000"
_WEB_PACKAGES = ("busybox-static",)
_TOOLS_PACKAGES = ("busybox-static", "curl", "bind9-dnsutils", "openssl", "netcat-openbsd", "ca-certificates")
# The real programs. dig brings 30 MB of character tables that it never opens (its library for XML links them); a look-alike
# would save them and differ where a learner copies a line from elsewhere.
_TOOLS_PROGRAMS = ("/usr/bin/curl", "/usr/bin/dig", "/usr/bin/host", "/usr/bin/openssl")
# Applets that a learner would try in a container; busybox itself knows more.
_APPLETS = (
    "awk base64 basename cat chmod chown clear cmp cp cut date dd df diff dirname du echo env expr false find free getopt grep gunzip "
    "gzip head hexdump hostname id ifconfig ip kill less ln ls md5sum mkdir mktemp more mount mv nc netstat nslookup nproc od ping printf "
    "ps pwd readlink realpath rm rmdir route sed seq sh sha256sum sleep sort stat strings stty tail tar tee telnet test time timeout top "
    "touch tr traceroute true tty uname uniq uptime vi watch wc wget which whoami xargs yes"
).split()


def lab_images(paths: Paths, names: Sequence[str], arch: str, progress: Progress, *, go: Path, as_root: Sequence[str] = ()) -> list[Path]:
    """The archives of the images `names` for `arch` (amd64, arm64), in that order; those not in the cache are made.

    `go` is the Go command, `as_root` what to put before a command that needs root. Raises UsageError for a name the course
    does not have, LabError if one cannot be made.
    """
    for name in names:
        if name not in NAMES:
            raise UsageError(f"The course has no image {name!r}", why=f"It has {', '.join(NAMES)}.", fix="Mend `images:` in lab.yaml.")
    maker = _Maker(paths, arch, progress, go, as_root)
    return [maker.image(name) for name in names]


class _Maker:
    """Makes images for one architecture, each only if the cache lacks it."""

    def __init__(self, paths: Paths, arch: str, progress: Progress, go: Path, as_root: Sequence[str]) -> None:
        self._source = paths.infra / "images"
        self._cache = paths.cache
        self._arch = arch
        self._progress = progress
        self._go = go
        self._as_root = as_root

    def image(self, name: str) -> Path:
        kind, _, version = name.partition("/")[2].partition(":")
        sources = sorted((self._source / "web").glob("*")) if kind == "web" else []
        path = self._cache / "images" / _content_hash(sources) / f"{name.replace('/', '-').replace(':', '-')}-{self._arch}.tar"
        if not path.is_file():
            self._progress(f"making the image {name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as scratch:
                entries = self._web(Path(scratch)) if kind == "web" else self._tools(Path(scratch))
                oci.write_image(path, name, entries, _web_config(version) if kind == "web" else _tools_config(version), arch=self._arch)
        return path

    def _web(self, scratch: Path) -> list[Entry]:
        binary = self._build(self._source / "web", scratch / "web")
        debian.unpack(_WEB_PACKAGES, self._arch, scratch / "packages.tar", as_root=self._as_root)
        with tarfile.open(scratch / "packages.tar") as tar:
            packages = debian.Packages(tar)
            return [*_base(packages), File("/usr/bin/web", binary, mode=0o755)]

    def _tools(self, scratch: Path) -> list[Entry]:
        debian.unpack(_TOOLS_PACKAGES, self._arch, scratch / "packages.tar", as_root=self._as_root)
        with tarfile.open(scratch / "packages.tar") as tar:
            packages = debian.Packages(tar)
            certificates = b"".join(packages.read(path) for path in packages.below("/usr/share/ca-certificates"))
            return [
                *_base(packages),
                *debian.program_files(packages, [*_TOOLS_PROGRAMS, "/bin/nc.openbsd"]),
                Link("/usr/bin/nc", "nc.openbsd"),
                File("/etc/ssl/openssl.cnf", packages.read("/etc/ssl/openssl.cnf")),
                File("/etc/ssl/certs/ca-certificates.crt", certificates),
                Link("/usr/lib/ssl/openssl.cnf", "/etc/ssl/openssl.cnf"),
                Link("/usr/lib/ssl/certs", "/etc/ssl/certs"),
                Link("/usr/lib/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt"),
            ]

    def _build(self, source: Path, target: Path) -> Path:
        """Build the Go program in `source`."""
        env = {
            **os.environ,
            "CGO_ENABLED": "0",
            "GOOS": "linux",
            "GOARCH": self._arch,
            "GOCACHE": str(self._cache / "go" / "build"),
            "GOMODCACHE": str(self._cache / "go" / "mod"),
            "GOFLAGS": "-modcacherw -buildvcs=false -trimpath",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        argv = [str(self._go), "build", "-ldflags", "-s -w -buildid=", "-o", str(target), "."]
        run(argv, timeout_s=_BUILD_S, env=env, cwd=source).check(
            "The web application of the labs could not be built",
            fix="Free some disk space in the cache and try again; `--debug` shows the compiler's output.",
        )
        return target


def _base(packages: debian.Packages) -> Iterator[Entry]:
    """A small system: a shell and its commands, users by name, a place for temporary files."""
    yield File("/usr/bin/busybox", packages.read(_BUSYBOX), mode=0o755)
    for applet in _APPLETS:
        yield Link(f"/usr/bin/{applet}", "busybox")
    for name in ("bin", "sbin", "lib", "lib64"):
        yield Link(f"/{name}", f"usr/{name}")
        yield Folder(f"/usr/{name}")
    yield Folder("/tmp", mode=0o1777)  # noqa: S108 a folder of the image
    yield Folder("/root", mode=0o700)
    yield Folder("/home/course", owner=1000)
    yield File("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\ncourse:x:1000:1000:course:/home/course:/bin/sh\n")
    yield File("/etc/group", b"root:x:0:\ncourse:x:1000:\n")
    yield File("/etc/nsswitch.conf", b"hosts: files dns\n")


def _web_config(version: str) -> ImageConfig:
    # The version is a setting of the image, not another program: both versions share one layer, which a node stores once.
    env = (*ImageConfig().env, f"WEB_VERSION={version}", "HOME=/home/course")
    return ImageConfig(entrypoint=("/usr/bin/web",), env=env, user=_USER)


def _tools_config(version: str) -> ImageConfig:
    # Waits until told to stop, so that `kubectl exec` has something to go into; a bare sleep would not hear SIGTERM.
    wait = ("/bin/sh", "-c", "trap exit TERM; sleep infinity & wait")
    env = (*ImageConfig().env, f"TOOLS_VERSION={version}", "HOME=/home/course")
    return ImageConfig(cmd=wait, env=env, user=_USER, workdir="/home/course")


def _content_hash(sources: Sequence[Path]) -> str:
    """Changes whenever anything that an image is made of does."""
    digest = hashlib.sha256()
    for path in (*sources, Path(__file__), Path(oci.__file__), Path(debian.__file__)):
        data = path.read_bytes()
        digest.update(f"{path.name} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:16]


def require_arch(machine: str) -> str:
    """Our name (amd64, arm64) of what `uname -m` calls `machine`. Raises LabError for one that the images are not made for."""
    names = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    if machine not in names:
        raise LabError(
            f"The lab images are not made for {machine}",
            why="They are made for amd64 and arm64.",
            fix="Use a machine with a 64-bit Intel, AMD or Arm processor and a 64-bit system.",
        )
    return names[machine]
