"""How well work was routed: the frontier of cost and quality, and who was chosen where another was right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....protocols.markup import NOTHING, Html, Inside, joined, tag
from ...scorecard import Confusion, Point, PointKind
from ..figures import DASH, bare, interval, share
from ..text import line, many
from .plots import NAMES, frontier, mark
from .tables import Columns, section, table, wide

MOST_LABELS = 24
"""A larger matrix is no picture any more; its largest confusions are listed."""
MOST_PAIRS = 30
STRONGEST = 55
"""How much of the colour the fullest cell has, in percent: text stays readable on it."""


def plane(points: Sequence[Point]) -> Html:
    """The frontier, with its points as a table."""
    if not points:
        return NOTHING
    lead = (
        "Up and to the left is better: more quality for less money. The line is the hull, which mixing single models "
        "by coin reaches without looking at the task; a router that does not lie above it has learned nothing."
    )
    named = [point for point in points if point.kind != "hull"]
    hull = [point for point in points if point.kind == "hull"]
    columns: Columns = (("No.", "n"), ("Way of routing", "t"), ("USD per run", "n"), ("Quality", "n v"))
    rows = [_point(i, point) for i, point in enumerate(named, 1)] + ([_vertices(hull)] if hull else [])
    figure = tag("figure", frontier([*named, *hull]), class_="drawing")
    listed = wide("Points of the frontier", table("All points, in numbers", columns, rows))
    return section("frontier", "Cost and quality", lead, tag("div", figure, listed, class_="pair"))


def _point(i: int, point: Point) -> Sequence[Inside]:
    return str(i), _named(point.kind, point.name, point.note), bare(point.usd, "usd"), share(point.quality)


def _vertices(hull: Sequence[Point]) -> Sequence[Inside]:
    """All of the hull in one row: its vertices are single models, which have rows of their own."""
    names = ", ".join(point.name for point in hull)
    costs, heights = [point.usd for point in hull], [point.quality for point in hull]
    between = f"{interval(min(costs), max(costs), 'usd')} USD, {interval(min(heights), max(heights), 'share')}"
    return "", _named("hull", names, between), DASH, DASH


def _named(kind: PointKind, name: str, note: str) -> Html:
    under = ", ".join(text for text in (NAMES[kind], note) if text)
    return tag("div", mark(kind), tag("span", name, tag("small", under)), class_="marked")


def confusion(told: Confusion | None) -> Html:
    """The confusion matrix; of many labels, what was confused most."""
    if told is None or not told.labels:
        return NOTHING
    lead = "Rows are who would have been right, columns who was chosen; on the framed diagonal both are the same."
    shown = _pairs(told) if len(told.labels) > MOST_LABELS else wide("Confusion matrix", _matrix(told))
    return section("confusion", "Who was chosen", lead, shown)


def _matrix(told: Confusion) -> Html:
    most = max(max(row) for row in told.counts) or 1
    heads = (tag("th", line(name, 40), scope="col", class_="turned") for name in told.labels)
    top = tag("tr", tag("td"), heads, tag("th", "all", scope="col"), tag("th", "right", scope="col"))
    rows = (_row(i, told, most) for i in range(len(told.labels)))
    caption = tag("caption", "Choices, counted; the stronger the colour, the more")
    return tag("table", caption, tag("thead", top), tag("tbody", rows), class_="heat")


def _row(i: int, told: Confusion, most: int) -> Html:
    counts = told.counts[i]
    cells = (
        tag(
            "td",
            f"{count:,}" if count else tag("span", "0", class_="dim"),
            style=f"--heat:{round(STRONGEST * count / most)}" if count else None,
            class_="right" if i == j else None,
        )
        for j, count in enumerate(counts)
    )
    total = sum(counts)
    found = share(counts[i] / total) if total else "\N{EM DASH}"
    sums = (tag("td", f"{total:,}", class_="sum"), tag("td", found, class_="sum"))
    return tag("tr", tag("th", line(told.labels[i], 40), scope="row"), cells, sums)


def _pairs(told: Confusion) -> Html:
    pairs = [(count, i, j) for i, row in enumerate(told.counts) for j, count in enumerate(row) if i != j and count]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    right = sum(row[i] for i, row in enumerate(told.counts))
    total = sum(map(sum, told.counts))
    columns: Columns = (("Right", ""), ("Chosen", ""), ("Times", "n"))
    caption = (
        f"{many(len(told.labels), 'label')}: {right:,} of {total:,} right. "
        f"The {min(MOST_PAIRS, len(pairs))} largest of {many(len(pairs), 'confusion')}"
    )
    return table(caption, columns, _confused(pairs[:MOST_PAIRS], told.labels))


def _confused(pairs: Sequence[tuple[int, int, int]], labels: Sequence[str]) -> Iterator[Sequence[Inside]]:
    for count, i, j in pairs:
        yield joined(labels[i]), joined(labels[j]), f"{count:,}"
