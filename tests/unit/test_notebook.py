"""`%lab` as somebody types it in a notebook: what is shown, in which forms, and what a wrong line is answered."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from courselab import load_ipython_extension
from courselab.grade.report import Report
from courselab.notebook.magic import lab
from courselab.notebook.result import JSON_TYPE, CheckResult
from tests.unit.site.fake_labs import HOSTILE, report

COURSE = Path(__file__).parents[2]
EVIDENCE = COURSE / "tests" / "evidence" / "03"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LAB_COURSE", raising=False)


class Tags(HTMLParser):
    """Names of the elements and attributes of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names |= {tag, *(name for name, _ in attrs)}


def test_the_extension_makes_the_magic_known() -> None:
    known: dict[str, Any] = {}

    class Shell:
        def register_magic_function(self, func: Any, magic_kind: str, magic_name: str) -> None:
            known[magic_name] = (func, magic_kind)

    load_ipython_extension(Shell())
    assert known == {"lab": (lab, "line_cell")}


def test_a_dollar_and_a_brace_stay_as_they_are_typed() -> None:
    shell = InteractiveShell()
    load_ipython_extension(shell)
    shell.user_ns["LAB_HOST"] = "python's"
    with pytest.raises(UsageError) as refused:
        shell.run_line_magic("lab", "check $LAB_HOST")
    assert "$LAB_HOST" in str(refused.value)


def test_a_check_has_three_forms() -> None:
    result = lab(f"check 03 --evidence {EVIDENCE / 'route.host.json.gz'}")
    assert result
    forms = result._repr_mimebundle_()
    route = next(check for check in forms[JSON_TYPE]["checks"] if check["id"] == "03.route")
    assert route["diagnosis"] == "host-differs"
    for form in ("text/plain", "text/html"):
        assert route["message"] in forms[form]
        assert "2 of 10 points" in forms[form]
    assert "\x1b" not in forms["text/plain"]
    assert (result.passed, result.earned, result.possible) == (False, 2, 10)
    solved = lab(f"check 03 --evidence {EVIDENCE / 'solved.json.gz'}")
    assert solved
    assert solved.passed


def test_hostile_words_run_nothing() -> None:
    hostile: Report = replace(report(), title=HOSTILE, version=HOSTILE, provider=HOSTILE)
    html = CheckResult(hostile)._repr_mimebundle_()["text/html"]
    assert "onerror=alert" in html
    assert Tags(html).names <= {"div", "p", "strong", "small", "code", "br", "table", "tr", "th", "td", "style"}


@pytest.mark.parametrize(
    ("line", "cell", "says"),
    [
        ("check 99", None, "There is no chapter '99'"),
        ("check", None, "No lab is started"),
        ("check --nope", None, "No such option"),
        ("check --watch", None, "type it in a terminal"),
        ("start '", None, "No closing quotation"),
        ("shell", None, "A notebook is no terminal"),
        ("serve", None, "type it in a terminal"),
        ("check", "x", "A cell can be given to"),
        ("shell --nope", "ls", "No such option"),
        ("strat 02", None, "lab strat ended with 2"),
        ("delete 02", None, "lab delete ended with 2"),
    ],
)
def test_a_wrong_line_is_told_without_a_traceback(line: str, cell: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        lab(line, cell)


def test_what_the_command_says_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("list") is None
    assert "Services and Ingress" in capsys.readouterr().out
    assert lab("shell", "ls") is None, "what ran in the lab may fail; the cell goes on"
    shown = capsys.readouterr().out
    assert "No lab is started" in shown
    assert "[ended with 2]" in shown
    assert lab("") is None
    assert "lab start 01" in capsys.readouterr().out
    assert lab("check --help") is None
    assert "--no-wait" in capsys.readouterr().out
