"""Routers of queries to models: what one achieves, beside what needs no router and what none can beat.

All figures come from a table of arms: what each query would have given, and cost, on each model. Costs are USD per
query. A table without costs has only the figures that need none; the others are None.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...protocols.errors import UsageError
from .frontier import Hull, Point, hull


@dataclass(frozen=True, slots=True)
class Arm:
    """What one query gave on one model."""

    quality: float
    cost: float | None = None
    """USD; None: unknown, of the whole table."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What one way of routing achieves: means over all queries."""

    name: str
    quality: float
    cost: float | None
    """USD per query; None: the table has no costs."""


@dataclass(frozen=True, slots=True)
class Table:
    """Arms by query and model: every query has the same models, and either every arm has a cost or none has.

    Raises:
        UsageError: there are no arms, a query lacks a model, or some arms have a cost and others have none.
    """

    arms: Mapping[str, Mapping[str, Arm]]

    def __post_init__(self) -> None:
        models = frozenset(model for row in self.arms.values() for model in row)
        if not models:
            raise UsageError("a table of arms: expected at least one query on one model, found none")
        for query, row in self.arms.items():
            if missing := sorted(models - row.keys()):
                raise UsageError(f"query {query!r}: expected an arm for every model, found none for {missing}")
        if len({arm.cost is None for row in self.arms.values() for arm in row.values()}) > 1:
            raise UsageError("a table of arms: expected costs for all arms or for none, found them for some")

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, sorted."""
        return tuple(sorted(next(iter(self.arms.values()))))

    def routed(self, choices: Mapping[str, str], name: str) -> Standing:
        """What a router achieves that sends each query to the model chosen for it.

        Raises:
            UsageError: a query has no choice, or a choice names no model of the table.
        """
        arms = [self._arm(query, choices) for query in self.arms]
        costs = [arm.cost for arm in arms if arm.cost is not None]
        cost = math.fsum(costs) / len(arms) if costs else None
        return Standing(name, math.fsum(arm.quality for arm in arms) / len(arms), cost)

    def single(self, model: str) -> Standing:
        """What always the same model achieves."""
        return self.routed(dict.fromkeys(self.arms, model), model)

    def _arm(self, query: str, choices: Mapping[str, str]) -> Arm:
        arm = self.arms[query].get(choices.get(query, ""))
        if arm is None:
            raise UsageError(f"query {query!r}: expected one of {', '.join(self.models)}, found {choices.get(query)!r}")
        return arm


def oracle(table: Table) -> dict[str, str]:
    """Choose for every query the model with the highest quality, the cheapest of these; ties by name.

    No router that sends each query to one model reaches a higher quality, and none reaches it for less. It knows the
    outcome, so that noise in the scores lifts it too: it is a bound and no promise.

    Source: LLMRouterBench, arXiv:2601.07206.

    Example:
        >>> oracle(Table({"q": {"big": Arm(1.0, 0.5), "mid": Arm(1.0, 0.2), "small": Arm(0.0, 0.1)}}))
        {'q': 'mid'}
    """
    return {
        query: min(row, key=lambda model: (-row[model].quality, row[model].cost or 0.0, model))
        for query, row in table.arms.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """What stands beside every figure of a router."""

    cheapest: Standing | None
    """The single model that costs least; None: the table has no costs."""
    best_single: Standing
    """The single model with the highest quality, the cheaper of two: LLMRouterBench's dataset oracle."""
    random: Standing | None
    """Chance at the same cost; None: as `hull`, or chance cannot be so cheap."""
    hull: Standing | None
    """The zero router at the same cost; None: the table has no costs, none was asked for, or no model is so cheap."""
    oracle: Standing
    singles: tuple[Standing, ...]
    """Each model alone, by name."""


def baselines(table: Table, cost: float | None) -> Baselines:
    """Work out the baselines of a table, those of chance and of the hull at a router's cost in USD per query.

    Chance at equal cost chooses a model evenly, and is made cheaper by choosing the cheapest model instead for a
    part of the queries, or dearer by choosing the dearest: between these three its quality is linear in its
    cost. Of two models it is RouteLLM's random router (arXiv:2406.18665, section 5). Where the router costs more than
    the dearest model, it stands at the dearest. Ties are broken by name.

    Args:
        table: the arms.
        cost: of the router that the baselines stand beside; None: there is no such router, or no costs.

    Example:
        >>> easy = {"big": Arm(1.0, 0.3), "small": Arm(1.0, 0.1)}
        >>> hard = {"big": Arm(1.0, 0.3), "small": Arm(0.0, 0.1)}
        >>> beside = baselines(Table({"easy": easy, "hard": hard}), 0.2)
        >>> beside.best_single.name, beside.random, beside.oracle
        ('big', Standing(name='random', quality=0.75, cost=0.2), Standing(name='oracle', quality=1.0, cost=0.2))
    """
    singles = tuple(table.single(model) for model in table.models)
    priced = [Point(one.cost, one.quality, one.name) for one in singles if one.cost is not None]
    return Baselines(
        cheapest=min(singles, key=lambda one: (one.cost or 0.0, one.name)) if priced else None,
        best_single=_best(singles),
        random=_random(priced, cost),
        hull=_on(hull(priced), cost, "hull"),
        oracle=table.routed(oracle(table), "oracle"),
        singles=singles,
    )


def _best(singles: Iterable[Standing]) -> Standing:
    return min(singles, key=lambda one: (-one.quality, one.cost or 0.0, one.name))


def _on(line: Hull, cost: float | None, name: str) -> Standing | None:
    quality = None if cost is None else line.at(cost)
    if cost is None or quality is None:
        return None
    return Standing(name, quality, min(cost, line.vertices[-1].cost))


def _random(singles: list[Point], cost: float | None) -> Standing | None:
    if not singles or cost is None:
        return None
    ordered = sorted(singles, key=lambda one: (one.cost, one.name))
    n = len(ordered)
    even = Point(math.fsum(one.cost for one in ordered) / n, math.fsum(one.quality for one in ordered) / n)
    for left, right in ((ordered[0], even), (even, ordered[-1])):
        if left.cost <= cost <= right.cost:
            part = (cost - left.cost) / (right.cost - left.cost) if right.cost > left.cost else 1.0
            return Standing("random", left.quality + part * (right.quality - left.quality), cost)
    return None if cost < ordered[0].cost else Standing("random", ordered[-1].quality, ordered[-1].cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regret:
    """How far a router lies behind others in utility u = quality - lam * cost; means over queries."""

    lam: float
    """Quality that one USD is worth, >= 0."""
    regret: float
    """Behind the best choice per query under this very utility; never negative."""
    gap_at_oracle: float
    """Behind the oracle, which takes the highest quality at any price; negative where its price is not worth it."""
    gap_at_best_single: float
    """Behind the best single model; negative where the router is the better."""


def regret(table: Table, choices: Mapping[str, str], lambdas: Iterable[float]) -> tuple[Regret, ...]:
    """Measure how much utility a router leaves behind: a curve over what money is worth, in the order given.

    mean(u_other - u_router) with u = quality - lam * cost. At lam = 0 `regret` and `gap_at_oracle` are the same.

    Raises:
        UsageError: a lambda is negative, or above 0 where the table has no costs; or as `Table.routed`.

    Source: LLMRouterBench, arXiv:2601.07206 (Gap@Oracle, dataset oracle).

    Example:
        >>> table = Table({"q": {"big": Arm(1.0, 0.5), "small": Arm(0.75, 0.1)}})
        >>> [(round(one.regret, 2), round(one.gap_at_oracle, 2)) for one in regret(table, {"q": "small"}, [0, 1])]
        [(0.25, 0.25), (0.0, -0.15)]
    """
    router = table.routed(choices, "router")
    best = table.routed(oracle(table), "oracle")
    single = _best(table.single(model) for model in table.models)
    curve: list[Regret] = []
    for lam in lambdas:
        if lam < 0 or (lam > 0 and router.cost is None):
            raise UsageError(f"lambda: expected at least 0, and 0 where arms have no cost; found {lam}")
        mine = _utility(router, lam)
        ideal = math.fsum(max(_utility(arm, lam) for arm in row.values()) for row in table.arms.values())
        curve.append(
            Regret(
                lam=lam,
                regret=max(0.0, ideal / len(table.arms) - mine),  # below 0 only by rounding
                gap_at_oracle=_utility(best, lam) - mine,
                gap_at_best_single=_utility(single, lam) - mine,
            )
        )
    return tuple(curve)


def _utility(one: Arm | Standing, lam: float) -> float:
    return one.quality - lam * (one.cost or 0.0)


ARENA_DEAREST, ARENA_CHEAPEST, ARENA_BETA = 200.0, 0.0044, 0.1
"""USD per 1,000 queries that score 0 and 1 for cost, and the weight of accuracy against cost."""


def arena_score(accuracy: float, usd_per_1k: float) -> float | None:
    """RouterArena's one figure for accuracy and cost.

    S = (1 + beta) * A * C / (beta * A + C) with C = (log2 200 - log2 c) / (log2 200 - log2 0.0044), c in USD per
    1,000 queries and beta = 0.1. Not cut off: a cost beyond the two bounds gives C beyond [0, 1].

    None: the cost is not above 0 (it has no logarithm), or beta * A + C is 0.

    Source: RouterArena, arXiv:2510.00202, and `compute_arena_score` in github.com/RouteWorks/RouterArena.

    Example:
        >>> arena_score(1.0, 0.0044), arena_score(0.5, 200.0), arena_score(0.5, 0.0)
        (1.0, 0.0, None)
    """
    if usd_per_1k <= 0:
        return None
    cheapness = math.log2(ARENA_DEAREST / usd_per_1k) / math.log2(ARENA_DEAREST / ARENA_CHEAPEST)
    weight = ARENA_BETA * accuracy + cheapness
    return (1 + ARENA_BETA) * accuracy * cheapness / weight if weight else None
