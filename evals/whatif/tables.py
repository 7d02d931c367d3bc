"""The answer to a what-if as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ..report import terminal
from ..report.figures import change, full, interval
from ..report.terminal import Table
from ..report.text import line
from ..scorecard import Coverage, Difference, Unit
from .result import Bounds, ChangedRun, End, Estimate, WhatIf

MOST_RUNS = 40
WHY = 100
WAYS = {
    "exact": "recorded, or tried on the very same work",
    "off-policy": "weighed by how likely the recorded choices have become",
    "assumed": "work of one step taken to be exchangeable",
    "unevaluable": "not known; nothing was put in its place",
}


def tables(told: WhatIf) -> tuple[Table, ...]:
    """Gate, differences, coverage, estimates, changed and unevaluable runs; tables without rows are left out."""
    found = (
        terminal.gate(told.gate),
        coverage(told),
        differences("what the change comes to", told.differences),
        differences("with what is assumed", told.with_assumed),
        estimates(told),
        changed(told),
        unevaluable(told),
    )
    return tuple(table for table in found if table.rows)


def coverage(told: WhatIf) -> Table:
    """On what the answer stands."""
    runs, decisions = _counts(told.runs), _counts(told.decisions)
    rows = tuple((way, f"{runs[way]:,}", f"{decisions[way]:,}", WAYS[way]) for way in WAYS)
    return Table(title="coverage", columns=("on", "runs", "decisions", ""), rows=rows)


def _counts(one: Coverage) -> dict[str, int]:
    return dict(zip(WAYS, (one.exact, one.off_policy, one.assumed, one.unevaluable), strict=True))


def differences(title: str, told: tuple[Difference, ...]) -> Table:
    """Each figure before and after."""
    rows = tuple(tuple(_difference(one)) for one in told)
    return Table(
        title=title, columns=("metric", "before", "after", "difference", "interval", "p (Holm)", "runs"), rows=rows
    )


def _difference(one: Difference) -> Iterator[str]:
    yield one.metric
    yield full(one.baseline, one.unit)
    yield full(one.found, one.unit)
    yield change(one.difference, one.unit)
    yield "" if one.low is None else interval(one.low, one.high, one.unit)
    yield "" if one.p is None else full(one.p, "share")
    yield f"{one.n:,}"


def estimates(told: WhatIf) -> Table:
    """What the weighed runs come to, estimated in three ways."""
    weighed = told.weighed
    rows = () if weighed is None else tuple(tuple(_estimate(one)) for one in weighed.estimates)
    size = "" if weighed is None or weighed.ess is None else f", effective sample size {weighed.ess:.1f}"
    runs = 0 if weighed is None else weighed.runs
    columns = ("metric", "as recorded", "IPS", "SNIPS", "doubly robust")
    return Table(title=f"off-policy: {runs:,} runs{size}", columns=columns, rows=rows)


def _estimate(one: Estimate) -> Iterator[str]:
    yield one.metric
    yield full(one.recorded, one.unit)
    for bounds in (one.ips, one.snips, one.dr):
        yield _between(bounds, one.unit)


def _between(one: Bounds, unit: Unit) -> str:
    shown = full(one.value, unit)
    return shown if one.low is None else f"{shown} ({interval(one.low, one.high, unit)})"


def changed(told: WhatIf) -> Table:
    """Runs that would have gone otherwise; those whose success is another come first."""
    asking = sorted(told.changed, key=lambda run: run.after is None or run.after.success == run.before.success)
    rows = tuple(tuple(_changed(run)) for run in asking[:MOST_RUNS])
    columns = ("scenario", "on", "what changes", "success", "cost", "time")
    return Table(title="runs that change", columns=columns, rows=rows, more=max(0, len(asking) - MOST_RUNS))


def _changed(run: ChangedRun) -> Iterator[str]:
    yield line(run.scenario)
    yield run.way.replace("_", "-")
    yield line(_what(run), WHY)
    for before, after in zip(_end(run.before), ("?", "?", "?") if run.after is None else _end(run.after), strict=True):
        yield before if before == after else f"{before} \N{RIGHTWARDS ARROW} {after}"


def _what(run: ChangedRun) -> str:
    moves = [f"{one.step}: {one.before or 'nobody'} \N{RIGHTWARDS ARROW} {one.after or 'nobody'}" for one in run.moves]
    left = run.divergence
    if moves or left is None:
        return "; ".join(moves)
    before, after = left.expected or "nothing", left.found or "nothing"
    return f"{left.step or '/'} {left.what}: {before} \N{RIGHTWARDS ARROW} {after}"


def _end(one: End) -> tuple[str, str, str]:
    said = one.success if one.status == "delivered" else f"{one.success} ({one.status})"
    return said, full(one.usd, "usd"), full(one.seconds, "seconds")


def unevaluable(told: WhatIf) -> Table:
    """Runs that nothing can be said of, and why."""
    rows = tuple((line(gap.scenario), line(gap.why, WHY)) for gap in told.unevaluable[:MOST_RUNS])
    more = max(0, len(told.unevaluable) - MOST_RUNS)
    return Table(title="runs that cannot be evaluated", columns=("scenario", "why"), rows=rows, more=more)


def headline(told: WhatIf) -> str:
    """The answer in one sentence."""
    success = next((one for one in told.differences if one.metric == "success"), None)
    said = f"Gate: {told.gate.verdict}; " if told.gate is not None else ""
    on = f"on {0 if success is None else success.n:,} of {told.runs.total:,} runs"
    if success is None or success.difference is None:
        return f"{said}no difference in success is known, {on}"
    moved = change(success.difference, "share")
    span = "" if success.low is None else f" ({interval(success.low, success.high, 'share')})"
    return (
        f"{said}success {full(success.baseline, 'share')} becomes {full(success.found, 'share')}, {moved}{span}, {on}"
    )
