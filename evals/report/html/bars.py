"""Small drawings that stand beside numbers in a row of a table; each is as wide as its cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ....protocols.markup import NOTHING, Html, joined, tag
from ...scorecard import Difference, Metric, Unit
from ..figures import bare, change, interval
from ..summary import reading
from .axis import Axis, axis

LINE, WITH_ENDS = 20, 32
"""Heights in pixels, without and with the ends of the axis below."""


def at(share: float) -> str:
    """A place as a share of the width.

    Example:
        >>> at(0.5), at(1 / 3)
        ('50%', '33.33%')
    """
    return f"{round(100 * share, 2):g}%"


def row(title: str, height: int, *inside: Html | Iterable[Html]) -> Html:
    """A drawing for one row."""
    return tag("svg", tag("title", title), *inside, class_="bar", height=height, role="img", aria_label=title)


def interval_bar(metric: Metric) -> Html:
    """The interval as a bar and the value as a dot; shares from 0 to 1, others to the number at the right end."""
    if metric.value is None or math.isinf(metric.value):
        return NOTHING
    ends = [end for end in (metric.low, metric.high) if end is not None]
    if metric.unit == "share":
        scale = Axis(low=0.0, high=1.0, ticks=(0.0, 0.5, 1.0))
    else:
        values = [metric.value, *ends]
        scale = axis([0.0, *values], low=None if min(values) < 0 else 0.0)
    title = f"{metric.name}: {bare(metric.value, metric.unit)}"
    if len(ends) == 2:
        title += f", interval {interval(metric.low, metric.high, metric.unit)}"
    labels = [] if metric.unit == "share" else list(_ends(scale, metric))
    return row(
        title, WITH_ENDS if labels else LINE, _track(scale), _range(ends, scale), _dot(metric.value, scale), labels
    )


def _ends(scale: Axis, metric: Metric) -> Iterator[Html]:
    yield tag("text", bare(scale.low, metric.unit), x="0", y=30, class_="end")
    yield tag("text", bare(scale.high, metric.unit), x="100%", y=30, class_="end right")


def _track(scale: Axis) -> Html:
    ticks = [
        tag("line", x1=at(scale.at(tick)), x2=at(scale.at(tick)), y1=7, y2=13, class_="tick") for tick in scale.ticks
    ]
    return joined(tag("line", x1="0", x2="100%", y1=10, y2=10, class_="track"), ticks)


def _range(ends: Sequence[float], scale: Axis) -> Html:
    if len(ends) < 2:
        return NOTHING
    low, high = scale.at(ends[0]), scale.at(ends[1])
    return tag("rect", x=at(low), width=at(max(0.0, high - low)), y=7, height=6, rx=3, class_="range")


def _dot(value: float, scale: Axis) -> Html:
    return tag("circle", cx=at(scale.at(value)), cy=10, r=4, class_="dot")


READINGS = {"better": "good", "worse": "bad"}


def forest_row(one: Difference, scale: Axis) -> Html:
    """The difference with its interval, beside zero and the band in which no difference would have been seen."""
    if one.difference is None or math.isinf(one.difference):
        return NOTHING
    said = reading(one)
    band = whisker = NOTHING
    if one.detectable is not None:
        low, high = scale.at(-one.detectable), scale.at(one.detectable)
        band = tag("rect", x=at(low), width=at(max(0.0, high - low)), y=0, height=LINE, class_="blind")
    zero = tag("line", x1=at(scale.at(0.0)), x2=at(scale.at(0.0)), y1=-6, y2=LINE + 6, class_="zero")
    if one.low is not None and one.high is not None:
        left, right = at(scale.at(one.low)), at(scale.at(one.high))
        whisker = joined(
            tag("line", x1=left, x2=right, y1=10, y2=10, class_="whisker"),
            (tag("line", x1=end, x2=end, y1=6, y2=14, class_="whisker") for end in (left, right)),
        )
    spot = tag("circle", cx=at(scale.at(one.difference)), cy=10, r=4.5, class_="spot")
    return row(f"{one.metric}: {said}", LINE, band, zero, tag("g", whisker, spot, class_=READINGS.get(said, "same")))


def forest_axis(scale: Axis, unit: Unit) -> Html:
    """The numbers of a forest plot's axis."""
    low, zero, high = scale.ticks
    return tag(
        "svg",
        tag("text", change(low, unit), x="0", y=13, class_="end"),
        tag("text", bare(zero, unit), x="50%", y=13, class_="end middle"),
        tag("text", change(high, unit), x="100%", y=13, class_="end right"),
        class_="bar",
        height=LINE,
        aria_hidden="true",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a waterfall, from `start` to `start + width` on the axis."""

    name: str
    start: float
    width: float
    kind: str
    """`part`, `total`, or `of` for what is contained in the total."""


def waterfall_row(step: Step, scale: Axis) -> Html:
    """A bar that begins where the one before ended."""
    low, high = scale.at(step.start), scale.at(step.start + step.width)
    return row(
        f"{step.name}: {bare(step.width, 'usd')} USD",
        LINE,
        tag("line", x1=at(low), x2=at(low), y1=-8, y2=LINE, class_="stair") if step.kind == "part" else NOTHING,
        tag("rect", x=at(low), width=at(high - low), y=3, height=14, rx=2, class_=step.kind),
    )
