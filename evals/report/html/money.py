"""Where the money went: a waterfall by worker, and which part of it went into doing things again and into reviews."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ....protocols.markup import NOTHING, Html, tag
from ....protocols.messages import NOTHING_USED, Usage
from ...scorecard import Measured
from ..figures import DASH, bare, share, usd
from ..text import many
from .axis import axis
from .bars import Step, waterfall_row
from .tables import Columns, head, row, section

MOST_WORKERS = 14
"""The dearest have a row of their own, the others share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What all runs together cost, in USD."""

    total: float
    uncached: float
    workers: tuple[tuple[str, float], ...]
    """The dearest first, ties by name; with what no worker is named for, they add up to the total."""
    again: float
    """Of the total, what retries and corrections cost."""
    reviews: float
    """Of the total, what the reviewer's looks cost."""


def spending(measured: Sequence[Measured]) -> Spending:
    """Add up what all runs cost."""
    workers: dict[str, Usage] = {}
    total = again = reviews = NOTHING_USED
    for one in measured:
        total, again = total + one.usage, again + one.again
        reviews = sum((look.usage for look in one.judged), reviews)
        for spent in one.workers:
            workers[spent.name] = workers.get(spent.name, NOTHING_USED) + spent.usage
    named = sorted(((name, usage.usd) for name, usage in workers.items()), key=lambda one: (-one[1], one[0]))
    left = round(total.usd - sum((usage for usage in workers.values()), NOTHING_USED).usd, 9)
    return Spending(
        total=total.usd,
        uncached=round(sum(one.usd_uncached for one in measured), 9),
        workers=(*named, *([("nobody named", left)] if left > 0 else [])),
        again=again.usd,
        reviews=reviews.usd,
    )


def waterfall(measured: Sequence[Measured]) -> Html:
    """By worker, each bar beginning where the one before ended; then the total, and what it contains."""
    told = spending(measured)
    if not told.total:
        return NOTHING
    lead = (
        f"{usd(told.total)} over {many(len(measured), 'run')}, {usd(told.uncached)} had no cache served a token. "
        "Hatched bars are parts of the total that already stand in the bars of the workers."
    )
    steps = list(_steps(told))
    scale = axis((step.start + step.width for step in steps), low=0.0)
    columns: Columns = (("Worker", ""), ("USD", "n v"), ("Share", "n"), ("Drawn", "draw"))
    rows = (
        row(
            columns,
            (step.name, bare(step.width, "usd"), _part(step, told), waterfall_row(step, scale)),
            "sum" if step.kind == "total" else None,
        )
        for step in steps
    )
    caption = tag("caption", "USD by worker, planner and reviewer, over all runs")
    return section("cost", "Cost", lead, tag("table", caption, head(columns), tag("tbody", rows), class_="fold money"))


def _part(step: Step, told: Spending) -> str:
    return share(step.width / told.total) if told.total else DASH


def _steps(told: Spending) -> Iterator[Step]:
    at = 0.0
    shown = list(told.workers[:MOST_WORKERS])
    if rest := told.workers[MOST_WORKERS:]:
        shown.append((many(len(rest), "other worker"), round(sum(usd for _, usd in rest), 9)))
    for name, part in shown:
        yield Step(name=name, start=at, width=part, kind="part")
        at = round(at + part, 9)
    yield Step(name="Total", start=0.0, width=told.total, kind="total")
    yield Step(name="of it: retries and corrections", start=0.0, width=told.again, kind="of")
    yield Step(name="of it: the reviewer's looks", start=0.0, width=told.reviews, kind="of")
