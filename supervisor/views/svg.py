"""A drawing as one self-contained SVG: no script, no font, no link; light or dark as the page is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape as escape_xml

from .drawing import Box, Cell, Drawing, Status
from .layout import Layout, Point, lay_out

PAD = 14.0
MARGIN = 24.0
TITLE, TEXT, SMALL = 14.0, 12.0, 11.0
"""Font sizes in pixels."""
NARROWEST, WIDEST = 132.0, 250.0
"""Widths of a box in pixels; longer texts are cut and stand in full in the tooltip."""
CELL = 14.0
PER_ROW = 12
MOST_CELLS = 36

SIGNS: dict[Status, str] = {
    "planned": "",
    "running": '<path d="M-2.6-4.2 4.2 0-2.6 4.2z" class="f"/>',
    "done": '<path d="M-4 .3-1.2 3.2 4.2-3" class="l"/>',
    "failed": '<path d="M-3.2-3.2 3.2 3.2M3.2-3.2-3.2 3.2" class="l"/>',
    "waiting": '<path d="M-2-3.4V3.4M2-3.4V3.4" class="l"/>',
    "skipped": '<path d="M-3.6 0H3.6" class="l"/>',
}
"""Drawn, not written: no font is sure to have them."""

STYLE = """
:root{--bg:#ffffff;--box:#ffffff;--group:#f6f8fa;--line:#8c959f;--text:#1f2328;--dim:#59636e;--sign:#ffffff;
--planned:#8c959f;--running:#0969da;--done:#1a7f37;--failed:#cf222e;--waiting:#9a6700;--skipped:#6e7781}
@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--box:#161b22;--group:#11161d;--line:#6e7681;--text:#e6edf3;
--dim:#9198a1;--sign:#0d1117;--planned:#6e7681;--running:#58a6ff;--done:#3fb950;--failed:#ff7b72;--waiting:#d29922;
--skipped:#8b949e}}
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--text)}
.t{font-size:14px;font-weight:600}.s{font-size:12px;fill:var(--dim)}.n{font-size:11px;fill:var(--dim)}
.b{fill:var(--box);stroke:var(--line)}.g{fill:var(--group);stroke:var(--line)}
.e{fill:none;stroke:var(--line);stroke-width:1.5}.condition{stroke-dasharray:6 4}.order{stroke-dasharray:2 4}
.f{fill:var(--sign)}.l{fill:none;stroke:var(--sign);stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
.c{fill:var(--c);stroke:var(--c)}.o{stroke:var(--c);stroke-width:1.6}.planned>.c,.planned>g>.c{fill:var(--box)}
.planned>.o,.skipped>.o{stroke-dasharray:5 4}
.planned{--c:var(--planned)}.running{--c:var(--running)}.done{--c:var(--done)}.failed{--c:var(--failed)}
.waiting{--c:var(--waiting)}.skipped{--c:var(--skipped)}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sized:
    """A box with its size and what is inside it laid out."""

    box: Box
    width: float
    height: float
    header: float
    lines: tuple[tuple[str, str], ...]
    """Class and text of each line below the title, cut to fit."""
    inside: _Scene | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """A drawing laid out."""

    drawing: Drawing
    sized: dict[str, _Sized]
    layout: Layout


def svg(drawing: Drawing) -> str:
    """The drawing as SVG 1.1 text; whatever its words say, they are shown and not read."""
    scene = _scene(drawing)
    width, height = scene.layout.width + 2 * MARGIN, scene.layout.height + 2 * MARGIN
    told = ", ".join(f"{box.title}: {box.status or box.subtitle}" for box in drawing.boxes)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        'style="max-width:100%;height:auto" aria-labelledby="title desc">',
        f'<title id="title">{escape(drawing.title)}</title><desc id="desc">{escape(told)}</desc>',
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 .5 8 4 0 7.5z" style="fill:var(--line)"/></marker></defs>',
        '<rect width="100%" height="100%" style="fill:var(--bg)"/>',
        *_drawn(scene, MARGIN, MARGIN),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _scene(drawing: Drawing) -> _Scene:
    sized = {box.key: _size(box) for box in drawing.boxes}
    sizes = {key: (one.width, one.height) for key, one in sized.items()}
    edges = list(dict.fromkeys((edge.source, edge.target) for edge in drawing.edges))
    return _Scene(drawing=drawing, sized=sized, layout=lay_out(sizes, edges))


def _size(box: Box) -> _Sized:
    indent = 26 if box.status else 0
    texts = [(box.title, TITLE), (box.subtitle, TEXT), *((note, SMALL) for note in box.notes)]
    wanted = max(_width(text, size) + (indent if size == TITLE else 0) for text, size in texts) + 2 * PAD
    wanted += PAD if box.pill else 0
    rows = -(-min(len(box.cells), MOST_CELLS) // PER_ROW)
    cells = min(len(box.cells), PER_ROW) * CELL + 2 * PAD
    width = max(NARROWEST if not box.pill else 84.0, min(WIDEST, wanted), cells)
    scene = None if box.inside is None else _scene(box.inside)
    width = max(width, 0.0 if scene is None else scene.layout.width + 2 * PAD)
    lines = [("s", text) for text in _wrapped(box.subtitle, width - 2 * PAD)]
    lines += [("n", _cut(note, SMALL, width - 2 * PAD)) for note in box.notes]
    header = 20 + 16 * len(lines) + 2 * (PAD - 4) + (rows * CELL + 6 if rows else 0)
    header += 14 if len(box.cells) > MOST_CELLS else 0
    height = header if scene is None else header + scene.layout.height + PAD
    return _Sized(box=box, width=width, height=height, header=header, lines=tuple(lines), inside=scene)


def _drawn(scene: _Scene, left: float, top: float) -> Iterator[str]:
    for edge in scene.drawing.edges:
        points = scene.layout.lines.get((edge.source, edge.target))
        if points is not None:
            moved = [(x + left, y + top) for x, y in points]
            label = f"<title>{escape(edge.label)}</title>" if edge.label else ""
            path = _curve(moved, down=scene.layout.down)
            yield f'<path class="e {edge.kind}" d="{path}" marker-end="url(#tip)">{label}</path>'
    for key, (x, y) in scene.layout.corners.items():
        yield from _box(scene.sized[key], x + left, y + top)


def _curve(points: Sequence[Point], *, down: bool) -> str:
    """Curved, straight, curved, in turn; a curve leaves and arrives along the direction of the layers."""
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for i, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        if i % 2:
            parts.append(f"L{x1:.1f} {y1:.1f}")
        elif down:
            half = (y0 + y1) / 2
            parts.append(f"C{x0:.1f} {half:.1f} {x1:.1f} {half:.1f} {x1:.1f} {y1:.1f}")
        else:
            half = (x0 + x1) / 2
            parts.append(f"C{half:.1f} {y0:.1f} {half:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
    return "".join(parts)


def _box(sized: _Sized, x: float, y: float) -> Iterator[str]:
    box, status = sized.box, sized.box.status
    tip = " \N{EM DASH} ".join(text for text in (box.title, box.subtitle, *box.notes) if text)
    radius = sized.height / 2 if box.pill else 8
    shape = "b" if box.inside is None else "g"
    yield f'<g class="{status or "plain"}" transform="translate({x:.1f} {y:.1f})"><title>{escape(tip)}</title>'
    yield (
        f'<rect class="{shape}{" o" if status else ""}" width="{sized.width:.1f}" height="{sized.height:.1f}" '
        f'rx="{radius:.1f}"/>'
    )
    room, at = sized.width - 2 * PAD, PAD
    if status:
        yield f'<g transform="translate({PAD + 8:.1f} {PAD + 6:.1f})"><circle r="8" class="c"/>{SIGNS[status]}</g>'
        at, room = PAD + 26, room - 26
    yield f'<text class="t" x="{at:.1f}" y="{PAD + 11:.1f}">{escape(_cut(box.title, TITLE, room))}</text>'
    line = PAD + 12
    for kind, text in sized.lines:
        line += 16
        yield f'<text class="{kind}" x="{PAD:.1f}" y="{line:.1f}">{escape(text)}</text>'
    yield from _cells(box.cells, line + 10)
    if sized.inside is not None:
        slack = (sized.width - 2 * PAD - sized.inside.layout.width) / 2
        yield from _drawn(sized.inside, PAD + slack, sized.header)
    yield "</g>"


def _cells(cells: Sequence[Cell], top: float) -> Iterator[str]:
    for i, cell in enumerate(cells[:MOST_CELLS]):
        x, y = PAD + (i % PER_ROW) * CELL + CELL / 2 - 1, top + (i // PER_ROW) * CELL + CELL / 2
        half = CELL / 2 - 1.5
        yield (
            f'<g class="{cell.status}" transform="translate({x:.1f} {y:.1f})">'
            f"<title>{escape(f'{cell.name}: {cell.status}')}</title>"
            f'<rect class="c" x="{-half}" y="{-half}" width="{2 * half}" height="{2 * half}" rx="2"/>'
            f'<g transform="scale(.8)">{SIGNS[cell.status]}</g></g>'
        )
    if len(cells) > MOST_CELLS:
        y = top + (MOST_CELLS // PER_ROW) * CELL + 12
        yield f'<text class="n" x="{PAD:.1f}" y="{y:.1f}">and {len(cells) - MOST_CELLS} more</text>'


_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")
"""What XML 1.0 does not allow, and what would turn the reading direction around."""


def escape(text: str) -> str:
    """Text as XML shows it; what XML cannot hold becomes U+FFFD.

    Example:
        >>> escape('a<b> & "c"')
        'a&lt;b&gt; &amp; &quot;c&quot;'
    """
    return escape_xml(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text), {'"': "&quot;", "'": "&#39;"})


def _width(text: str, size: float) -> float:
    """About how wide a text is, in pixels, generously: no font is asked."""
    return size * sum(_em(char) for char in text)


def _em(char: str) -> float:
    if unicodedata.combining(char):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 1.05
    if char in "iljtfrI.,:;'|!()[] ":
        return 0.38
    return 0.92 if char in "mwMW@%" else 0.72 if char.isupper() else 0.61


def _wrapped(text: str, room: float) -> list[str]:
    """The text over at most two lines, broken at a space."""
    words = text.split()
    first = words[:1]
    while len(first) < len(words) and _width(" ".join(words[: len(first) + 1]), TEXT) <= room:
        first = words[: len(first) + 1]
    lines = (" ".join(first), " ".join(words[len(first) :]))
    return [_cut(line, TEXT, room) for line in lines if line]


def _cut(text: str, size: float, room: float) -> str:
    """The text, or as much of its beginning as there is room for, with an ellipsis."""
    if _width(text, size) <= room + 1:
        return text
    left = room - size
    for i, char in enumerate(text):
        left -= size * _em(char)
        if left < 0:
            return text[:i].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
    return text
