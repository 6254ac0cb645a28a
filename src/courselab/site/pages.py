"""The files of the built site, by the address at which they are served. Nothing else on the disk has an address."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

# What has a hash in its name never changes under that name.
_HASHED = re.compile(r"[.-][0-9a-f]{8,}(\.min)?\.\w+$")
_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml", ".json": "application/json", ".html": "text/html", ".xml": "text/xml"}


@dataclass(frozen=True)
class Page:
    """One file: where it is, and how it is sent."""

    path: Path
    type: str
    tag: str
    lasting: bool  # may be kept for ever
    compressed: bool  # a .gz lies beside it

    def read(self, *, compressed: bool) -> bytes:
        """Its content. Raises OSError if the site was removed meanwhile."""
        return (self.path.with_name(self.path.name + ".gz") if compressed else self.path).read_bytes()


class Pages:
    """Looks addresses up. They are compared, never turned into paths, so no address leads out of the site."""

    def __init__(self, site: Path) -> None:
        self._pages = {
            f"/{path.relative_to(site).as_posix()}": _page(path) for path in site.rglob("*") if path.is_file() and path.suffix != ".gz"
        }

    def find(self, address: str) -> Page | None:
        """The file at an address ("/chapters/03-services/"), or None."""
        if address.endswith("/"):
            address += "index.html"
        return self._pages.get(address)

    def moved(self, address: str) -> bool:
        """Whether the address only lacks its last slash."""
        return not address.endswith("/") and f"{address}/index.html" in self._pages

    @property
    def missing(self) -> Page | None:
        """What is shown where there is nothing."""
        return self._pages.get("/404.html")


def _page(path: Path) -> Page:
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind in ("application/json", "image/svg+xml"):
        kind += "; charset=utf-8"
    tag = f'"{hashlib.sha256(path.read_bytes()).hexdigest()[:20]}"'
    return Page(path, kind, tag, bool(_HASHED.search(path.name)), path.with_name(path.name + ".gz").is_file())
