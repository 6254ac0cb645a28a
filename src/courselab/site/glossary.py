"""The glossary: docs/glossary.md is its only source; on other pages the first use of each term carries the explanation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

# A definition list of Markdown: the term on a line, then ":   " and what it means.
_ENTRY = re.compile(r"^(?!#)(\S[^\n]*)\n+:[ \t]+((?:.+\n?)(?:[ \t]+\S.*\n?)*)", re.MULTILINE)
_INSIDE = {"p", "li", "td", "dd"}
_NEVER_INSIDE = {"a", "code", "pre", "h1", "h2", "h3", "h4", "strong", "abbr", "th", "summary", "button"}
_SKIPPED_CLASSES = {"lab-facts", "lab-task-head", "lab-hero"}


def read_glossary(path: Path) -> dict[str, str]:
    """Term → its explanation as plain text. A term may have other spellings behind a comma. Empty if there is no glossary."""
    if not path.is_file():
        return {}
    terms: dict[str, str] = {}
    for names, meaning in _ENTRY.findall(path.read_text(encoding="utf-8")):
        plain = _plain(meaning)
        for name in names.split(","):
            terms[name.strip()] = plain
    return terms


class TermMarker:
    """Wraps the first use of each term on one page in `<abbr title=…>`, outside of code, links and headings."""

    def __init__(self, terms: Mapping[str, str]) -> None:
        self._terms = terms
        words = sorted((re.escape(term) for term in terms), key=len, reverse=True)
        self._find = re.compile(rf"(?<![\w`/.-])({'|'.join(words)})(s?)(?![\w`/-])")
        self._seen: set[str] = set()

    def mark(self, root: Element) -> None:
        """Change the page's tree in place."""
        for child in root:
            if child.tag in _INSIDE and not _SKIPPED_CLASSES & set((child.get("class") or "").split()):
                self._inside(child)
            elif child.tag not in _NEVER_INSIDE:
                self.mark(child)

    def _inside(self, element: Element) -> None:
        place = self._text(element, element.text, 0)
        while place < len(element):
            child = element[place]
            if child.tag not in _NEVER_INSIDE:
                self._inside(child)
            place = self._text(element, child.tail, place + 1, before=child)

    def _text(self, parent: Element, text: str | None, place: int, *, before: Element | None = None) -> int:
        """Mark the terms of one run of text that stands before the child number `place`; returns the next child to look at."""
        left = text or ""
        while found := next((hit for hit in self._find.finditer(left) if self._meaning(hit[1]) not in self._seen), None):
            self._seen.add(self._meaning(found[1]))
            abbr = Element("abbr", {"title": self._terms[found[1]], "tabindex": "0"})
            abbr.text = found[0]
            _set_text(parent, before, left[: found.start()])
            parent.insert(place, abbr)
            left = left[found.end() :]
            abbr.tail = left
            before, place = abbr, place + 1
        return place

    def _meaning(self, term: str) -> str:
        return self._terms[term]


def _set_text(parent: Element, before: Element | None, text: str) -> None:
    if before is None:
        parent.text = text
    else:
        before.tail = text


def _plain(markdown: str) -> str:
    """An explanation without Markdown's marks, in one line."""
    one_line = " ".join(markdown.split())
    return re.sub(r"[*`]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", one_line))
