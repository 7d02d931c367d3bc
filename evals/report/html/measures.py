"""The metrics with their intervals, and what differs from the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from ...scorecard import Comparison, Difference, Metric, Scorecard
from ..figures import DASH, UNITS, bare, change, full, interval, percent, share
from ..summary import reading
from ..text import many
from .axis import Axis, symmetric
from .bars import READINGS, forest_axis, forest_row, interval_bar
from .markup import Html, Inside, joined, tag
from .tables import Columns, head, section

MOST_CHANGED = 200

READ = (
    "The dot is the value, the bar its interval. Shares are drawn from 0 to 1, other units from 0 to the number at the "
    "right end of their row. A dash is an undefined value; the line below its name says why it is undefined."
)
FOREST = (
    "The dot is the difference, the line its interval. Within the grey band around zero lie differences that so many "
    "scenarios would not have shown (power .8 at level .05). A difference is clear where its interval leaves zero out."
)


def metrics(told: Sequence[Metric]) -> Html | str:
    """Every figure, by family."""
    if not told:
        return ""
    levels = {metric.level for metric in told}
    named = f"{percent(levels.pop())} interval" if len(levels) == 1 else "Interval"
    columns: Columns = (
        ("Metric", ""), ("Value", "n v"), ("Unit", ""), ("Better", "later"), (named, "n"), ("Drawn", "draw"),
        ("Scenarios", "n"),
    )  # fmt: skip
    groups = (_family(family, list(group), columns) for family, group in groupby(told, key=lambda one: one.family))
    table = tag("table", tag("caption", "All figures, by what they are about"), head(columns), groups, class_="fold")
    return section("metrics", "Metrics", READ, table)


def _family(family: str, group: Sequence[Metric], columns: Columns) -> Html:
    top = tag("tr", tag("th", family, scope="rowgroup", colspan=len(columns), class_="group"))
    return tag("tbody", top, (_metric(metric) for metric in group))


def _metric(metric: Metric) -> Html:
    return tag(
        "tr",
        tag("th", metric.name, tag("small", metric.note) if metric.note else "", scope="row"),
        tag("td", bare(metric.value, metric.unit), class_="n v"),
        tag("td", UNITS[metric.unit]),
        tag("td", "" if metric.better == "neither" else metric.better, class_="later"),
        tag("td", interval(metric.low, metric.high, metric.unit), class_="n", data_head="Interval"),
        tag("td", interval_bar(metric), class_="draw"),
        tag("td", f"{metric.n:,}", class_="n", data_head="Scenarios"),
        class_="undefined" if metric.value is None else None,
    )


def comparison(card: Scorecard) -> Html | str:
    """Every difference from the baseline, by unit, since one axis holds one unit."""
    told = card.comparison
    if told is None:
        return ""
    columns: Columns = (
        ("Metric", ""), ("Baseline", "n"), ("This", "n"), ("Difference", "n v"), ("Interval", "n"), ("Drawn", "draw"),
        ("p (Holm)", "n"), ("Detectable", "n"), ("Scenarios", "n"), ("Reading", "wait"),
    )  # fmt: skip
    by_unit: dict[str, list[tuple[Difference, Metric]]] = {}
    known = {metric.name: metric for metric in card.metrics}
    for one in told.differences:
        metric = known.get(one.metric) or Metric(
            name=one.metric, family="success", value=None, n=one.n, unit="score", better=one.better
        )
        by_unit.setdefault(metric.unit, []).append((one, metric))
    groups = (_unit(group, columns) for group in by_unit.values())
    table = tag("table", tag("caption", f"This run minus {told.baseline}"), head(columns), groups, class_="fold")
    return section("comparison", "Against the baseline", FOREST, table, _changed(told))


def _unit(group: Sequence[tuple[Difference, Metric]], columns: Columns) -> Html:
    ends = [end for one, _ in group for end in (one.low, one.high, one.difference) if end is not None]
    scale, unit = symmetric(ends), group[0][1]
    top = tag(
        "tr",
        tag("th", UNITS[unit.unit], scope="rowgroup", colspan=5, class_="group"),
        tag("td", forest_axis(scale, unit), class_="draw axis"),
        tag("td", colspan=len(columns) - 6, class_="axis"),
    )
    return tag("tbody", top, (_difference(one, metric, scale) for one, metric in group))


def _difference(one: Difference, metric: Metric, scale: Axis) -> Html:
    said = reading(one)
    cells: Iterator[tuple[Inside, str, str]] = iter(
        (
            (bare(one.baseline, metric.unit), "n", "Baseline"),
            (bare(one.found, metric.unit), "n", "This"),
            (change(one.difference, metric.unit), "n v", ""),
            (interval(one.low, one.high, metric.unit), "n", "Interval"),
            (forest_row(one, scale, one.metric), "draw", ""),
            (share(one.p), "n", "p (Holm)"),
            (DASH if one.detectable is None else full(one.detectable, metric.unit), "n", "Detectable"),
            (f"{one.n:,}", "n", "Scenarios"),
            (said, f"wait {READINGS.get(said, 'same')}", ""),
        )
    )
    return tag(
        "tr",
        tag("th", one.metric, tag("small", one.test) if one.test else "", scope="row"),
        (tag("td", inside, class_=kind, data_head=name or None) for inside, kind, name in cells),
    )


def _changed(told: Comparison) -> Html:
    if not told.changed:
        return tag("p", "No scenario changed its success.", class_="dim")
    links = (joined(", " if i else "", link(name)) for i, name in enumerate(told.changed[:MOST_CHANGED]))
    more = len(told.changed) - MOST_CHANGED
    rest = f" and {more:,} more" if more > 0 else ""
    return tag("p", f"{many(len(told.changed), 'scenario')} changed success: ", links, rest)


def link(scenario: str) -> Html:
    """Leads to a scenario's part of the page."""
    return tag("a", scenario, href=f"#{anchor(scenario)}", class_="id")


def anchor(scenario: str) -> str:
    """The id of a scenario's part."""
    return f"scenario-{scenario}"
