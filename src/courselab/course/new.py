"""A new chapter: all its files, small and working, to be made into a chapter of one's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from courselab.errors import LabError, UsageError
from courselab.files import write_atomic

_MODE = 0o644  # a course is for everybody to read
_CHAPTER = re.compile(r"^( *)- (\d\d) .*: chapters/\d\d-", re.MULTILINE)


@dataclass(frozen=True)
class NewChapter:
    """What is made."""

    number: str
    slug: str
    title: str

    def fill(self, text: str) -> str:
        """A skeleton's text for this chapter."""
        return text.replace("@NN@", self.number).replace("@SLUG@", self.slug).replace("@TITLE@", self.title)


def make_chapter(course: Path, number: str, slug: str, title: str = "") -> list[Path]:
    """Write the skeleton of a chapter and name it in mkdocs.yml; returns the files that were written or changed.

    Raises UsageError if the number or slug is none, or anything of the chapter is there already: nothing is ever overwritten.
    """
    if not re.fullmatch(r"\d{1,2}", number) or int(number) == 0:
        raise UsageError(f"{number[:40]!r} is not a chapter number", why="It is a number from 1 to 99.", fix="lab new 17 greetings")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug) or len(slug) > 32:
        why = "It has lower-case letters, digits and single dashes, begins with a letter, and is at most 32 long."
        raise UsageError(f"{slug[:40]!r} is not a chapter's short name", why=why, fix="lab new 17 greetings")
    if title and not re.fullmatch(r"[^\x00-\x1f\x7f:#{}\[\]\"'&*!|>%@`]{1,60}", title):
        raise UsageError(
            f"{title[:60]!r} is not a title", why="It is one line of plain words.", fix='lab new 17 greetings --title "Greetings"'
        )
    chapter = NewChapter(number.zfill(2), slug, title.strip() or slug.replace("-", " ").capitalize())
    files = _files(course, chapter)
    taken = [*(course / "labs").glob(f"{chapter.number}-*"), *(path for path in files if path.exists())]
    if taken:
        shown = taken[0].relative_to(course)
        raise UsageError(
            f"There is a chapter {chapter.number} already", why=f"{shown} is there.", fix="Take a number that is free: `lab list`."
        )
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, text.encode(), mode=_MODE)
    except OSError as unwritable:
        why = f"{unwritable.filename or course}: {unwritable.strerror}"
        raise LabError("The chapter could not be written", why=why, fix="Is this folder yours, and is there room?") from unwritable
    return [*files, *_named_on_the_site(course, chapter)]


def _files(course: Path, chapter: NewChapter) -> dict[Path, str]:
    """Path → text of all its files. Unit tests come only where the course has the cluster on paper that they need."""
    lab, nn = course / "labs" / f"{chapter.number}-{chapter.slug}", chapter.number
    tests = course / "tests" / "unit" / "checkers"
    skeletons = {
        lab / "lab.yaml": "lab.yaml",
        lab / "manifests" / "namespace.yaml": "manifest.yaml",
        lab / "work" / "README.txt": "starter",
        lab / "solution" / "greeting.sh": "solution.sh",
        lab / "undo" / "greeting.sh": "undo.sh",
        lab / "mistakes" / "greeting.other-namespace.sh": "mistake.sh",
        course / "checkers" / f"ch{nn}.py": "checker.py",
        course / "docs" / "chapters" / f"{nn}-{chapter.slug}.md": "chapter.md",
    }
    if (tests / "fake_cluster.py").is_file():
        skeletons[tests / f"test_ch{nn}.py"] = "test.py"
    folder = resources.files("courselab.course").joinpath("skeleton")
    return {path: chapter.fill(folder.joinpath(f"{name}.txt").read_text(encoding="utf-8")) for path, name in skeletons.items()}


def _named_on_the_site(course: Path, chapter: NewChapter) -> list[Path]:
    """Put the chapter into mkdocs.yml, in the order of numbers; the rest of the file stays as it is."""
    site = course / "mkdocs.yml"
    text = site.read_text(encoding="utf-8") if site.is_file() else ""
    rows = list(_CHAPTER.finditer(text))
    if not rows:
        return []
    before = [row for row in rows if row[2] < chapter.number]
    row = f"{rows[0][1]}- {chapter.number} {chapter.title}: chapters/{chapter.number}-{chapter.slug}.md\n"
    at = text.index("\n", before[-1].end()) + 1 if before else rows[0].start()
    write_atomic(site, (text[:at] + row + text[at:]).encode(), mode=_MODE)
    return [site]
