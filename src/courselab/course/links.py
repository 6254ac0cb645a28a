"""Links of a page to other pages and to headings: do they lead somewhere?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from courselab.course.finding import Finding, line_of

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)[^)]*\)|!\[[^\]]*\]\(([^)\s]+)[^)]*\)")
_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?(?: *\{([^}]*)\})? *$", re.MULTILINE)
_OWN_ANCHOR = re.compile(r"\{[^}]*#([\w-]+)|\bid=[\"']([\w-]+)")


def without_code(text: str) -> str:
    """A page's text without its blocks of code."""
    return _FENCE.sub("", text)


def broken_links(path: Path, text: str) -> Iterator[Finding]:
    """Links to files that are not there, and to headings that no page has."""
    prose = without_code(text)
    for target in dict.fromkeys(first or second for first, second in _LINK.findall(prose)):
        if re.match(r"[a-z][a-z0-9+.-]*:|//", target):
            continue
        name, _, anchor = target.partition("#")
        page = (path.parent / name).resolve() if name else path
        if not page.exists():
            yield Finding(path, line_of(text, f"]({target}"), f"links to {name}, which is not there")
        elif anchor and page.suffix == ".md" and anchor not in anchors(page.read_text(encoding="utf-8")):
            yield Finding(path, line_of(text, f"]({target}"), f"links to #{anchor}, and {page.name} has no such heading")


def anchors(text: str) -> set[str]:
    """The anchors of a page: of its headings, as the site makes them, and those that stand there by name."""
    from markdown.extensions.toc import slugify, unique

    prose = without_code(text)
    found = {first or second for first, second in _OWN_ANCHOR.findall(prose)}
    for heading, attributes in _HEADING.findall(prose):
        own = re.search(r"#([\w-]+)", attributes)
        plain = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found.add(own[1] if own else unique(slugify(plain, "-"), found))
    return found
