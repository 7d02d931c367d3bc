"""Routers between a weak and a strong model: how much of the gap they recover, for what share of calls or cost.

RouteLLM counts calls of the strong model. Calls are not money: its queries may be the long ones. So every figure is
given on both: the share of calls, and USD per query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum

from ...protocols.errors import UsageError
from .routers import Standing, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A router between two models, at one setting of its threshold."""

    calls: float
    """Share of queries sent to the strong model, in [0, 1]."""
    cost: float | None
    """USD per query; None: unknown."""
    quality: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """What it takes to recover a part of the gap (RouteLLM's CPT)."""

    target: float
    """Part of the gap, in [0, 1]."""
    calls: float | None
    """Share of calls; None: there is no gap."""
    usd: float | None
    """Per query; None: there is no gap, costs are unknown, or the strong model is no dearer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """How much of the gap between a weak and a strong model a router recovers, over all thresholds."""

    apgr_calls: float | None
    """Mean recovered part over the share of calls, 0.5 in expectation by chance; None: there is no gap."""
    apgr_usd: float | None
    """Mean recovered part over USD per query; None: as `Threshold.usd`."""
    thresholds: tuple[Threshold, ...]
    """In the order asked for."""


def sweep(table: Table, scores: Mapping[str, float], weak: str, strong: str) -> tuple[Reading, ...]:
    """Read a router at every threshold: the queries with the highest scores go to the strong model.

    From no call of the strong model to all; queries with equal scores move together.

    Raises:
        UsageError: a query has no score, or the table has no such model.

    Example:
        >>> from .routers import Arm
        >>> rows = {"p": {"s": Arm(0, 1), "w": Arm(0, 0)}, "q": {"s": Arm(1, 1), "w": Arm(0, 0)}}
        >>> [(one.calls, one.quality) for one in sweep(Table(rows), {"p": 0.1, "q": 0.9}, "w", "s")]
        [(0.0, 0.0), (0.5, 0.5), (1.0, 0.5)]
    """
    if missing := sorted(table.arms.keys() - scores.keys()):
        raise UsageError(f"a router's scores: expected one per query, found none for {', '.join(missing[:10])}")
    weakly, strongly = table.single(weak), table.single(strong)
    gains: dict[float, list[tuple[float, float]]] = {}
    """By score, what each query gains in quality, and costs more, on the strong model."""
    for query, row in table.arms.items():
        dearer = (row[strong].cost or 0.0) - (row[weak].cost or 0.0)
        gains.setdefault(scores[query], []).append((row[strong].quality - row[weak].quality, dearer))
    moved, quality, cost = 0, weakly.quality, weakly.cost
    readings = [Reading(calls=0.0, cost=cost, quality=quality)]
    for score in sorted(gains, reverse=True):
        moved += len(gains[score])
        quality += fsum(better for better, _ in gains[score]) / len(table.arms)
        cost = None if cost is None else cost + fsum(dearer for _, dearer in gains[score]) / len(table.arms)
        readings.append(Reading(calls=moved / len(table.arms), cost=cost, quality=quality))
    readings[-1] = Reading(calls=1.0, cost=strongly.cost, quality=strongly.quality)  # without the rounding of sums
    return tuple(readings)


def recovery(
    readings: Iterable[Reading], weak: Standing, strong: Standing, targets: Sequence[float] = (0.5, 0.8)
) -> Recovery:
    """Measure what part of the performance gap a router recovers.

    PGR = (q - q_weak) / (q_strong - q_weak). APGR is the mean of PGR over x, by trapezoids; CPT(t) is the least x at
    which PGR reaches t, on straight lines between readings. x is the share of calls from 0 to 1, or USD per query from
    the weak model's to the strong one's. Both models are ends of the curve; readings that cost less than the weak or
    more than the strong model are left out of the figures in USD.

    All figures are None where the strong model is no better than the weak one: there is no gap.

    Raises:
        UsageError: a target is not in [0, 1].

    Source: Ong et al. 2024, RouteLLM, arXiv:2406.18665, section 3; routellm/evals/evaluate.py for the trapezoids.

    Example:
        >>> half = Reading(calls=0.5, cost=0.25, quality=1.0)
        >>> found = recovery([half], Standing("w", 0.0, 0.0), Standing("s", 1.0, 1.0), [0.5])
        >>> found.apgr_calls, found.apgr_usd, found.thresholds[0].calls, found.thresholds[0].usd
        (0.75, 0.875, 0.25, 0.125)
    """
    if beyond := [target for target in targets if not 0 <= target <= 1]:
        raise UsageError(f"targets: expected parts of the gap in [0, 1], found {beyond}")
    told = list(readings)
    calls = _curve(told, lambda one: one.calls, (0.0, weak), (1.0, strong))
    usd = _curve(told, lambda one: one.cost, (weak.cost, weak), (strong.cost, strong))
    return Recovery(
        apgr_calls=_mean(calls),
        apgr_usd=_mean(usd),
        thresholds=tuple(
            Threshold(target=target, calls=_first(calls, target), usd=_first(usd, target)) for target in targets
        ),
    )


Curve = Sequence[tuple[float, float]]
"""(x, PGR) by x, then PGR; empty: undefined."""

End = tuple[float | None, Standing]


def _curve(readings: Sequence[Reading], x_of: Callable[[Reading], float | None], first: End, last: End) -> Curve:
    (low, weak), (high, strong) = first, last
    gap = strong.quality - weak.quality
    if low is None or high is None or not low < high or gap <= 0:
        return ()
    inner = [(x_of(one), (one.quality - weak.quality) / gap) for one in readings]
    return [(low, 0.0), *sorted((x, pgr) for x, pgr in inner if x is not None and low <= x <= high), (high, 1.0)]


def _mean(curve: Curve) -> float | None:
    if not curve:
        return None
    area = fsum((b - a) * (before + after) / 2 for (a, before), (b, after) in pairwise(curve))
    return area / (curve[-1][0] - curve[0][0])


def _first(curve: Curve, target: float) -> float | None:
    for (a, before), (b, after) in pairwise(curve):
        if before >= target:
            return a
        if after >= target:
            return a + (b - a) * (target - before) / (after - before)
    return None
