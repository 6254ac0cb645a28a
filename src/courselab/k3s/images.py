"""The course's own images: web in two versions, and tools. Made on the host, kept in the cache, imported into every node of a lab."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from courselab.errors import LabError, UsageError
from courselab.k3s import debian, oci
from courselab.k3s.oci import Entry, File, Folder, ImageConfig, Link
from courselab.k3s.standin.toolchain import go_command
from courselab.k3s.standin.unused import is_old
from courselab.paths import Paths
from courselab.process import run, tied
from courselab.progress import Progress

Fetch = Callable[[Sequence[str], str, Path], debian.Packages]

NAMES = ("course/web:1", "course/web:2", "course/tools:1")

_ETA_S = 25.0
_BUILD_S = 600
_BUSYBOX = "/bin/busybox"
_USER = "1000:1000"
_WEB_PACKAGES = ("busybox-static",)
_TOOLS_PACKAGES = ("busybox-static", "curl", "bind9-dnsutils", "openssl", "netcat-openbsd", "ca-certificates")
# The real programs. dig brings 30 MB of character tables that it never opens (its library for XML links them); a look-alike
# would save them and differ where a learner copies a line from elsewhere.
_TOOLS_PROGRAMS = ("/usr/bin/curl", "/usr/bin/dig", "/usr/bin/host", "/usr/bin/nslookup", "/usr/bin/openssl", "/bin/nc.openbsd")
# Applets that a learner would try in a container; busybox itself knows more.
_APPLETS = """
awk base64 basename cat chmod chown clear cmp cp cut date dd df diff dirname du echo env expr false find free getopt
grep gunzip gzip head hexdump hostname id ifconfig ip kill less ln ls md5sum mkdir mktemp more mount mv nc netstat
nslookup nproc od ping printf ps pwd readlink realpath rm rmdir route sed seq sh sha256sum sleep sort stat strings stty
tail tar tee telnet test time timeout top touch tr traceroute true tty uname uniq uptime vi watch wc wget which whoami
xargs yes
"""


def lab_images(
    paths: Paths,
    names: Sequence[str],
    arch: str,
    progress: Progress,
    *,
    go: Callable[[], Path] | None = None,
    fetch: Fetch = debian.download,
) -> list[Path]:
    """The archives of the images `names` for `arch` (amd64, arm64), in that order; those not in the cache are made.

    `go` finds the Go command, if it is not to be the one that builds the stand-in; it is needed only if something must be built.
    `fetch` gets Debian packages for an architecture, with a scratch folder to unpack them in. Raises UsageError for a name the course does not have, LabError if an image cannot be made.
    """
    for name in names:
        if name not in NAMES:
            raise UsageError(f"The course has no image {name!r}", why=f"It has {', '.join(NAMES)}.", fix="Mend `images:` in lab.yaml.")
    if names and arch not in oci.ARCHITECTURES:
        raise LabError(
            f"The lab images are not made for {arch}",
            why=f"They are made for {' and '.join(oci.ARCHITECTURES)}.",
            fix="Use a computer with a 64-bit Intel, AMD or Arm processor and a 64-bit system.",
        )
    maker = _Maker(paths, arch, go or (lambda: go_command(paths, progress)), fetch)
    archives = [maker.path(name) for name in names]
    for archive in archives:
        with suppress(OSError):  # not made yet, or a cache that belongs to somebody else
            os.utime(archive)
    for kind in sorted({_kind(name) for name, archive in zip(names, archives, strict=True) if not archive.is_file()}):
        with progress.stage("Lab images", f"{kind}, made once", eta_s=_ETA_S):
            maker.make(kind)
            remove_unused(paths.cache / "images", used=archives)
    return archives


def remove_unused(images: Path, used: Sequence[Path]) -> None:
    """Remove images of earlier versions of the course that no lab has used for long. Machines have copies of their own."""
    for folder in images.glob("[!.]*/"):
        archives = list(folder.glob("[!.]*.tar"))
        if archives and all(is_old(archive) and archive not in used for archive in archives):
            shutil.rmtree(folder, ignore_errors=True)


class _Maker:
    """Makes the images for one architecture and keeps them in the cache."""

    def __init__(self, paths: Paths, arch: str, go: Callable[[], Path], fetch: Fetch) -> None:
        self._source = paths.infra / "images"
        self._cache = paths.cache
        self._arch = arch
        self._go = go
        self._fetch = fetch

    def path(self, name: str) -> Path:
        """Where the archive of an image is, or will be; another place as soon as anything it is made of changes."""
        sources = sorted((self._source / _kind(name)).glob("*"))
        return self._cache / "images" / _content_hash(sources) / f"{name.replace('/', '-').replace(':', '-')}-{self._arch}.tar"

    def make(self, kind: str) -> None:
        """Make all images of one kind."""
        images = {name: self.path(name) for name in NAMES if _kind(name) == kind}
        folder = next(iter(images.values())).parent
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
            entries = self._web(Path(scratch)) if kind == "web" else self._tools(Path(scratch))
            for name, path in images.items():
                oci.write_image(path, name, entries, _config(name), arch=self._arch)

    def _web(self, scratch: Path) -> list[Entry]:
        binary = self._build(self._source / "web", scratch / "web")
        packages = self._fetch(_WEB_PACKAGES, self._arch, scratch)
        return [*_base(packages), File("/usr/bin/web", binary, mode=0o755)]

    def _tools(self, scratch: Path) -> list[Entry]:
        packages = self._fetch(_TOOLS_PACKAGES, self._arch, scratch)
        certificates = b"".join(packages.read(path) for path in packages.below("/usr/share/ca-certificates"))
        return [
            *_base(packages),
            *debian.program_files(packages, _TOOLS_PROGRAMS),
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
        argv = [str(self._go()), "build", "-ldflags", "-s -w -buildid=", "-o", str(target), "."]
        run(tied(argv), timeout_s=_BUILD_S, env=env, cwd=source).check(
            "The web application of the labs could not be built",
            fix="Free some disk space in the cache and try again; `--debug` shows the compiler's output.",
        )
        return target


def _base(packages: debian.Packages) -> Iterator[Entry]:
    """A small system: a shell and its commands, users by name, a place for temporary files."""
    yield File("/usr/bin/busybox", packages.read(_BUSYBOX), mode=0o755)
    for applet in _APPLETS.split():
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


def _kind(name: str) -> str:
    """course/web:1 → web."""
    return name.partition("/")[2].partition(":")[0]


def _config(name: str) -> ImageConfig:
    version = name.rpartition(":")[2]
    env = (*ImageConfig().env, "HOME=/home/course")
    if _kind(name) == "web":
        # The version is a setting of the image, not another program: both versions share one layer, which a node stores once.
        return ImageConfig(entrypoint=("/usr/bin/web",), env=(*env, f"WEB_VERSION={version}"), user=_USER)
    # Waits until told to stop, so that `kubectl exec` has something to go into; a bare sleep would not hear SIGTERM.
    wait = ("/bin/sh", "-c", "trap exit TERM; sleep infinity & wait")
    return ImageConfig(cmd=wait, env=env, user=_USER, workdir="/home/course")


def _content_hash(sources: Sequence[Path]) -> str:
    """Changes whenever anything that an image is made of does."""
    digest = hashlib.sha256()
    for path in (*sources, Path(__file__), Path(oci.__file__), Path(debian.__file__)):
        data = path.read_bytes()
        digest.update(f"{path.name} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:16]
