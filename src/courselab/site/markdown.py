"""A Python-Markdown extension for the course's pages: task boxes, the panel of a chapter's lab, terms of the glossary.

Named in mkdocs.yml. What it writes is whole without any script: points, hints that unfold one after another, the command to check with.
`lab serve` fills in the reader's values and verdicts (docs/assets/lab.js).
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

from courselab.course.catalog import Catalog
from courselab.course.chapter_text import TASK, examples, lab_of, unfilled
from courselab.course.model import Lab, Task
from courselab.course.params import Params
from courselab.paths import course_root
from courselab.site.glossary import TermMarker, read_glossary

_CHAPTER = re.compile(r"^(\d\d) ")
_BEFORE_INLINE = 30  # Python-Markdown makes inline elements at 20
_LAST = 1


class CoursePages(Extension):
    """The extension as mkdocs.yml configures it: `course` is the folder with labs/, by default this program's own."""

    def __init__(self, **settings: Any) -> None:
        self.config = {"course": [str(course_root()), "folder with labs/ and docs/"]}
        super().__init__(**settings)

    def extendMarkdown(self, md: Markdown) -> None:
        course = Path(self.getConfig("course"))
        source = _Source(md)
        md.preprocessors.register(source, "course_source", 100)
        md.treeprocessors.register(_Boxes(md, source, course), "course_boxes", _BEFORE_INLINE)
        md.treeprocessors.register(_Terms(md, course), "course_terms", _LAST)


def makeExtension(**settings: Any) -> CoursePages:
    """Called by Python-Markdown when the extension is named by its module."""
    return CoursePages(**settings)


class _Source(Preprocessor):
    """Keeps the page's text: its `<var>`s are the examples for its hints."""

    text = ""

    def run(self, lines: list[str]) -> list[str]:
        self.text = "\n".join(lines)
        return lines


class _Boxes(Treeprocessor):
    def __init__(self, md: Markdown, source: _Source, course: Path) -> None:
        super().__init__(md)
        self._md = md
        self._source = source
        self._course = course
        self._inline = Markdown()

    def run(self, root: Element) -> None:
        self._add_panel(root)
        for place, child in enumerate(list(root)):
            if id := _task_id(child):
                root[place] = self._box(child, id)

    def _add_panel(self, root: Element) -> None:
        """An empty place for the reader's lab, below the facts (or the heading) of a chapter that has one."""
        heading = next((child for child in root if child.tag == "h1"), None)
        found = _CHAPTER.match("".join(heading.itertext())) if heading is not None else None
        if heading is None or found is None or found[1] not in Catalog(self._course).chapters():
            return
        facts = next((child for child in root if child.tag == "p" and (child.text or "").startswith("**Time**")), None)
        if facts is not None:
            facts.set("class", "lab-facts")
        after = list(root).index(facts if facts is not None else heading)
        root.insert(
            after + 1, Element("section", {"class": "lab-panel", "data-lab": found[1], "aria-label": "Your lab", "hidden": "hidden"})
        )

    def _box(self, paragraph: Element, id: str) -> Element:
        lab = lab_of(id, self._course)
        task = next(one for one in lab.tasks if one.id == id)
        values = examples(lab, self._source.text)
        name = f"task-{id.replace('.', '-')}"
        box = Element("div", {"class": "lab-task", "id": name, "data-task": id, "role": "group", "aria-labelledby": f"{name}-title"})
        head = SubElement(box, "p", {"class": "lab-task-head", "id": f"{name}-title"})
        points = f"{task.points} point{'s' if task.points > 1 else ''}"
        head.text = self._stash(
            f'<span class="lab-task-id">Task <code>{id}</code></span> '
            f'<span class="lab-task-title">{self._filled(task.title, lab, values)}</span> <span class="lab-points">{points}</span>'
        )
        paragraph.text = TASK.sub("", paragraph.text or "", count=1).lstrip()
        box.append(paragraph)
        SubElement(box, "div", {"class": "lab-task-live", "hidden": "hidden"})
        SubElement(box, "div", {"class": "lab-task-hints"}).text = self._stash(self._hints(task, lab, values))
        check = f'Done? <code>./lab check {lab.chapter}</code> tells. <span class="lab-example">Values in this box are examples; <code>./lab tasks</code> shows yours.</span>'
        SubElement(box, "p", {"class": "lab-task-foot"}).text = self._stash(check)
        return box

    def _stash(self, made: str) -> AtomicString:
        """Finished HTML, kept from being read as Markdown."""
        return AtomicString(self._md.htmlStash.store(made))

    def _hints(self, task: Task, lab: Lab, values: Params) -> str:
        """Each hint holds the next one, so that they open one by one without any script."""
        inner = ""
        for number in range(len(task.hints), 0, -1):
            text = self._filled(task.hints[number - 1].strip(), lab, values)
            label = "Hint" if number == 1 else "Another hint"
            inner = (
                f'<details class="lab-hint" data-hint="{number}"><summary>{label} '
                f'<span class="lab-hint-number">{number} of {len(task.hints)}</span></summary>'
                f'<div class="lab-hint-text">{text}</div>{inner}</details>'
            )
        return inner

    def _filled(self, text: str, lab: Lab, values: Params) -> str:
        """A text of lab.yaml as HTML, its {placeholders} as `<var>`s with the example in them."""
        as_html = self._inline.reset().convert(text)
        as_html = as_html.removeprefix("<p>").removesuffix("</p>") if as_html.count("<p>") == 1 else as_html
        for name in unfilled(text, lab):
            as_html = as_html.replace(f"{{{name}}}", f'<var data-param="{name}">{html.escape(values[name])}</var>')
        return as_html


class _Terms(Treeprocessor):
    """The first use of each glossary term on a page is explained where it stands."""

    def __init__(self, md: Markdown, course: Path) -> None:
        super().__init__(md)
        self._terms = read_glossary(course / "docs" / "glossary.md")

    def run(self, root: Element) -> None:
        heading = next((child for child in root if child.tag == "h1"), None)
        if self._terms and (heading is None or "".join(heading.itertext()) != "Glossary"):
            TermMarker(self._terms).mark(root)


def _task_id(paragraph: Element) -> str:
    """The id, if this paragraph is a task; it begins with **Task `03.route`**."""
    found = TASK.match(paragraph.text or "") if paragraph.tag == "p" else None
    return found[1] if found else ""
