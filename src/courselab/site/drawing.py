"""The picture of a lab as SVG: three columns, ways in, Services, machines with their pods; colours and fonts are lab.css's."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from courselab.site.picture import BROKEN, BUSY, GONE, OTHER, WELL, Picture, Thing

WIDTH = 720  # as wide as the text of a page beside its two menus
_COLUMN = 184
_GAP = 38
_PAD = 12
_BETWEEN = 12
_TITLE = 17
_LINE = 14
_NOTE_PX = 6.7  # a character of lab.css's letters, in a wide font
_NAME_PX = 8.4
_REASON_PX = 7.5
_POD_WIDTH = 220
_MOST_REASON_LINES = 6
_MARKS = {WELL: "✓", BUSY: "…", BROKEN: "✗", GONE: "✗", OTHER: "!"}


@dataclass
class _Placed:
    """A box with its place."""

    thing: Thing
    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> tuple[float, float]:
        return self.x, self.y + min(self.height / 2, 24)

    @property
    def right(self) -> tuple[float, float]:
        return self.x + self.width, self.y + min(self.height / 2, 24)


@dataclass
class _Sheet:
    parts: list[str] = field(default_factory=list[str])
    boxes: dict[str, _Placed] = field(default_factory=dict[str, _Placed])

    def box(self, thing: Thing, x: float, y: float, width: float, *, css: str = "", height: float = 0) -> _Placed:
        """Draw a box, as high as its text needs or as it is told."""
        lines = list(_lines(thing, width))
        placed = _Placed(thing, x, y, width, height or _height(lines))
        self.boxes[thing.key] = placed
        label = f"{thing.kind} {thing.name}{': ' + thing.reason if thing.reason else ''}"
        self.parts.append(
            f'<g class="pic-box pic-{thing.state} {css}"><title>{escape(label)}</title>'
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{placed.height:g}" rx="7"/>'
            f'<text class="pic-mark" x="{x + width - 18:g}" y="{y + 19:g}">{_MARKS[thing.state]}</text>'
            f'<text class="pic-kind" x="{x + _PAD:g}" y="{y + 16:g}">{escape(thing.kind)}</text>'
        )
        down = y + 16 + _TITLE
        self.parts.append(
            f'<text class="pic-name" x="{x + _PAD:g}" y="{down:g}">{escape(_short(thing.name, width - 2 * _PAD, _NAME_PX))}</text>'
        )
        for css_class, line in lines:
            down += _LINE
            self.parts.append(f'<text class="{css_class}" x="{x + _PAD:g}" y="{down:g}">{escape(line)}</text>')
        self.parts.append("</g>")
        return placed

    def caption(self, x: float, words: str) -> None:
        self.parts.append(f'<text class="pic-caption" x="{x:g}" y="14">{escape(words)}</text>')


def draw(picture: Picture) -> str:
    """The whole SVG element; "" if there is nothing to draw."""
    if not picture.things:
        return ""
    sheet = _Sheet()
    x, bottom = 0.0, 0.0
    for caption, things in (("From outside", picture.ways_in), ("Services", picture.services)):
        if things:
            sheet.caption(x, caption)
            bottom = max(bottom, _column(sheet, things, x))
            x += _COLUMN + _GAP
    sheet.caption(x, "Machines and pods")
    bottom = max(bottom, _hosts(sheet, picture, x))
    arrows = list(_arrows(sheet, picture))
    height = bottom + 4
    return (
        f'<svg class="pic" xmlns="http://www.w3.org/2000/svg" viewBox="-1 0 {WIDTH + 2} {height:g}" role="img" aria-label="Picture of your lab. '
        f'The same is told in words below it." focusable="false">{_MARKERS}{"".join(sheet.parts)}{"".join(arrows)}</svg>'
    )


_MARKERS = (
    '<defs><marker id="pic-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="pic-head" d="M0 0L8 4L0 8z"/></marker>'
    '<marker id="pic-arrow-broken" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="pic-head-broken" d="M0 0L8 4L0 8z"/></marker></defs>'
)


def _column(sheet: _Sheet, things: Sequence[Thing], x: float) -> float:
    y = 26.0
    for thing in things:
        y += sheet.box(thing, x, y, _COLUMN).height + _BETWEEN
    return y


def _hosts(sheet: _Sheet, picture: Picture, x: float) -> float:
    width = WIDTH - x
    y = 26.0
    for host in picture.hosts:
        head = _height(list(_lines(host.thing, width)))
        across = max(1, int((width - _PAD) // (_POD_WIDTH + _BETWEEN)))
        pod_width = (width - _PAD * 2 - _BETWEEN * (across - 1)) / across
        rows = [host.pods[place : place + across] for place in range(0, len(host.pods), across)]
        heights = [max(_height(list(_lines(pod, pod_width))) for pod in row) for row in rows]
        inside = sum(heights) + _BETWEEN * len(rows) + (_LINE + 4 if host.more else 0)
        sheet.box(host.thing, x, y, width, css="pic-host", height=head + inside)
        down = y + head
        for row, high in zip(rows, heights, strict=True):
            for place, pod in enumerate(row):
                sheet.box(pod, x + _PAD + place * (pod_width + _BETWEEN), down, pod_width, css="pic-pod", height=high)
            down += high + _BETWEEN
        if host.more:
            sheet.parts.append(
                f'<text class="pic-note" x="{x + _PAD:g}" y="{down + 8:g}">and {host.more} more pod{"" if host.more == 1 else "s"}</text>'
            )
        y += head + inside + _BETWEEN
    return y


def _arrows(sheet: _Sheet, picture: Picture) -> Iterator[str]:
    for arrow in picture.arrows:
        start, end = sheet.boxes.get(arrow.start), sheet.boxes.get(arrow.end)
        if start and end:
            (x1, y1), (x2, y2) = start.right, end.left
            bend = max(18.0, (x2 - x1) / 2)
            css, marker = ("pic-way pic-way-broken", "pic-arrow-broken") if arrow.broken else ("pic-way", "pic-arrow")
            yield (
                f'<path class="{css}" d="M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}" '
                f'marker-end="url(#{marker})"/>'
            )


def _lines(thing: Thing, width: float) -> Iterator[tuple[str, str]]:
    """What stands below a box's name: notes, then the reason, wrapped."""
    room = width - 2 * _PAD
    for note in thing.notes:
        yield "pic-note", _short(note, room)
    reason = textwrap.wrap(thing.reason, max(12, int(room / _REASON_PX)))
    if len(reason) > _MOST_REASON_LINES:
        reason = [*reason[: _MOST_REASON_LINES - 1], f"{reason[_MOST_REASON_LINES - 1]} …"]
    for line in reason:
        yield "pic-reason", line


def _height(lines: list[tuple[str, str]]) -> float:
    return 16 + _TITLE + _LINE * len(lines) + 10


def _short(words: str, room: float, pixels: float = _NOTE_PX) -> str:
    most = max(6, int(room / pixels))
    return words if len(words) <= most else f"{words[: most // 2]}…{words[len(words) - (most - most // 2 - 1) :]}"
