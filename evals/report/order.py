"""One order for everything whose order says nothing, so that equal scorecards give equal bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

from ...supervisor.views.staff import natural
from ..scorecard import Comparison, Confusion, Family, Measured, Point, PointKind, Scorecard, Spent

FAMILIES: tuple[Family, ...] = get_args(Family)
KINDS: tuple[PointKind, ...] = get_args(PointKind)


def arranged(card: Scorecard) -> Scorecard:
    """The scorecard with runs by scenario and repeat, metrics by family, spending the dearest first.

    Metrics of one family keep the order they were given in, the most telling first, and so do scores, notes, rules and
    what happened one after the other. Sets, as tags and acceptable workers, are sorted. Numbers inside names count as
    numbers. It is the same scorecard: arranged twice is arranged once.
    """
    return card.model_copy(
        update={
            "measured": tuple(
                _measured(one) for one in sorted(card.measured, key=lambda one: (natural(one.scenario), one.repeat))
            ),
            "metrics": tuple(sorted(card.metrics, key=lambda metric: FAMILIES.index(metric.family))),
            "points": tuple(sorted(card.points, key=_place)),
            "reliability": tuple(sorted(card.reliability, key=lambda one: (one.low, one.high))),
            "confusion": None if card.confusion is None else _confusion(card.confusion),
            "comparison": None if card.comparison is None else _comparison(card.comparison),
        }
    )


def by_scenario(card: Scorecard) -> dict[str, list[Measured]]:
    """The runs of each scenario, by repeat; of an arranged scorecard."""
    found: dict[str, list[Measured]] = {}
    for one in card.measured:
        found.setdefault(one.scenario, []).append(one)
    return found


def _place(point: Point) -> tuple[int, float, float, str]:
    return KINDS.index(point.kind), point.usd, -point.quality, point.name


def _measured(one: Measured) -> Measured:
    routed = tuple(
        choice.model_copy(
            update={"acceptable": tuple(sorted(choice.acceptable)), "forbidden": tuple(sorted(choice.forbidden))}
        )
        for choice in one.routed
    )
    return one.model_copy(
        update={
            "tags": tuple(sorted(one.tags)),
            "workers": _dearest(one.workers),
            "models": _dearest(one.models),
            "routed": routed,
        }
    )


def _dearest(spent: Iterable[Spent]) -> tuple[Spent, ...]:
    return tuple(sorted(spent, key=lambda one: (-one.usage.usd, -one.usage.tokens, one.name)))


def _confusion(confusion: Confusion) -> Confusion:
    turned = sorted(range(len(confusion.labels)), key=lambda i: natural(confusion.labels[i]))

    def picked(row: Sequence[int]) -> tuple[int, ...]:
        return tuple(row[i] for i in turned)

    return Confusion(
        labels=tuple(confusion.labels[i] for i in turned),
        counts=tuple(picked(confusion.counts[i]) for i in turned),
    )


def _comparison(comparison: Comparison) -> Comparison:
    return comparison.model_copy(update={"changed": tuple(sorted(comparison.changed, key=natural))})
