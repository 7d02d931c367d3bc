"""The two diagrams with an area: cost against quality, and confidence against what came of it.

Places across are shares of the width and places down are pixels, so a drawing grows with its page and its words do
not; which words fit is decided for the narrowest page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import sqrt

from ....protocols.markup import Html, joined, tag
from ...scorecard import Point, PointKind, Reliability
from ..figures import bare, share
from ..text import line, many
from .axis import Axis, axis
from .bars import at

NARROW, HEIGHT = 290.0, 320.0
"""Pixels of a plot on a phone, and its height anywhere."""
LETTER = 6.7
"""About how wide a letter is, in pixels."""

NAMES: Mapping[PointKind, str] = {
    "this": "this run",
    "baseline_run": "baseline",
    "cheapest": "cheapest",
    "best_single": "best single",
    "random": "random at equal cost",
    "hull": "zero-router hull",
    "oracle": "oracle",
    "single": "single",
}

MARKS: Mapping[PointKind, str] = {
    "this": "M0-8 8 0 0 8-8 0z",
    "baseline_run": "M0-7 7 0 0 7-7 0z",
    "cheapest": "M-6-5H6L0 6z",
    "best_single": "M-5-5H5V5H-5z",
    "random": "M-5-5 5 5M5-5-5 5",
    "hull": "M-2.5 0A2.5 2.5 0 1 0 2.5 0 2.5 2.5 0 1 0-2.5 0z",
    "oracle": "M0-8 2-2.6 7.6-2.5 3.2 1 4.7 6.5 0 3.3-4.7 6.5-3.2 1-7.6-2.5-2-2.6z",
    "single": "M-4.5 0A4.5 4.5 0 1 0 4.5 0 4.5 4.5 0 1 0-4.5 0z",
}
"""One shape per kind, so that colour is never the only carrier."""

FIRST: Sequence[PointKind] = ("this", "baseline_run", "oracle", "best_single", "cheapest", "random", "single")
"""Who gets a label first, where there is little room; vertices of the hull have none."""


def mark(kind: PointKind) -> Html:
    """The shape of a kind, for a table."""
    shape = tag("path", d=MARKS[kind], class_=f"m {kind}")
    return tag("svg", shape, viewBox="-10 -10 20 20", width=20, height=20, class_="mark", aria_hidden="true")


def frontier(points: Sequence[Point]) -> Html:
    """Cost across, quality up; up and to the left is better."""
    across = axis((point.usd for point in points), 4, low=0.0)
    up = axis((point.quality for point in points), 5)
    hull = sorted((point for point in points if point.kind == "hull"), key=lambda point: (point.usd, point.quality))
    told = ", ".join(
        f"{NAMES[point.kind]} {point.name} at ${bare(point.usd, 'usd')}, {share(point.quality)}" for point in points
    )
    labels = _labels(points, across, up)
    return _plot(
        "frontier",
        "Quality against cost",
        told,
        _grid(across, up, "usd"),
        tag("text", "USD per run", x="100%", y=HEIGHT + 38, class_="name right"),
        tag("text", "quality", x="0", y=-14, class_="name"),
        _hull_line(hull, across, up),
        (_spot(point, across, up, labels.get(i, "")) for i, point in sorted(enumerate(points), key=_latest_on_top)),
    )


def _latest_on_top(one: tuple[int, Point]) -> int:
    return -FIRST.index(one[1].kind) if one[1].kind in FIRST else -len(FIRST)


def _plot(name: str, title: str, told: str, *inside: Html | Iterator[Html]) -> Html:
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", line(told, 2_000), id=f"{name}-desc"),
        *inside,
        class_="plot",
        height=f"{HEIGHT:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def _grid(across: Axis, up: Axis, unit: str) -> Iterator[Html]:
    for tick in up.ticks:
        y = _down(tick, up)
        yield tag("line", x1="0", x2="100%", y1=y, y2=y, class_="grid")
        yield tag("text", bare(tick, "share"), x="0", y=y, dx=-8, dy=4, class_="right")
    for tick in across.ticks:
        x = at(across.at(tick))
        yield tag("line", x1=x, x2=x, y1=0, y2=HEIGHT, class_="grid")
        shown = f"{tick:g}" if unit == "usd" else bare(tick, "share")
        yield tag("text", shown, x=x, y=HEIGHT + 18, class_="middle")


def _hull_line(hull: Sequence[Point], across: Axis, up: Axis) -> Iterator[Html]:
    """Straight between vertices, and flat from the last on: money need not be spent."""
    spots = [(across.at(point.usd), _down(point.quality, up)) for point in hull]
    if spots:
        spots.append((1.0, spots[-1][1]))
    for (x1, y1), (x2, y2) in pairwise(spots):
        yield tag("line", x1=at(x1), x2=at(x2), y1=y1, y2=y2, class_="hull-line")


def _spot(point: Point, across: Axis, up: Axis, label: Html | str) -> Html:
    """A mark at a share of the width: only an inner `svg` can be put there."""
    tip = f"{NAMES[point.kind]}: {point.name}, {bare(point.usd, 'usd')} USD per run, quality {share(point.quality)}"
    return tag(
        "svg",
        tag("title", tip),
        tag("path", d=MARKS[point.kind], class_=f"m {point.kind}"),
        label,
        x=at(across.at(point.usd)),
        y=_down(point.quality, up),
        overflow="visible",
    )


def _labels(points: Sequence[Point], across: Axis, up: Axis) -> dict[int, Html]:
    """The label of each point that has room for its name; of the others, where there is room, its number."""
    spots = [(across.at(point.usd) * NARROW, _down(point.quality, up)) for point in points]
    taken = [(x - 7, y - 7, x + 7, y + 7) for (x, y), point in zip(spots, points, strict=True) if point.kind != "hull"]
    found: dict[int, Html] = {}
    order = [i for kind in FIRST for i, point in enumerate(points) if point.kind == kind]
    for i in order:
        name = line(points[i].name, 28)
        for text in (name, str(i + 1)):
            placed = _place(text, spots[i], taken)
            if placed is not None:
                side, box = placed
                taken.append(box)
                strong = " strong" if points[i].kind == "this" else ""
                found[i] = tag("text", text, **SIDES[side], class_=f"label {side}{strong}")
                break
    return found


Area = tuple[float, float, float, float]
SIDES: Mapping[str, dict[str, str]] = {
    "right": {"x": "-12", "y": "4"},
    "left": {"x": "12", "y": "4"},
    "middle": {"x": "0", "y": "-13"},
    "middle below": {"x": "0", "y": "22"},
}
"""Where a label begins; the class says how it is anchored."""


def _place(text: str, spot: tuple[float, float], taken: Sequence[Area]) -> tuple[str, Area] | None:
    width, (x, y) = LETTER * len(text), spot
    boxes = {
        "left": (x + 12, y - 7, x + 12 + width, y + 7),
        "right": (x - 12 - width, y - 7, x - 12, y + 7),
        "middle": (x - width / 2, y - 25, x + width / 2, y - 10),
        "middle below": (x - width / 2, y + 10, x + width / 2, y + 25),
    }
    for side, box in boxes.items():
        inside = box[0] >= -4 and box[2] <= NARROW + 14 and box[1] >= -8 and box[3] <= HEIGHT + 8
        if inside and not any(_touch(box, other) for other in taken):
            return side, box
    return None


def _touch(one: Area, other: Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _down(value: float, up: Axis) -> float:
    return round((1 - up.at(value)) * HEIGHT, 1)


def reliability(bins: Sequence[Reliability]) -> Html:
    """What was said across, what came of it up; on the line both are the same. A larger dot holds more answers."""
    unit = Axis(low=0.0, high=1.0, ticks=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0))
    most = max((one.n for one in bins), default=0)
    told = ", ".join(
        f"said {share(one.confidence)}, right {share(one.right)} of {many(one.n, 'answer')}" for one in bins
    )
    return _plot(
        "reliability",
        "How often answers were right, by how sure the worker said it was",
        told,
        _grid(unit, unit, "share"),
        tag("line", x1="0", x2="100%", y1=HEIGHT, y2=0, class_="diagonal"),
        tag("text", "share that was right", x="0", y=-14, class_="name"),
        tag("text", "confidence that was stated", x="100%", y=HEIGHT + 38, class_="name right"),
        (_bin(one, unit, most) for one in bins if one.n),
    )


def _bin(one: Reliability, unit: Axis, most: int) -> Html:
    x, stated, found = at(unit.at(one.confidence)), _down(one.confidence, unit), _down(one.right, unit)
    kind = "over" if one.right < one.confidence else "under"
    held = f"{share(one.low)} to {share(one.high)}, {many(one.n, 'answer')}"
    tip = f"{held}: said {share(one.confidence)}, right {share(one.right)}"
    radius = round(3 + 6 * sqrt(one.n / most), 1)
    away = radius + 13 if kind == "over" and found + radius + 13 < HEIGHT else -radius - 5
    if abs(stated - found) > -away > 0 and kind == "over":  # neither below, where the axis is, nor on the line above
        number = tag("text", f"{one.n:,}", x=x, y=found - 2, dx=radius + 4)
    else:
        number = tag("text", f"{one.n:,}", x=x, y=round(found + away, 1), class_="middle")
    return joined(
        tag("line", x1=x, x2=x, y1=stated, y2=found, class_=f"gap {kind}"),
        tag("circle", tag("title", tip), cx=x, cy=found, r=radius, class_=f"bin {kind}"),
        number,
    )
