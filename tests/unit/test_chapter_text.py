"""Authors' shorthand for tasks and values: what the site makes of it, and what lint says of slips."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown import Markdown

from courselab.course import Catalog
from courselab.course.chapter_text import problems
from courselab.errors import UsageError
from courselab.site.markdown import CoursePages

PAGE = """\
# 02 Workloads

**When you are through, you can**

- run a shop

**Time** about 30 minutes · **Machines** one · **Before** nothing

## The story

Make a pod for the <var data-param="shop">coffee</var> shop. Every pod is small.

**Task `02.deploy`** Deploy <var data-param="shop">coffee</var> with `kubectl`.

## If it does not work

Look.

## Going further

What else?

## On other machines

**Raspberry Pi.** Nothing differs.
"""
GLOSSARY = "# Glossary\n\npod\n:   The smallest thing\n    that runs.\n\nkubelet\n:   Starts *pods*.\n"


def render(course: Path, text: str) -> str:
    return Markdown(extensions=[CoursePages(course=str(course))]).convert(text)


def test_a_task_becomes_a_box_with_points_and_hints_that_hold_one_another(course: Path) -> None:
    page = render(course, PAGE)
    assert 'data-task="02.deploy"' in page
    assert "2 points" in page
    assert 'Deploy <var data-param="shop">coffee</var>' in page  # the title, with the page's own example
    first, second, third = (page.index(f'data-hint="{number}"') for number in (1, 2, 3))
    assert first < second < third
    assert page.count("</details></details></details>") == 1
    assert 'third <var data-param="shop">coffee</var>' in page
    assert "./lab check 02" in page


def test_the_panel_of_the_lab_stands_below_the_facts(course: Path) -> None:
    page = render(course, PAGE)
    assert page.index("lab-facts") < page.index('data-lab="02"') < page.index("Make a pod")
    assert 'data-lab="' not in render(course, "# Glossary\n\ntext")


def test_a_task_that_is_not_there_stops_the_build(course: Path) -> None:
    with pytest.raises(UsageError, match=r"02\.deplyo is no task"):
        render(course, "**Task `02.deplyo`** x")


def test_the_first_use_of_a_term_is_explained(course: Path) -> None:
    (course / "docs").mkdir()
    (course / "docs" / "glossary.md").write_text(GLOSSARY)
    page = render(course, "# A pod\n\nA pod and a `pod` and two pods. The kubelet.\n\n```\nkubelet\n```\n")
    assert page.count("<abbr") == 2
    assert '<abbr tabindex="0" title="The smallest thing that runs.">pod</abbr> and a <code>pod</code> and two pods.' in page
    assert 'title="Starts pods."' in page


def said(course: Path, text: str) -> list[str]:
    return [problem for problem, _ in problems(Catalog(course).find("02"), text)]


def test_lint_is_content_with_a_page_that_fits(course: Path) -> None:
    assert said(course, PAGE) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("**Task `02.deploy`**", "**Task `02.delpoy`**"), "task 02.delpoy is not in lab.yaml"),
        (("**Task `02.deploy`**", "Task 02.deploy:"), "task 02.deploy is not in the text"),
        (('data-param="shop"', 'data-param="shpo"'), '<var data-param="shpo"> is no parameter'),
        ((">coffee</var> shop", "></var> shop"), "shows no example"),
        (("about 30 minutes", "about 45 minutes"), "the text says 45 minutes, lab.yaml 30"),
        (("Every pod is small.", "\n```console\n$ kubectl get pods -n coffee\n```\n"), "a command holds `coffee`"),
        (("## Going further", "## More"), "there is no part that begins with: ## Going further"),
        (("## The story\n", ""), "there is no part that begins with: ## The story"),
        (("## If it does not work", "## On other machines"), "there is no part that begins with: ## If it does not work"),
        ((" · **Before** nothing", ""), "there is no part that begins with: **Time**"),
        (("**Raspberry Pi.** Nothing differs.", "Nothing differs."), "Raspberry Pi"),
        (
            ("## If it does not work\n\nLook.\n\n## Going further", "## Going further\n\nx\n\n## If it does not work"),
            "## Going further stands too early",
        ),
    ],
)
def test_lint_finds_what_does_not_fit(course: Path, change: tuple[str, str], problem: str) -> None:
    assert any(problem in one for one in said(course, PAGE.replace(*change)))


def test_a_task_named_twice_is_found(course: Path) -> None:
    assert any("is there twice" in one for one in said(course, PAGE + "\n**Task `02.deploy`** again\n"))
