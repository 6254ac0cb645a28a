"""Building the course site: MkDocs in a process of its own, then no script is left inside of pages, and everything is kept compressed as well.

What was built for the same text is used again; it lies in the cache and may be deleted.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from courselab import process
from courselab.errors import LabError
from courselab.locks import locked
from courselab.paths import Paths
from courselab.progress import Progress

BUILD_TIMEOUT_S = 180.0
_SOURCES = ("mkdocs.yml", "docs", "labs/*/lab.yaml", "requirements.txt", "src/courselab/site", "src/courselab/course")
_KEPT_SITES = 2
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_TEXT = {".html", ".css", ".js", ".json", ".svg", ".xml", ".txt", ".map"}


def built_site(paths: Paths, progress: Progress) -> Path:
    """The folder of the built site, made if the text has changed since. Raises LabError if it cannot be built."""
    sites = paths.cache / "site"
    sites.mkdir(parents=True, exist_ok=True)
    folder = sites / fingerprint(paths.course)
    if folder.is_dir():
        os.utime(folder)
        return folder
    with locked(sites / ".lock"):
        if not folder.is_dir():
            with progress.stage("Building the course site", eta_s=6):
                _build_into(paths.course, folder)
            _remove_old(sites)
    return folder


def build_site(course: Path, target: Path, *, strict: bool = True) -> None:
    """Build the course at `course` into the folder `target`, which is made or emptied. Raises LabError with MkDocs's own words.

    `strict`: for a warning, too. Who only reads is not kept from it by a page that is in no menu.
    """
    argv = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        *(["--strict"] if strict else []),  # and not --quiet: it hides warnings from --strict too
        "--config-file",
        str(course / "mkdocs.yml"),
        "--site-dir",
        str(target),
    ]
    env = {**os.environ, "LAB_COURSE": str(course), "NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    done = process.run(argv, timeout_s=BUILD_TIMEOUT_S, env=env, cwd=course)
    if done.code != 0:
        lines = [line for line in done.error_text.splitlines() if line.strip()]
        said = next((line for line in lines if line.startswith(("WARNING", "ERROR"))), lines[-1] if lines else "it said nothing")
        raise LabError(
            "The course site could not be built",
            why=re.sub(r"^\w+\s+-\s+", "", said)[:300],
            fix="Mend the text; `lab site build` shows all that MkDocs says with --debug.",
            detail=done.error_text + done.text,
        )
    take_scripts_out(target)


def take_scripts_out(site: Path) -> None:
    """Move scripts that stand inside of pages into files, so that the page works where only scripts of our own origin may run."""
    for page in site.rglob("*.html"):
        text = page.read_bytes()
        up = "../" * (len(page.relative_to(site).parts) - 1)
        if page.name == "404.html":
            up = "/"  # shown in place of any address

        def outside(found: re.Match[bytes], up: str = up) -> bytes:
            name = f"assets/page-{hashlib.sha256(found[1]).hexdigest()[:12]}.js"
            target = site / name
            if not target.exists():
                target.write_bytes(found[1])
            return f'<script src="{up}{name}"></script>'.encode()

        changed = _INLINE_SCRIPT.sub(outside, text)
        if changed != text:
            page.write_bytes(changed)


def fingerprint(course: Path) -> str:
    """A short name for all that the site is made of."""
    digest = hashlib.sha256()
    for path in sorted(_files(course)):
        digest.update(str(path.relative_to(course)).encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _files(course: Path) -> Iterable[Path]:
    for pattern in _SOURCES:
        for found in course.glob(pattern):
            yield from (path for path in found.rglob("*") if path.is_file() and path.suffix != ".pyc") if found.is_dir() else [found]


def _build_into(course: Path, folder: Path) -> None:
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        build_site(course, scratch / "site", strict=False)
        for path in (scratch / "site").rglob("*"):
            if path.suffix == ".gz":
                path.unlink()
            elif path.suffix in _TEXT and path.stat().st_size > 1024:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), 6, mtime=0))
        os.replace(scratch / "site", folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _remove_old(sites: Path) -> None:
    """Keep the newest sites; a `lab serve` that still runs may use the one before."""
    built = sorted(
        (path for path in sites.iterdir() if path.is_dir() and not path.name.startswith(".")), key=lambda path: path.stat().st_mtime
    )
    for path in built[:-_KEPT_SITES]:
        shutil.rmtree(path, ignore_errors=True)
