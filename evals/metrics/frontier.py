"""The plane of cost and quality: what nothing beats, the hull of all mixes, and the area below it.

A point is one way of routing: its mean cost per query (USD, >= 0, or any other unit) and its mean quality. Two
ways can be mixed: send each query to one or the other by a coin, and every point of the line between them is
reached in expectation. Money need not be spent, so quality that is reached at a cost is reached at any higher one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import fsum

from ...protocols.errors import UsageError


@dataclass(frozen=True, slots=True)
class Point:
    """One way of routing."""

    cost: float
    quality: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class Hull:
    """The non-decreasing upper concave hull of points: the best that mixing them can reach at each cost.

    `vertices` are by cost, strictly rising in cost and quality, each segment less steep than the one before.
    """

    vertices: tuple[Point, ...]

    def at(self, cost: float) -> float | None:
        """Quality at a cost: linear between vertices, flat beyond the last; None below the first."""
        if not self.vertices or cost < self.vertices[0].cost:
            return None
        return self._height(cost)

    def mean(self, low: float, high: float) -> float | None:
        """Mean quality over the costs from `low` to `high`; None: the interval is empty, or begins below the hull."""
        if self.at(low) is None or not low < high:
            return None
        costs = [low, *(vertex.cost for vertex in self.vertices if low < vertex.cost < high), high]
        area = fsum((b - a) * (self._height(a) + self._height(b)) / 2 for a, b in pairwise(costs))
        return area / (high - low)

    def _height(self, cost: float) -> float:
        place = bisect_right(self.vertices, cost, key=lambda vertex: vertex.cost)
        left = self.vertices[place - 1]
        if place == len(self.vertices):
            return left.quality
        right = self.vertices[place]
        return left.quality + (right.quality - left.quality) * (cost - left.cost) / (right.cost - left.cost)


def pareto(points: Iterable[Point]) -> tuple[Point, ...]:
    """Keep the points that no other beats: none is as cheap and better, nor as good and cheaper.

    By cost; of points with equal cost and quality the first by name.

    Example:
        >>> [point.name for point in pareto([Point(1, 0.5, "a"), Point(2, 0.4, "b"), Point(3, 0.9, "c")])]
        ['a', 'c']
    """
    kept: list[Point] = []
    for point in sorted(points, key=lambda one: (one.cost, -one.quality, one.name)):
        if not kept or point.quality > kept[-1].quality:
            kept.append(point)
    return tuple(kept)


def hull(points: Iterable[Point]) -> Hull:
    """Draw the non-decreasing upper concave hull of points; of points of single models, it is the zero router.

    The zero router knows nothing of the query and mixes single models by coin; a router that does not lie above its
    hull has learned nothing that money could not buy without it.

    Source: Hu et al. 2024, RouterBench, arXiv:2403.12031, section 3.2; the algorithm is the monotone chain of
    Andrew 1979, doi:10.1016/0020-0190(79)90072-3.

    Example:
        >>> zero = hull([Point(1, 0.5), Point(2, 0.5), Point(3, 0.9), Point(9, 0.8)])
        >>> zero.at(2), zero.at(10), zero.at(0.5)
        (0.7, 0.9, None)
    """
    chain: list[Point] = []
    for point in pareto(points):
        while len(chain) > 1 and _is_below(chain[-1], chain[-2], point):
            chain.pop()
        chain.append(point)
    return Hull(tuple(chain))


def _is_below(middle: Point, left: Point, right: Point) -> bool:
    """Whether `middle` lies on or below the line from `left` to `right`."""
    rise = (middle.quality - left.quality) * (right.cost - left.cost)
    return rise <= (right.quality - left.quality) * (middle.cost - left.cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aiq:
    """Average improvement in quality over an interval of costs."""

    value: float | None
    """None: the curves share no interval of costs."""
    low: float
    high: float


def aiq(curves: Mapping[str, Iterable[Point]]) -> dict[str, Aiq]:
    """Compare routers over all budgets: the mean height of each one's hull on the interval that all share.

    AIQ = 1 / (c_max - c_min) * integral of H(c) dc. c_min is the least cost at which every curve is defined, c_max
    the highest cost of any point; hulls go on flat to it.

    Raises:
        UsageError: a curve has no points.

    Source: Hu et al. 2024, RouterBench, arXiv:2403.12031, section 3.3.

    Example:
        >>> scores = aiq({"router": [Point(1, 0.5), Point(3, 0.9)], "single": [Point(2, 0.6)]})
        >>> {name: (round(score.value, 3), score.low, score.high) for name, score in scores.items()}
        {'router': (0.8, 2, 3), 'single': (0.6, 2, 3)}
    """
    points = {name: tuple(curve) for name, curve in curves.items()}
    if not points:
        return {}
    if empty := sorted(name for name, curve in points.items() if not curve):
        raise UsageError(f"AIQ: expected at least one point per curve, found none of {', '.join(map(repr, empty))}")
    low = max(min(point.cost for point in curve) for curve in points.values())
    high = max(point.cost for curve in points.values() for point in curve)
    return {name: Aiq(value=hull(curve).mean(low, high), low=low, high=high) for name, curve in points.items()}
