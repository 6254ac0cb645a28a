"""What README and the pages beside the chapters say, where a test can tell whether it is so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from courselab.course import Catalog
from courselab.course.links import broken_links
from courselab.grade.report import Report, Result
from courselab.grade.verdict import VerdictName

COURSE = Path(__file__).parents[2]
PAGES = [COURSE / "README.md", COURSE / "CONTRIBUTING.md", *sorted(COURSE.glob("docs/**/*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(COURSE)))
def test_links_lead_somewhere(path: Path) -> None:
    assert not list(broken_links(path, path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(("page", "folder"), [("README.md", "docs/chapters"), ("docs/index.md", "chapters")])
def test_every_chapter_is_in_the_lists_that_readers_begin_with(page: str, folder: str) -> None:
    text = (COURSE / page).read_text(encoding="utf-8")
    for lab in Catalog(COURSE).all():
        assert f"{lab.title}]({folder}/{lab.folder.name}.md)" in text


def test_the_report_is_described_as_it_is() -> None:
    document = Report("02", "", "", "", "", "", 0, (Result("02.a", "", VerdictName.PASS, 1, 1),)).to_json()
    page = (COURSE / "docs/internals/evidence.md").read_text(encoding="utf-8")
    tables = page.partition("## The report\n")[2].partition("\n## ")[0].split("| key of a check |")
    for table, keys in zip(tables, (document, document["checks"][0]), strict=True):
        rows = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
        assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(keys)


def test_the_tests_that_conformance_names_are_there() -> None:
    head, _, kept = (COURSE / "infra/standin/CONFORMANCE.md").read_text(encoding="utf-8").partition("## Kept\n")
    files: dict[str, str] = {}
    for names, pattern in re.findall(r"((?:`\w+`(?:, | and )?)+) (?:is|are) `(tests/[\w/*.]+)`", head):
        files |= {name: pattern.replace("*", name) for name in re.findall(r"\w+", names.replace(" and ", " "))}
    assert [file for file in files.values() if not (COURSE / file).is_file()] == []
    for row in kept.partition("\n## ")[0].splitlines()[2:]:
        named = row.rstrip(" |").rpartition("|")[2]
        assert set(re.findall(r"[a-z]+", re.sub(r"`.*?`|\(.*?\)|\band\b", "", named))) <= set(files), row


def test_scripts_keep_their_line_ends_where_git_is_told_to_change_them(tmp_path: Path) -> None:
    """Git for Windows is; a machine cannot run what it makes of them."""
    (tmp_path / ".gitattributes").write_bytes((COURSE / ".gitattributes").read_bytes())
    for name in ("lab.cmd", "setup.sh", "lab"):
        (tmp_path / name).write_bytes(b"one\ntwo\n")
    git = [
        "git",
        "-c",
        "core.autocrlf=true",
        "-c",
        "core.eol=crlf",
        "-c",
        "core.safecrlf=false",
        "-c",
        "user.name=me",
        "-c",
        "user.email=me@example.org",
    ]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"], ["rm", "--quiet", "lab.cmd", "setup.sh", "lab"],
                  ["checkout", "HEAD", "--", "."]):  # fmt: skip
        subprocess.run([*git, *words], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    found = {name: b"\r" in (tmp_path / name).read_bytes() for name in ("lab.cmd", "setup.sh", "lab")}
    assert found == {"lab.cmd": True, "setup.sh": False, "lab": False}
