"""The scorecard as tables for a terminal: headings and rows of words; printing them is the command's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..scorecard import Comparison, Difference, Gate, Measured, Metric, Scorecard, Unit
from .figures import DASH, bare, change, full, interval, share
from .order import arranged, by_scenario
from .summary import STATES, reading, reason, state_of, worst
from .text import line

MOST_SCENARIOS = 40
WHY = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0
    """Rows that were left out."""


def tables(card: Scorecard) -> tuple[Table, ...]:
    """Gate, metrics, comparison, and the scenarios that did not succeed; tables without rows are left out.

    What to say before them is in `summary`: `headline` and `cautions`.
    """
    told = arranged(card)
    found = (gate(told.gate), metrics(told.metrics), comparison(told), scenarios(told, MOST_SCENARIOS))
    return tuple(table for table in found if table.rows)


def gate(told: Gate | None) -> Table:
    """What each rule says."""
    rulings = () if told is None else told.rulings
    rows = tuple((ruling.verdict, line(ruling.metric), line(ruling.sentence)) for ruling in rulings)
    return Table(title="gate", columns=("verdict", "metric", "sentence"), rows=rows)


def metrics(told: Sequence[Metric]) -> Table:
    """Every figure with its interval; the note of an undefined one says why it is."""
    rows = tuple(
        (
            metric.family,
            line(metric.name),
            full(metric.value, metric.unit),
            _between(metric.low, metric.high, metric.unit),
            f"{metric.n:,}",
            line(metric.note),
        )
        for metric in told
    )
    return Table(title="metrics", columns=("family", "metric", "value", "interval", "scenarios", "note"), rows=rows)


def comparison(card: Scorecard) -> Table:
    """Each metric beside the baseline's."""
    told = Comparison(baseline="", differences=()) if card.comparison is None else card.comparison
    columns = ("metric", "baseline", "this", "difference", "interval", "p (Holm)", "detectable", "reading")
    rows = tuple(_difference(one) for one in told.differences)
    return Table(title=f"against {line(told.baseline)}", columns=columns, rows=rows)


def _difference(one: Difference) -> tuple[str, ...]:
    return (
        line(one.metric),
        full(one.baseline, one.unit),
        full(one.found, one.unit),
        change(one.difference, one.unit),
        _between(one.low, one.high, one.unit),
        "" if one.p is None else share(one.p),
        "" if one.detectable is None else bare(one.detectable, one.unit),
        reading(one),
    )


def scenarios(card: Scorecard, most: int) -> Table:
    """Scenarios of which a run did not succeed, what asks for attention first; at most `most` of them."""
    found = [(worst(runs), name, runs) for name, runs in by_scenario(card).items()]
    asking = [one for one in found if one[0] != "succeeded"]
    asking.sort(key=lambda one: STATES.index(one[0]))  # stable: by name within a state
    rows = tuple(tuple(_scenario(name, runs)) for _, name, runs in asking[:most])
    columns = ("state", "scenario", "succeeded", "USD per run", "seconds", "why")
    return Table(title="scenarios", columns=columns, rows=rows, more=max(0, len(asking) - most))


def _scenario(name: str, runs: Sequence[Measured]) -> Iterator[str]:
    states = [state_of(one) for one in runs]
    yield worst(runs)
    yield line(name)
    yield f"{states.count('succeeded')} of {len(runs)}"
    yield bare(sum(one.usage.usd for one in runs) / len(runs), "usd")
    yield bare(sum(one.seconds for one in runs) / len(runs), "seconds")
    yield line(next((why for one in runs if (why := reason(one))), ""), WHY)


def _between(low: float | None, high: float | None, unit: Unit) -> str:
    shown = interval(low, high, unit)
    return "" if shown == DASH else shown
