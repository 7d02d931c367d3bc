"""The metrics with their intervals, and what differs from the baseline."""

from __future__ import annotations

from collections.abc import Sequence, Set
from itertools import groupby

from ....protocols.markup import NOTHING, Html, Inside, joined, tag
from ...scorecard import Comparison, Difference, Metric, Scorecard, Unit
from ..figures import UNITS, bare, change, interval, percent, share
from ..summary import reading
from ..text import many
from .axis import Axis, symmetric
from .bars import READINGS, forest_axis, forest_row, interval_bar
from .tables import Columns, head, section

MOST_CHANGED = 200

READ = (
    "The dot is the value, the bar its interval. Shares are drawn from 0 to 1, other units from 0 to the number at the "
    "right end of their row. A dash is an undefined value; the line below its name says why it is undefined."
)
FOREST = (
    "The dot is the difference, the line its interval, which stands below the number. Within the grey band around zero "
    "lie differences that so many scenarios would not have shown (power .8 at level .05). A difference is clear where "
    "its interval leaves zero out."
)


def metrics(told: Sequence[Metric]) -> Html:
    """Every figure, by family."""
    if not told:
        return NOTHING
    levels = {metric.level for metric in told}
    named = f"{percent(levels.pop())} interval" if len(levels) == 1 else "Interval"
    columns: Columns = (
        ("Metric", ""), ("Value", "n v"), ("Unit", "k"), ("Better", "k later"), (named, "n"), ("Drawn", "draw"),
        ("Scenarios", "n"),
    )  # fmt: skip
    groups = (_family(family, list(group), columns) for family, group in groupby(told, key=lambda one: one.family))
    table = tag(
        "table", tag("caption", "All figures, by what they are about"), head(columns), groups, class_="fold plain"
    )
    return section("metrics", "Metrics", READ, table)


def _family(family: str, group: Sequence[Metric], columns: Columns) -> Html:
    top = tag("tr", tag("th", family, scope="rowgroup", colspan=len(columns), class_="group"))
    return tag("tbody", top, (_metric(metric) for metric in group))


def _metric(metric: Metric) -> Html:
    return tag(
        "tr",
        tag("th", metric.name, tag("small", metric.note) if metric.note else "", scope="row"),
        tag("td", bare(metric.value, metric.unit), class_="n v"),
        tag("td", UNITS[metric.unit], class_="k dim"),
        tag("td", "" if metric.better == "neither" else metric.better, class_="k later dim"),
        tag("td", interval(metric.low, metric.high, metric.unit), class_="n", data_head="Interval"),
        tag("td", interval_bar(metric), class_="draw"),
        tag("td", f"{metric.n:,}", class_="n", data_head="Scenarios"),
        class_="undefined" if metric.value is None else None,
    )


def comparison(card: Scorecard) -> Html:
    """Every difference from the baseline, by unit, since one axis holds one unit."""
    told = card.comparison
    if told is None:
        return NOTHING
    columns: Columns = (
        ("Metric", ""), ("Baseline", "n"), ("This", "n"), ("Difference", "n v"), ("Drawn", "draw"), ("p (Holm)", "n k"),
        ("Detectable", "n"), ("Reading", "k"),
    )  # fmt: skip
    by_unit: dict[Unit, list[Difference]] = {}
    for one in told.differences:
        by_unit.setdefault(one.unit, []).append(one)
    groups = (_unit(name, group, columns) for name, group in by_unit.items())
    table = tag("table", tag("caption", f"This run minus {told.baseline}"), head(columns), groups, class_="fold")
    return section(
        "comparison", "Against the baseline", FOREST, table, _changed(told, {one.scenario for one in card.measured})
    )


def _unit(unit: Unit, group: Sequence[Difference], columns: Columns) -> Html:
    scale = symmetric(end for one in group for end in (one.low, one.high, one.difference) if end is not None)
    top = tag(
        "tr",
        tag("th", UNITS[unit], scope="rowgroup", colspan=4, class_="group"),
        tag("td", forest_axis(scale, unit), class_="draw"),
        tag("td", colspan=len(columns) - 5, class_="rest"),
    )
    return tag("tbody", top, (_difference(one, scale) for one in group))


def _difference(one: Difference, scale: Axis) -> Html:
    unit = one.unit
    said, under = reading(one), ", ".join(word for word in (one.test, many(one.n, "scenario")) if word)
    between = "" if one.low is None else tag("small", interval(one.low, one.high, unit))
    cells: Sequence[tuple[Inside, str, str]] = (
        (bare(one.baseline, unit), "n", "Baseline"),
        (bare(one.found, unit), "n", "This"),
        ((change(one.difference, unit), between), "n v", ""),
        (forest_row(one, scale), "draw", ""),
        (share(one.p), "n", "p (Holm)"),
        (bare(one.detectable, unit), "n", "Detectable"),
        (said, f"k {READINGS.get(said, 'same')}", ""),
    )
    return tag(
        "tr",
        tag("th", one.metric, tag("small", under), scope="row"),
        (tag("td", inside, class_=kind, data_head=name or None) for inside, kind, name in cells),
    )


def _changed(told: Comparison, there: Set[str]) -> Html:
    if not told.changed:
        return tag("p", "No scenario changed its success.", class_="dim")
    links = (
        joined(", " if i else "", link(name) if name in there else name)
        for i, name in enumerate(told.changed[:MOST_CHANGED])
    )
    more = len(told.changed) - MOST_CHANGED
    rest = f" and {more:,} more" if more > 0 else ""
    return tag("p", f"{many(len(told.changed), 'scenario')} changed success: ", links, rest)


def link(scenario: str) -> Html:
    """Leads to a scenario's part of the page."""
    return tag("a", scenario, href=f"#{anchor(scenario)}", class_="id")


def anchor(scenario: str) -> str:
    """The id of a scenario's part."""
    return f"scenario-{scenario}"
