"""`lab new` makes a chapter that lint accepts and whose tests run; `lab lint` names every slip with file and line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from courselab.course.finding import Finding
from courselab.course.links import anchors, broken_links
from courselab.course.lint import lint_files, not_utf8
from courselab.course.load import lint_lab_yaml
from courselab.course.new import make_chapter
from courselab.errors import UsageError
from courselab.grade.lint import lint_checker

COURSE = Path(__file__).parents[2]
SITE = """\
nav:
  - Course: index.md
  - Chapters:
      - 02 Workloads: chapters/02-workloads.md
      - 09 Last: chapters/09-last.md
  - Help:
      - Glossary: glossary.md
"""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A course with one new chapter, 07."""
    (tmp_path / "mkdocs.yml").write_text(SITE)
    make_chapter(tmp_path, "7", "addons", "AddOns and Helm")
    return tmp_path


def lint(course: Path) -> list[Finding]:
    [folder] = (course / "labs").iterdir()
    lab, findings = lint_lab_yaml(folder)
    return findings if lab is None or findings else sorted([*lint_files(lab, course), *lint_checker(lab, course)])


def test_lint_accepts_a_new_chapter(made: Path) -> None:
    assert lint(made) == []
    assert (made / "labs/07-addons/lab.yaml").stat().st_mode & 0o777 == 0o644


def test_it_is_named_on_the_site_in_its_place(made: Path) -> None:
    lines = (made / "mkdocs.yml").read_text().splitlines()
    at = lines.index("      - 07 AddOns and Helm: chapters/07-addons.md")
    assert lines[at - 1 : at + 2 : 2] == ["      - 02 Workloads: chapters/02-workloads.md", "      - 09 Last: chapters/09-last.md"]
    make_chapter(made, "01", "first")
    assert "      - 01 First: chapters/01-first.md\n      - 02 W" in (made / "mkdocs.yml").read_text()
    make_chapter(made, "10", "end")
    assert "chapters/09-last.md\n      - 10 End: chapters/10-end.md\n  - Help" in (made / "mkdocs.yml").read_text()


def test_the_tests_of_a_new_chapter_run(made: Path) -> None:
    """In a copy of the course, as an author has it."""
    (made / "mkdocs.yml").unlink()
    shutil.rmtree(made / "labs")
    shutil.rmtree(made / "checkers")
    shutil.rmtree(made / "docs")
    for name in ("tests/__init__.py", "tests/unit/__init__.py", "tests/unit/checkers/__init__.py", "tests/unit/checkers/fake_cluster.py"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(COURSE / name, made / name)
    paths = make_chapter(made, "07", "addons")
    assert made / "tests/unit/checkers/test_ch07.py" in paths
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/checkers/test_ch07.py"]
    env = {**os.environ, "PYTHONPATH": str(made)}
    done = subprocess.run(argv, cwd=made, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("number", "slug", "title"),
    [("0", "x", ""), ("100", "x", ""), ("x", "x", ""), ("..", "x", ""), ("8", "Bad Slug", ""), ("8", "../x", ""), ("8", "-x", ""),
     ("8", "", ""), ("8", "x" * 33, ""), ("8", "x", "a: b"), ("8", "x", "a\nb"), ("8", "x", "x" * 61)],
)  # fmt: skip
def test_what_is_no_chapter_is_refused_and_writes_nothing(tmp_path: Path, number: str, slug: str, title: str) -> None:
    with pytest.raises(UsageError):
        make_chapter(tmp_path, number, slug, title)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_ever_overwritten(made: Path) -> None:
    before = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    for slug in ("addons", "other"):
        with pytest.raises(UsageError, match="already"):
            make_chapter(made, "07", slug)
    (made / "checkers" / "ch08.py").write_text("mine")
    with pytest.raises(UsageError, match="already"):
        make_chapter(made, "08", "other")
    assert not (made / "labs" / "08-other").exists()
    assert {path: path.read_bytes() for path in before} == before


# Slips ------------------------------------------------------------------------------------------------------------------------

LAB, CHECKER, TEXT = "labs/07-addons/lab.yaml", "checkers/ch07.py", "docs/chapters/07-addons.md"
MISTAKE = "labs/07-addons/mistakes/greeting.other-namespace.sh"
SOLUTION, UNDO = "labs/07-addons/solution/greeting.sh", "labs/07-addons/undo/greeting.sh"
TRY = '\n\nfrom courselab.grade import probe\n\n\n@probe("07.try", effect="disturb", objects=["WHAT"])\ndef tried(lab: Any) -> None: ...\n'
MANIFEST = "labs/07-addons/manifests/namespace.yaml"


def swap(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


def more(line: str) -> Callable[[str], str]:
    return lambda text: text + line


SLIPS: list[tuple[str, Callable[[str], str], str, int, str]] = [
    # file, what is changed, where it is found, in which line (0: of the whole file, -1: where the new text stands), in which words
    (LAB, swap("points: 1", "point: 1"), LAB, 20, "Did you mean `points`?"),
    (LAB, swap("points: 1", "points: 0"), LAB, 20, "at least one point"),
    (LAB, swap("points: 1", "points: ["), LAB, -2, "not valid YAML"),
    (LAB, swap("{word}` under", "{wrod}` under"), LAB, 18, "{wrod} is not a parameter"),
    (LAB, swap("token: 6", "tokens: 6"), LAB, 15, "`tokens` is not a key"),
    (LAB, swap("      - What kind of object keeps short texts for others to read?\n", ""), LAB, 23, "2 hints instead of three"),
    (LAB, swap("- What kind of object keeps short texts for others to read?", '- ""'), LAB, 18, "hint 1 of 07.greeting is empty"),
    (LAB, swap("- What kind of object keeps short texts for others to read?",
               "- 'kubectl create configmap greeting --from-literal=text=\"$LAB_WORD\" --namespace=\"$LAB_NAMESPACE\"'"), LAB, 18, "a line of its solution"),
    (LAB, swap("  word:", "  unused: {token: 4}\n  word:"), LAB, 15, "parameter unused is used nowhere"),
    (LAB, swap("params:", "images: [course/wbe:1]\n\nparams:"), LAB, 13, "no image course/wbe:1"),
    (CHECKER, swap('"07.greeting", reads', '"07.greting", reads'), CHECKER, -1, "check 07.greting has no task"),
    (CHECKER, swap('"07.greeting", "other-key"', '"07.hello", "other-key"'), CHECKER, -1, "diagnosis other-key is of 07.hello"),
    (CHECKER, swap('reads=["ConfigMap"]', 'reads=["ConfigMpa"]'), CHECKER, -1, "did you mean ConfigMap?"),
    (CHECKER, swap('reads=["ConfigMap"]', 'reads=["ConfigMap"], needs=["07.first"]'), CHECKER, -1, "needs 07.first"),
    (CHECKER, swap('reads=["ConfigMap"]', 'reads=["ConfigMap"], probes=["07.try"]'), CHECKER, 12, "reads probe 07.try"),
    (CHECKER, swap("KEY: params.word", "KEY: params.wrod"), CHECKER, -1, "params.wrod is no parameter"),
    (CHECKER, swap("KEY: params.word", 'KEY: params["wrod"]'), CHECKER, -1, 'params["wrod"] is no parameter'),
    (CHECKER, swap("def greeting(cluster: Any, params: Any) -> None:", "def greeting(cluster: Any, param: Any) -> None:\n    params = param"),
     CHECKER, 12, "asks for 'param', which it is not given"),
    (CHECKER, more('\n\ndef later(nodes: Any) -> Any:\n    return nodes["sever"].time\n'), CHECKER, -3, 'nodes["sever"] is no machine'),
    (CHECKER, more('\n\nPATH = "/etc/x"\n\n\ndef later(nodes: Any) -> Any:\n    return nodes["server"].file(PATH).text\n'), CHECKER, -3, "/etc/x is not collected"),
    (CHECKER, more(TRY.replace("WHAT", "ConfigMap")), CHECKER, -3, '"Kind/name" or "Kind/namespace/name"'),
    (CHECKER, more(TRY.replace("WHAT", "ConfigMap/{namepsace}/greeting")), CHECKER, -3, "{namepsace} is not a parameter"),
    (CHECKER, more("\nimport nothing_of_this_name\n"), CHECKER, -3, "nothing_of_this_name"),
    (CHECKER, more("\ndef broken(:\n"), CHECKER, -3, "invalid syntax"),
    (SOLUTION, swap("# on: server", "# on: servre"), SOLUTION, 1, "is not a machine"),
    (SOLUTION, swap("$LAB_WORD", "$LAB_WROD"), SOLUTION, 3, "$LAB_WROD is no parameter"),
    (UNDO, lambda text: "# on: server\n# user: student\n", UNDO, 0, "does nothing"),
    (MISTAKE, swap("# verdict: fail", "# verdict: fails"), MISTAKE, 1, "a mistake says"),
    (MISTAKE, swap("# diagnosis: other-namespace", "# diagnosis: other-namespaces"), MISTAKE, 5, "did you mean other-namespace?"),
    (MISTAKE, swap("# task: 07.greeting", "# task: 07.hello"), MISTAKE, 3, "says task 07.hello"),
    (MANIFEST, swap("{namespace}", "{namepsace}"), MANIFEST, 5, "{namepsace} is not a parameter"),
    (MANIFEST, swap("kind: Namespace", "kind: [Namespace"), MANIFEST, -2, "is not valid YAML"),
    (MANIFEST, more("at: 2026-02-30\n"), MANIFEST, 0, "is not valid YAML"),
    (MANIFEST, swap("kind: Namespace\n", ""), MANIFEST, 0, "lacks apiVersion, kind or metadata"),
    (MANIFEST, more("---\napiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: x, image: course/web:1}]}\n"), MANIFEST, 10,
     "course/web:1 is not among the images"),
    (TEXT, swap("**Task `07.greeting`**", "**Task `07.greting`**"), TEXT, -1, "task 07.greting is not in lab.yaml"),
    (TEXT, swap("**Task `07.greeting`**", "Task greeting:"), TEXT, 0, "task 07.greeting is not in the text"),
    (TEXT, swap('data-param="word"', 'data-param="wrod"'), TEXT, -1, "is no parameter of lab.yaml"),
    (TEXT, swap("--namespace=$LAB_NAMESPACE", "--namespace=bakery"), TEXT, -1, "a command holds `bakery`"),
    (TEXT, swap("--namespace=$LAB_NAMESPACE", "--namespace=$LAB_NAMEPSACE"), TEXT, -1, "$LAB_NAMEPSACE is no parameter"),
    (TEXT, swap("about 30 minutes", "about 40 minutes"), TEXT, 9, "the text says 40 minutes, lab.yaml 30"),
    (TEXT, swap("# 07 AddOns", "# 08 AddOns"), TEXT, 1, "begins with its heading and number"),
    (TEXT, swap("Nothing differs.", "See [there](08-nothing.md)."), TEXT, -1, "links to 08-nothing.md, which is not there"),
    (TEXT, swap("Nothing differs.", "See [there](#no-such-heading)."), TEXT, -1, "links to #no-such-heading"),
    ("mkdocs.yml", swap("      - 07 AddOns and Helm: chapters/07-addons.md\n", ""), "mkdocs.yml", 0, "nav does not name chapters/07-addons.md"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "change", "found_in", "line", "says"), SLIPS, ids=[f"{one[0].rpartition('/')[2]}: {one[4]}" for one in SLIPS]
)
def test_a_slip_is_found_where_it_stands(
    made: Path, changed: str, change: Callable[[str], str], found_in: str, line: int, says: str
) -> None:
    before = (made / changed).read_text()
    after = change(before)
    (made / changed).write_text(after)
    fitting = [one for one in lint(made) if says in one.what]
    assert fitting, lint(made)
    assert fitting[0].path == made / found_in
    if line >= 0:
        assert fitting[0].line == line
    else:
        new = [number for number, text in enumerate(after.splitlines(), start=1) if text not in before.splitlines()]
        assert any(fitting[0].line in range(number, number - line) for number in new) or fitting[0].line in new
    assert re.fullmatch(r"[\w./-]+(:\d+)?: .+", fitting[0].shown(made))


@pytest.mark.parametrize("gone", [CHECKER, SOLUTION, UNDO, TEXT])
def test_what_is_missing_is_named(made: Path, gone: str) -> None:
    (made / gone).unlink()
    assert any("is missing" in one.what or "nothing for 07.greeting" in one.what for one in lint(made))


def test_a_file_that_is_no_script_is_named(made: Path) -> None:
    (made / "labs/07-addons/mistakes/notes.txt").write_text("x")
    (made / "labs/07-addons/mistakes/greeting.sh").write_text("# on: server\n# verdict: fail\ntrue\n")
    said = " ".join(one.what for one in lint(made))
    assert "is no script" in said
    assert "needs a name of its own" in said


def test_all_that_is_wrong_with_lab_yaml_is_said_at_once(made: Path) -> None:
    path = made / LAB
    path.write_text(path.read_text().replace("points: 1", "points: 0").replace("{word}` under", "{wrod}` under"))
    assert len(lint(made)) == 2


def test_links_and_anchors(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = "# A page\n\n## What `kubectl get` says\n\n## Own {#mine}\n\n<a id='there'></a>\n\n```\n[no](link.md)\n```\n"
    text += "[1](#what-kubectl-get-says) [2](#mine) [3](#there) [4](https://x.example/#y) [5](other.md#top) [6](mailto:a@b)\n"
    page.write_text(text)
    (tmp_path / "other.md").write_text("# Top\n")
    assert anchors(text) == {"a-page", "what-kubectl-get-says", "mine", "there"}
    assert list(broken_links(page, text)) == []
    assert [one.what for one in broken_links(page, text + "[7](other.md#bottom)")] == ["links to #bottom, and other.md has no such heading"]


def test_the_verb(made: Path, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "LAB_COURSE": str(made), "LAB_HOME": str(tmp_path / "home")}
        return subprocess.run([sys.executable, "-m", "courselab", *words], env=env, capture_output=True, text=True, timeout=60, check=False)

    assert run("lint").stdout == "1 lab, 0 findings.\n"
    made_now = run("new", "8", "storage")
    assert made_now.returncode == 0
    assert "labs/08-storage/lab.yaml" in made_now.stdout
    assert run("new", "8", "storage").returncode == 2
    (made / "labs/08-storage/lab.yaml").write_text("schema: 1\nchapter: 8\n")
    found = run("lint", "8")
    assert found.returncode == 1
    assert found.stdout.startswith("labs/08-storage/lab.yaml:2: ")
    assert json.loads(run("lint", "--json").stdout)["findings"][0]["line"] == 2
    assert run("lint", "55").returncode == 2
    undo = made / "labs/07-addons/undo/greeting.sh"
    undo.write_bytes(b"# f\xfcr\n")
    assert run("lint", "7").stdout.startswith("labs/07-addons/undo/greeting.sh:1: is not UTF-8")


def test_what_editors_of_windows_write_is_read_or_named(made: Path) -> None:
    checker = made / "checkers/ch07.py"
    checker.write_bytes(b"\xef\xbb\xbf" + checker.read_bytes())
    assert lint(made) == []
    undo = made / "labs/07-addons/undo/greeting.sh"
    undo.write_bytes(undo.read_bytes() + "# für später\n".encode("cp1252"))
    lab, _ = lint_lab_yaml(made / "labs/07-addons")
    assert lab
    assert not_utf8(lab, made) == [Finding(undo, undo.read_bytes().count(b"\n"), "is not UTF-8")]
